"""The table of concepts and the form above it, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.words import MEANING, ORDER, SIGNS, times
from blindspots_hub.artifacts.bundle import Bundle
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
from blindspots_hub.explorer.page.format import (
    DRAWN,
    count,
    explained,
    explained_mark,
    interval,
    name,
    number,
    probability,
    q_value,
    term,
)
from blindspots_hub.explorer.page.marks import NOT_JUDGED, badge, bare_track, state_name
from blindspots_hub.explorer.page.named import named_by
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.pictures import picture
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.verdicts import verdict_of
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import (
    CONCEPTS_SHOWN,
    SIZES_SHOWN,
    SORT_OF_MODEL,
    SORTS,
    ConceptsView,
)
from blindspots_hub.explorer.tabs.concepts_parts.selection import clusters
from blindspots_hub.measure.delta import fold

ROWS = 50
"""Rows of a page."""

MOST_MODELS = 8
"""Further models that have a column."""

SORT_WORDS = {
    "surest": "surest change first", "concept": "number", "label": "label", "state": "state",
    "delta": "δ", "drawn": "how much is drawn", "q": "q", "support": "support",
    "cluster": "cluster",
}  # fmt: skip
"""What the form calls each order."""

DESCENDING = (
    ("-delta", "δ, largest first"), ("-support", "support, largest first"),
    ("-drawn", "how much is drawn, most first"),
)  # fmt: skip
"""Orders that the form offers the other way round as well; a head of the table turns any."""


def concepts_form(entry: Entry, kind: str, asked: ConceptsView) -> str:
    """The filters; a menu of states says how many concepts are in each."""
    reading = entry.reading(kind)
    found = clusters(entry.bundle)
    sizes = [(size, _size(size)) for size in SIZES_SHOWN]
    orders = [(sort, SORT_WORDS[sort]) for sort in SORTS if sort != "cluster" or found is not None]
    orders += [*DESCENDING]
    if asked.sort not in dict(orders):
        orders.append((asked.sort, _order_words(asked.sort)))
    fields = [
        select("state", "Show", _states(reading), asked.state),
        entry_field("label", "Label or number", asked.label, "words of a label, #12"),
        select("size", "Changed for sure", sizes, asked.size),
        entry_field("q", "q at most", f"{asked.q:g}" if asked.q < 1 else "", "1", numeric=True),
        entry_field(
            "support", "Support at least", str(asked.support or ""), "0", numeric=True
        ),
    ]  # fmt: skip
    if found is not None:
        shown = "" if asked.cluster is None else str(asked.cluster)
        fields.append(entry_field("cluster", "Cluster", shown, "any", numeric=True))
    fields.append(select("sort", "Sort by", orders, asked.sort))
    return form("Which concepts the table shows", fields)


def _states(reading: ModelDeltas) -> list[tuple[str, str]]:
    counts = reading.counts
    of_group = {
        "all": len(reading.state),
        "judged": int(reading.determined.sum()),
        "blindspots": counts["suppressed"] + counts["exaggerated"],
        "certain": reading.certain_count("suppressed") + reading.certain_count("exaggerated"),
    }
    said = {"certain": "certain blindspots"}
    return [
        (state, f"{said.get(state, state)} ({count(of_group.get(state, counts.get(state, 0)))})")
        for state in CONCEPTS_SHOWN
    ]


def _size(size: str) -> str:
    return "by any factor" if size == SIZES_SHOWN[0] else f"at least {size}-fold"


def _order_words(sort: str) -> str:
    back, by = sort.startswith("-"), sort.removeprefix("-")
    words = "δ of another model" if by.startswith(SORT_OF_MODEL) else SORT_WORDS[by]
    return f"{words}, reversed" if back else words


def concepts_table(
    entry: Entry, view: View, concepts: np.ndarray, others: Sequence[Entry]
) -> str:  # fmt: skip
    """One page of `concepts`, with the ways to the others; `others` are further models."""
    asked, kind = view.concepts, view.kind
    start = (asked.page - 1) * ROWS
    shown = concepts[start : start + ROWS].tolist()
    every = "The concepts of this table in every model" if others else ""
    bar = (
        f'<div class="table-bar">{pager(asked.page, len(concepts), ROWS, "concepts")}'
        f"{exports('Every concept of this table', list(FORMATS) if len(concepts) else [], every)}"
        '<span data-told role="status"></span></div>'
    )
    if not shown:
        return (
            f'<div class="table-body">{bar}'
            f"{notice('idle', 'No concept is like that.', NOTHING_LEFT)}</div>"
        )
    others = others[:MOST_MODELS]
    heads = "".join(_heads(entry, kind, asked, others, clusters(entry.bundle) is not None))
    readings = [other.reading(kind) for other in others]
    rows = "".join(_rows(entry, view, shown, list(zip(others, readings, strict=True))))
    below = (
        pager(asked.page, len(concepts), ROWS, "concepts", "Pages, below")
        if len(concepts) > ROWS
        else ""
    )
    return (
        f'<div class="table-body">{bar}'
        '<div class="wide-table" tabindex="0" role="region" aria-label="Concepts">'
        f'<table role="table"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>{below}</div>'
    )


def _heads(
    entry: Entry, kind: str, asked: ConceptsView, others: Sequence[Entry], clustered: bool
) -> list[str]:
    confidence = f"{entry.confidence:.4g}%"
    told = {
        "state": explained("state", "; ".join(f"{one}: {MEANING[one]}" for one in ORDER)),
        "delta": term(kind, f"{kind} δ"),
        "interval": term("selected", "interval", confidence=confidence),
        "q": term("q"),
        "support": term("support"),
        "drawn": explained("drawn", DRAWN),
    }
    heads = ['<th role="columnheader" scope="col" class="images">images</th>']
    for column, words in (
        ("concept", "concept"), ("label", "label"), ("state", told["state"]),
        ("delta", told["delta"]), ("interval", told["interval"]), ("drawn", told["drawn"]),
        ("q", told["q"]), ("support", told["support"]),
        *((("cluster", "cluster"),) if clustered else ()),
    ):  # fmt: skip
        heads.append(_head(column, words, asked.sort, column in SORTS))
    for other in others:
        sort = f"{SORT_OF_MODEL}{other.key}"
        heads.append(_head(sort, f"δ of {escape(other.title)}", asked.sort, True, "of-model"))
    return heads


def _head(column: str, words: str, sort: str, sorts: bool, kind: str = "") -> str:
    """A head; one that sorts says how the table is sorted and what a press brings."""
    here = sort.removeprefix("-") == column
    descends = here and sort.startswith("-")
    said = f' aria-sort="{"descending" if descends else "ascending"}"' if here else ""
    button = ""
    if sorts:
        wanted = column if not here else SORTS[0] if descends else f"-{column}"
        sign = "▾" if descends else "▴" if here else "↕"
        button = (
            f'<button type="button" data-sort="{escape(wanted)}" data-column="{escape(column)}" '
            f'aria-label="Sort by {escape(_spoken(column))}">{sign}</button>'
        )
    css = f' class="{kind}"' if kind else f' class="{column}"'
    return f'<th role="columnheader" scope="col"{css}{said}><span>{words}{button}</span></th>'


def _spoken(column: str) -> str:
    if column.startswith(SORT_OF_MODEL):
        return f"δ of {column.rpartition('/')[2]}"
    return SORT_WORDS[column]


def _rows(
    entry: Entry, view: View, concepts: list[int], others: list[tuple[Entry, ModelDeltas]]
) -> list[str]:
    bundle, reading = entry.bundle, entry.reading(view.kind)
    tops = bundle.deltas(entry.model).select(["top_natural", "top_generated"]).take(concepts)
    natural, generated = (column.to_pylist() for column in tops.columns)
    found = clusters(bundle)
    return [
        _row(
            entry, view, reading, concept,
            _pictures(bundle, entry.model, natural[place], generated[place]),
            None if found is None else int(found[concept]),
            others,
        )
        for place, concept in enumerate(concepts)
    ]  # fmt: skip


def _row(
    entry: Entry,
    view: View,
    reading: ModelDeltas,
    concept: int,
    pictures: str,
    cluster: int | None,
    others: list[tuple[Entry, ModelDeltas]],
) -> str:
    bundle = entry.bundle
    delta = ends = drawn = NOT_JUDGED
    state = state_name(reading, concept)
    if reading.determined[concept]:
        delta = probability(float(reading.delta[concept]))
        low, high = float(reading.selected_low[concept]), float(reading.selected_high[concept])
        ends = interval(low, high)
        drawn = f"{times(float(fold(reading.r[concept])))} ×"
    cells = [
        ("images", "", pictures),
        ("concept", "", f"#{concept}"),
        ("label", "", _link(view, concept, bundle.labels[concept]) + named_by(bundle, concept)),
        ("state", "", f"{explained_mark(badge(reading, concept), MEANING[state])}"
         f"{verdict_of(entry, concept)}"),
        ("delta", f"{view.kind} δ", f"<b>{escape(delta)}</b>"),
        ("interval", "interval", f"{bare_track(reading, concept, selected=True)}"
         f"<small>{escape(ends)}</small>"),
        ("drawn", "drawn", drawn),
        ("q", "q", escape(q_value(float(reading.q[concept])))),
        ("support", "support", number(float(reading.support[concept]))),
    ]  # fmt: skip
    if cluster is not None:
        cells.append(("cluster", "cluster", NOT_JUDGED if cluster < 0 else str(cluster)))
    for other, theirs in others:
        cells.append(("of-model", f"δ of {other.title}", _of_model(theirs, concept)))
    inner = "".join(
        f'<td role="cell" class="{css}" data-name="{escape(words)}">{html}</td>'
        for css, words, html in cells
    )
    return f'<tr role="row" data-open="{concept}">{inner}</tr>'


def _link(view: View, concept: int, label: str) -> str:
    """The concept's card in Explore, by its address: it can be opened beside this page too."""
    address = escape(replace(view, tab="explore", concept=concept).link)
    words = escape(label) if label else "<i>no label</i>"
    return (
        f'<a href="{address}" data-open="{concept}" '
        f'aria-label="Open the card of {name(concept, label)}">{words}</a>'
    )


def _pictures(bundle: Bundle, model: str, natural: list[str], generated: list[str]) -> str:
    """The strongest image of either side in which the concept fires."""
    shown = [
        picture(bundle, source, images[0], alt=f"strongest {side} image")
        if images
        else f'<div class="picture missing" title="in no {side} image"><span>in none</span></div>'
        for source, side, images in ((NATURAL, "natural", natural), (model, "generated", generated))
    ]
    return f'<span class="both">{"".join(shown)}</span>'


def _of_model(reading: ModelDeltas, concept: int) -> str:
    if not reading.determined[concept]:
        return NOT_JUDGED
    low, high = float(reading.selected_low[concept]), float(reading.selected_high[concept])
    state = state_name(reading, concept)
    delta = escape(probability(float(reading.delta[concept])))
    shown = f'<span class="is-{state}">{SIGNS.get(state, "")} {delta}</span>'
    return (
        f"{explained_mark(shown, f'{state}: {MEANING[state]}')}"
        f"<small>{escape(interval(low, high))}</small>"
    )
