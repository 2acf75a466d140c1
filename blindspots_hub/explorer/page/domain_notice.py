"""The warning that images are none that the concept space was trained for."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blindspots_hub.analysis.domain import domain_warning
from blindspots_hub.artifacts.bundle import Bundle


def domain_notice(warnings: Sequence[str]) -> str:
    """`warnings` as HTML, "" where there are none."""
    told = "".join(f"<p>{escape(warning)}</p>" for warning in warnings)
    title = "<b>These concepts may not fit these images.</b>"
    return f'<div class="notice is-warning" role="alert">{title}{told}</div>' if told else ""


def result_notice(bundle: Bundle, model: str) -> str:
    """The same of a finished result."""
    warning = domain_warning(bundle, model)
    return domain_notice([warning] if warning else [])
