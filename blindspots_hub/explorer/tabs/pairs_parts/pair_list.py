"""The list of pairs, the pair that is open, and the form above them, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np

from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.controls import (
    NOTHING_LEFT,
    entry_field,
    exports,
    form,
    pager,
    select,
)
from blindspots_hub.explorer.page.format import count, name, number, term
from blindspots_hub.explorer.page.marks import state_name
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.pictures import full_url, picture, short_caption, spoken_name
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import PAIR_ORDERS, PAIRS_SHOWN, WHY_SHOWN, PairsView
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import Difference, PairTable, differences

ROWS = 24
"""Pairs of a page."""

CHIPS = 5
"""Concepts under a pair of the list."""

MOST = 20
"""Concepts of the pair that is open."""

KIND_WORDS = {
    "all": "all pairs", "memorised": "memorised", "trivial": "trivial",
    "incongruent": "incongruent", "noise": "caption noise",
}  # fmt: skip

MEANING = {
    "memorised": "near its natural image, and the model answers other captions or seeds with the "
    "same picture, or is as near to another image",
    "trivial": "of the nearest tenth, and not memorised",
    "incongruent": "of the tenth with the largest difference",
    "noise": "the caption does not describe an image",
}
"""One line a kind, as `analysis.notable_pairs` defines it."""

WHY_WORDS = {
    "any": "for any cause", "other captions": "answers other captions too",
    "other seeds": "comes from other seeds too", "another image": "as near to another image",
}  # fmt: skip

ORDER_WORDS = {
    "telling": "the most telling first", "near": "smallest difference first",
    "far": "largest difference first",
}  # fmt: skip


def pairs_form(table: PairTable, asked: PairsView) -> str:
    """The filters; the menu says how many pairs are of each kind."""
    kinds = [
        (kind, f"{KIND_WORDS[kind]} ({count(_size(table, kind))})")
        for kind in PAIRS_SHOWN
        if kind in ("all", asked.which) or kind in table.kinds
    ]
    fields = [
        select("which", "Show", kinds, asked.which),
        entry_field("words", "Words of the caption", asked.words, "search every caption"),
    ]
    if asked.which == "memorised":
        why = [
            (cause, WHY_WORDS[cause] + _in_brackets(table.causes.get(cause))) for cause in WHY_SHOWN
        ]
        fields.insert(1, select("why", "Memorised", why, asked.why))
    orders = [(order, ORDER_WORDS[order]) for order in PAIR_ORDERS]
    fields.append(select("order", "Sort by", orders, asked.order))
    return form("Which pairs are shown", fields)


def _size(table: PairTable, kind: str) -> int:
    if kind == "all":
        return len(table.ids)
    return int(table.kinds[kind].sum()) if kind in table.kinds else 0


def _in_brackets(here: np.ndarray | None) -> str:
    return "" if here is None else f" ({count(int(here.sum()))})"


def unpaired_notice(entry: Entry) -> str:
    """The face of the tab for a model without pairs."""
    return notice(
        "idle",
        "There are no pairs to show.",
        f"{entry.title} was measured on images of its own, which share no captions with natural "
        f"ones: python -m blindspots_hub evaluate MODEL --bundle {entry.bundle.name} --out DIR "
        "draws the captions of this bundle and measures it in pairs.",
    )


def pair_list(entry: Entry, view: View, table: PairTable, rows: np.ndarray) -> str:
    """The pair that is open, and one page of `rows` (of `table`)."""
    asked = view.pairs
    start = (asked.page - 1) * ROWS
    shown = rows[start : start + ROWS]
    formats = list(FORMATS) if len(rows) else []
    meaning = MEANING.get(asked.which, "")
    told = (
        f'<p class="told">{KIND_WORDS[asked.which].capitalize()}: {meaning}.</p>' if meaning else ""
    )
    unknown = f'<p class="told">{escape(table.unknown)}</p>' if table.unknown else ""
    bar = (
        f'<div class="table-bar">{pager(asked.page, len(rows), ROWS, "pairs")}'
        f"{exports('Captions of these pairs', formats)}"
        '<span data-told role="status"></span></div>'
    )
    opened = _open_pair(entry, view, table) if view.pair is not None else ""
    if not len(shown):
        empty = notice("idle", "No pair is like that.", NOTHING_LEFT)
        return f'<div class="table-body">{opened}{told}{unknown}{bar}{empty}</div>'
    found = differences(entry, table, shown, CHIPS)
    blocks = "".join(
        _block(entry, view, table, row, parts)
        for row, parts in zip(shown.tolist(), found, strict=True)
    )
    below = pager(asked.page, len(rows), ROWS, "pairs", "Pages, below") if len(rows) > ROWS else ""
    return (
        f'<div class="table-body">{opened}{told}{unknown}{bar}'
        f'<div class="pair-list" role="list">{blocks}</div>{below}</div>'
    )


def _block(
    entry: Entry, view: View, table: PairTable, row: int, parts: Sequence[Difference]
) -> str:
    pair_id = table.ids[row]
    here = ' aria-current="true"' if view.pair == pair_id else ""
    address = escape(replace(view, pair=pair_id).link)
    return (
        f'<div class="pair-block" role="listitem"{here}>{_sides(entry, pair_id)}'
        f'<p class="caption"><a href="{address}" data-pair="{escape(pair_id)}">'
        f"{_caption(short_caption(table.captions[row]))}</a></p>"
        f'<p class="facts">difference <b>{number(float(table.distance[row]))}</b> '
        f"{_tags(table, row)}</p>{_chips(entry, view, parts)}</div>"
    )


def _caption(words: str) -> str:
    return escape(words) or "<i>no caption</i>"


def _sides(entry: Entry, pair_id: str) -> str:
    """Natural and generated image beside each other, each with its name."""
    return '<div class="sides">' + "".join(
        f"<figure>{picture(entry.bundle, source, pair_id)}<figcaption>{side}</figcaption></figure>"
        for source, side in ((NATURAL, "natural"), (entry.model, "generated"))
    ) + "</div>"  # fmt: skip


def _tags(table: PairTable, row: int) -> str:
    tags = []
    for kind in table.kinds_of(row):
        why = {"memorised": table.why, "noise": table.noise}.get(kind)
        words = f": {why(row)}" if why else ""
        tags.append(
            f'<span class="tag" title="{escape(MEANING[kind])}">'
            f"{KIND_WORDS[kind]}{escape(words)}</span>"
        )
    return " ".join(tags)


def _chips(entry: Entry, view: View, parts: Sequence[Difference]) -> str:
    """What is less and what is more in the generated image, each concept with a way to its card."""
    if not parts:
        return '<p class="facts">No concept differs.</p>'
    lines = "".join(
        f"<dt>{sign} {words}</dt><dd>{''.join(_chip(entry, view, one) for one in some)}</dd>"
        for sign, words, some in (
            ("−", "less", [one for one in parts if one.change < 0]),
            ("+", "more", [one for one in parts if one.change > 0]),
        )
        if some
    )
    return f'<dl class="chips">{lines}</dl>'


def _chip(entry: Entry, view: View, one: Difference) -> str:
    label = entry.bundle.labels[one.concept]
    told = f"energy {number(one.natural)} in the natural, {number(one.generated)} in the generated"
    return (
        f'<a href="{escape(_address(view, one.concept))}" data-open="{one.concept}" '
        f'title="{escape(told)}">{name(one.concept, label)}</a>'
    )


def _address(view: View, concept: int) -> str:
    return replace(view, tab="explore", concept=concept).link


def _open_pair(entry: Entry, view: View, table: PairTable) -> str:
    """The pair that is open, large, with the concepts in which it differs most."""
    pair_id = view.pair or ""
    row = table.row(pair_id)
    (parts,) = differences(entry, table, np.array([row]), MOST)
    bundle = entry.bundle
    sides = "".join(
        f"<figure>{_large(entry, source, pair_id)}<figcaption>{side}</figcaption></figure>"
        for source, side in ((NATURAL, "natural image"), (entry.model, "generated image"))
    )
    caption = bundle.caption(NATURAL, pair_id) or table.captions[row]
    return (
        f'<section class="open-pair" aria-label="The open pair">'
        f"<header><h2>{_caption(caption)}</h2>"
        '<button type="button" data-close aria-label="Close the pair">×</button></header>'
        f'<div class="open-parts"><div class="sides">{sides}</div><div class="what">'
        f'<p class="facts">difference <b>{number(float(table.distance[row]))}</b> '
        f"in {term('energy')} {_tags(table, row)} <small>pair {escape(pair_id)}</small></p>"
        f"{_table(entry, view, parts)}</div></div></section>"
    )


def _large(entry: Entry, source: str, pair_id: str) -> str:
    bundle = entry.bundle
    if not bundle.has_thumbnail(source, pair_id):
        return picture(bundle, source, pair_id)
    named, address = spoken_name(bundle, source, pair_id), full_url(bundle, source, pair_id)
    return f'<div class="picture"><img alt="{escape(named)}" src="{escape(address)}"></div>'


def _table(entry: Entry, view: View, parts: Sequence[Difference]) -> str:
    """The largest differences: energies of both sides, and what the model does with the concept."""
    if not parts:
        return '<p class="facts">No concept differs between these two images.</p>'
    reading = entry.reading(view.kind)
    largest = max(max(one.natural, one.generated) for one in parts)
    rows = "".join(
        f'<tr data-open="{one.concept}"><td class="label">'
        f'<a href="{escape(_address(view, one.concept))}" data-open="{one.concept}">'
        f"{name(one.concept, entry.bundle.labels[one.concept])}</a></td>"
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
        '<th scope="col">what differs most</th><th scope="col">energy, natural</th>'
        '<th scope="col">energy, generated</th><th scope="col">change</th>'
        '<th scope="col"><abbr title="What the model does with the concept over all pairs" '
        f'tabindex="0">over all pairs</abbr></th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _signed(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{number(abs(change))}"


def _bar(energy: float, largest: float) -> str:
    return (
        f'<span class="energy"><i style="width:{100 * energy / largest:.0f}%"></i></span>'
        f"{number(energy)}"
    )
