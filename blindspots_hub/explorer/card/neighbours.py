"""Concepts around the open one on the map, as small cards."""

from __future__ import annotations

from html import escape

import numpy as np

from blindspots_hub.explorer.card.link import link
from blindspots_hub.explorer.map.layout_switch import place
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count, name
from blindspots_hub.explorer.page.marks import delta_words, state_name, track
from blindspots_hub.explorer.page.pictures import concept_picture
from blindspots_hub.explorer.page.view import View

RADII = (3, 6, 12)
"""Percent of the map's width that are offered."""

MOST = 24
"""Neighbours that are shown, the nearest."""


def within(entry: Entry, layout: str, concept: int, around: int) -> np.ndarray:
    """Concepts within `around` percent of the map's width, the nearest first, itself apart."""
    xy = place(entry.bundle, layout)
    placed = np.isfinite(xy).all(1)
    if not placed[concept]:
        return np.zeros(0, np.int64)
    width = float(np.ptp(xy[placed, 0])) or 1.0
    far = np.where(placed, np.hypot(*(xy - xy[concept]).T), np.inf)
    far[concept] = np.inf
    near = np.flatnonzero(far <= around / 100 * width)
    return near[np.argsort(far[near], kind="stable")]


def neighbours_part(entry: Entry, view: View) -> str:
    """The part of a card with the choice of a radius and what lies within it, as HTML."""
    assert view.concept is not None
    buttons = "".join(
        f'<button type="button" data-around="{percent}" '
        f'aria-pressed="{str(percent == view.around).lower()}">{words}</button>'
        for percent, words in ((0, "none"), *((p, f"{p}%") for p in RADII))
    )
    choice = (
        '<div class="ask"><b>Neighbours on the map</b><span class="rows" role="group" '
        f'aria-label="Radius in percent of the map’s width">{buttons}</span></div>'
    )
    if not view.around:
        return f'<section class="around">{choice}</section>'
    found = within(entry, view.layout, view.concept, view.around)
    reading = entry.reading(view.kind)
    if not view.unjudged:
        found = found[reading.determined[found]]
    cards = "".join(_small_card(entry, view, int(k)) for k in found[:MOST])
    told = f"{count(len(found))} within {view.around}% of the map’s width"
    shown = f"; the nearest {MOST}:" if len(found) > MOST else ("." if not len(found) else ":")
    return (
        f'<section class="around">{choice}<p class="facts">{told}{shown}</p>'
        f'<div class="small-cards">{cards}</div></section>'
    )


def _small_card(entry: Entry, view: View, concept: int) -> str:
    reading = entry.reading(view.kind)
    url = concept_picture(entry, concept)
    image = f'<img alt="" loading="lazy" src="{escape(url)}">' if url else '<i class="gap"></i>'
    return (
        f'<a href="{escape(link(entry, view.kind, concept))}" data-open="{concept}" '
        f'class="is-{state_name(reading, concept)}">{image}'
        f"<span>{name(concept, entry.bundle.labels[concept])}</span>"
        f"{track(reading, concept)}<small>{escape(delta_words(reading, concept))}</small></a>"
    )
