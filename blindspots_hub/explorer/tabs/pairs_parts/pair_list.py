"""The list of pairs, and the form above it, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np

from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.commands import evaluating, spec_of
from blindspots_hub.explorer.page.controls import (
    NOTHING_LEFT,
    entry_field,
    exports,
    form,
    pager,
    select,
)
from blindspots_hub.explorer.page.format import count, name, number
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.pictures import pair_figure, short_caption
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import PAIR_ORDERS, PAIRS_SHOWN, WHY_SHOWN, PairsView
from blindspots_hub.explorer.tabs.pairs_parts.open_pair import open_pair
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import Difference, PairTable, differences
from blindspots_hub.explorer.tabs.pairs_parts.pair_words import (
    KIND_WORDS,
    MEANING,
    caption_html,
    card_address,
    tags,
)

ROWS = 24
"""Pairs of a page."""

CHIPS = 5
"""Concepts under a pair of the list."""

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
        f"ones: {evaluating(entry.bundle, spec_of(entry.bundle, entry.model), 'paired')} draws the "
        "captions of this bundle and measures it in pairs.",
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
    opened = open_pair(entry, view, table) if view.pair is not None else ""
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
        f'<div class="pair-block" role="listitem"{here}>{_images(entry, pair_id)}'
        f'<p class="caption"><a href="{address}" data-pair="{escape(pair_id)}">'
        f"{caption_html(short_caption(table.captions[row]))}</a></p>"
        f'<p class="facts">difference <b>{number(float(table.distance[row]))}</b> '
        f"{tags(table, row)}</p>{_chips(entry, view, parts)}</div>"
    )


def _images(entry: Entry, pair_id: str) -> str:
    """Natural and generated image beside each other, each with its name."""
    under = "<span>natural</span><span>generated</span>"
    return pair_figure(entry.bundle, (NATURAL, entry.model), pair_id, under=under)


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
        f'<a href="{card_address(view, one.concept)}" data-open="{one.concept}" '
        f'title="{escape(told)}">{name(one.concept, label)}</a>'
    )
