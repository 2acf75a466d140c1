"""The report of a bundle as one file: every sentence, figure and table, saved from Findings."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from html import escape

from blindspots_hub.analysis.answers import ask
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.analysis.stored import left_to_ask
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.commands import reporting
from blindspots_hub.serving.turns import Turns

_TURNS = Turns(1)
"""A report takes seconds, and the memory of all figures."""


def report_line(bundle: Bundle) -> str:
    """The button, or where a page cannot wait for the report the command that writes it."""
    if _too_long(bundle):
        told = escape(reporting(bundle))
        return f'<p class="meaning">The report as one file: <code>{told}</code></p>'
    return (
        '<div class="report-line"><button type="button" data-report>Save the report</button>'
        "<small>every sentence, figure and table of all models here, as one HTML file</small>"
        '<span role="status" data-told></span></div>'
    )


def report_function(catalog: Catalog) -> Callable[[str], dict[str, str]]:
    """What the browser asks for the file, by the key of the model that is shown."""

    def report(key: str) -> dict[str, str]:
        try:
            bundle = catalog.entry(str(key)).bundle
            if _too_long(bundle):
                raise BlindspotsError(f"{reporting(bundle)} writes it.")
            with _TURNS.taking("reports"):
                content = _report(bundle, bundle.sha256)
        except BlindspotsError as error:
            return {"error": catalog.said(error)}
        return {"name": f"{bundle.name}-report.html", "type": "text/html", "content": content}

    return report


def _too_long(bundle: Bundle) -> bool:
    return any(left_to_ask(bundle, one.name) for one in ANALYSES)


@lru_cache(maxsize=1)
def _report(bundle: Bundle, version: str) -> str:
    """The report in base64; `version` is the manifest's sha256, which a new name changes."""
    from blindspots_hub.report.page import html

    page = html(bundle, [ask(bundle, one.name) for one in ANALYSES])
    return base64.b64encode(page.encode()).decode("ascii")
