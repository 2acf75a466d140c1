"""The pair that is open: both images large, where a concept fires in them, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import OVER_ALL, explained, name, number, term
from blindspots_hub.explorer.page.marks import state_name
from blindspots_hub.explorer.page.pictures import heat_switch, largest_code, pair_figure
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import Difference, PairTable, differences
from blindspots_hub.explorer.tabs.pairs_parts.pair_words import caption_html, card_address, tags

MOST = 20
"""Concepts of the pair that are listed."""

UNDER = "<span>natural image</span><span>generated image</span>"
"""What stands under the two images."""


def open_pair(entry: Entry, view: View, table: PairTable) -> str:
    """The pair `view.pair`, large, with the concepts in which its images differ most, as HTML."""
    pair_id, bundle = view.pair or "", entry.bundle
    row = table.row(pair_id)
    (parts,) = differences(entry, table, np.array([row]), MOST)
    shown = _shown(bundle, entry.model, pair_id, parts)
    over = _over(parts, shown, view.pairs.concept)
    concept = None if over is None else over.concept
    figure = pair_figure(
        bundle, (NATURAL, entry.model), pair_id, concept, under=UNDER, large=True
    )  # fmt: skip
    caption = bundle.caption(NATURAL, pair_id) or table.captions[row]
    return (
        f'<section class="open-pair" aria-label="The open pair">'
        f"<header><h2>{caption_html(caption)}</h2>"
        '<button type="button" data-close aria-label="Close the pair">×</button></header>'
        f'<div class="open-parts"><div>{figure}{_legend(entry, pair_id, parts, over, view.heat)}'
        '</div><div class="what">'
        f'<p class="facts">difference <b>{number(float(table.distance[row]))}</b> '
        f"in {term('energy')} {tags(table, row)} <small>pair {escape(pair_id)}</small></p>"
        f"{_differences(entry, view, parts, shown, concept)}</div></div></section>"
    )


def _shown(bundle: Bundle, model: str, pair_id: str, parts: Sequence[Difference]) -> set[int]:
    """Concepts of which the bundle keeps where they fire, in one of the two images at least."""
    sides = [(NATURAL, pair_id), (model, pair_id)]
    return {one.concept for one in parts if largest_code(bundle, one.concept, sides) > 0}


def _over(
    parts: Sequence[Difference], shown: set[int], asked: int | None
) -> Difference | None:  # fmt: skip
    """The concept whose overlay is shown: the one asked for, else the first that has one."""
    here = [one for one in parts if one.concept in shown]
    return next((one for one in here if one.concept == asked), next(iter(here), None))


def _legend(
    entry: Entry, pair_id: str, parts: Sequence[Difference], over: Difference | None, heat: int
) -> str:
    """Whose overlay it is, how much of it is shown, and what of it this bundle lacks."""
    if over is None:
        if not parts:
            return ""
        return (
            '<p class="told">Where these concepts fire in this pair is not in this bundle: it '
            "keeps that of the images that concepts’ cards show, and of some other pairs.</p>"
        )
    bundle, concept = entry.bundle, over.concept
    sides = [(NATURAL, pair_id), (entry.model, pair_id)]
    told = "".join(
        _without(bundle, concept, source, pair_id, side, energy)
        for source, side, energy in (
            (NATURAL, "natural", over.natural), (entry.model, "generated", over.generated),
        )
    )  # fmt: skip
    switch = heat_switch(heat, largest_code(bundle, concept, sides))
    return (
        f'<div class="legend-row"><span>overlay of <b>{name(concept, bundle.labels[concept])}</b>'
        f"{told}</span>{switch}</div>"
    )


def _without(
    bundle: Bundle, concept: int, source: str, pair_id: str, side: str, energy: float
) -> str:
    """Why one of the two images has no overlay, "" where it has."""
    grid = bundle.heatmap(source, concept, pair_id)
    if grid is not None and grid.any():
        return ""
    if energy == 0:
        return f"; it does not fire in the {side} image"
    if grid is not None:
        return f"; it fires on no patch of the {side} image"
    return f"; where it fires in the {side} image is not in this bundle"


def _differences(
    entry: Entry, view: View, parts: Sequence[Difference], shown: set[int], over: int | None
) -> str:
    """The largest differences: energies of both sides, and what the model does with the concept."""
    if not parts:
        return '<p class="facts">No concept differs between these two images.</p>'
    reading = entry.reading(view.kind)
    largest = max(max(one.natural, one.generated) for one in parts)
    rows = "".join(
        f'<tr data-open="{one.concept}"><td class="label">'
        f'<a href="{card_address(view, one.concept)}" data-open="{one.concept}">'
        f"{name(one.concept, entry.bundle.labels[one.concept])}</a></td>"
        f'<td data-name="where it fires">{_chooser(entry, one.concept, shown, over)}</td>'
        f'<td data-name="natural">{_bar(one.natural, largest)}</td>'
        f'<td data-name="generated">{_bar(one.generated, largest)}</td>'
        f'<td data-name="change">{_signed(one.change)}</td>'
        f'<td data-name="over all pairs" class="is-{state_name(reading, one.concept)}">'
        f"{state_name(reading, one.concept)}</td></tr>"
        for one in parts
    )
    return (
        '<div class="wide-table plain" tabindex="0" role="region" aria-label="What differs">'
        "<table><thead><tr>"
        '<th scope="col">what differs most</th><th scope="col">where it fires</th>'
        '<th scope="col">energy, natural</th>'
        '<th scope="col">energy, generated</th><th scope="col">change</th>'
        f'<th scope="col">{explained("over all pairs", OVER_ALL)}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _chooser(entry: Entry, concept: int, shown: set[int], over: int | None) -> str:
    """The button that lays a concept's overlay over the images, where the bundle keeps it."""
    if concept not in shown:
        return '<span class="none">not in this bundle</span>'
    spoken = f"Show where {name(concept, entry.bundle.labels[concept])} fires"
    return (
        f'<button type="button" class="over" data-over="{concept}" aria-label="{spoken}" '
        f'aria-pressed="{"true" if concept == over else "false"}">'
        f"{'shown' if concept == over else 'show'}</button>"
    )


def _signed(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{number(abs(change))}"


def _bar(energy: float, largest: float) -> str:
    return (
        f'<span class="energy"><i style="width:{100 * energy / largest:.0f}%"></i></span>'
        f"{number(energy)}"
    )
