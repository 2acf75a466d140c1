"""Pieces of HTML that the sections of Compare share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from blindspots_hub.analysis.words import times
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.named import named

CHIPS = 10
"""Concepts of one list that are named."""


def title(bundle: Bundle, model: str) -> str:
    """A model's title; untrusted text."""
    return bundle.model(model).title or model


def times_words(ratio: float) -> str:
    """A ratio of energies as the page says it."""
    return f"{times(float(ratio))} ×" if np.isfinite(ratio) else "–"


def chips(bundle: Bundle, concepts: Sequence[int]) -> str:
    """Concepts as buttons that open them, the first `CHIPS`."""
    if not len(concepts):
        return '<span class="none">none</span>'
    buttons = "".join(
        f'<button type="button" data-open="{int(k)}">{named(bundle, int(k))}</button>'
        for k in list(concepts)[:CHIPS]
    )
    more = len(concepts) - CHIPS
    tail = f"<span>and {count(more)} more</span>" if more > 0 else ""
    return f'<div class="chips">{buttons}{tail}</div>'


def section(heading: str, body: str) -> str:
    """One section of the tab; `body` is HTML."""
    return f'<section class="compare-section"><h3>{escape(heading)}</h3>{body}</section>'


def lacking(sentence: str) -> str:
    """What a section lacks."""
    return f'<p class="lacking">{escape(sentence)}</p>'
