"""The two rankings: what the model suppresses and what it exaggerates, and both as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import SIGNS, times
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count, interval, number, term
from blindspots_hub.explorer.page.marks import NOT_JUDGED, bare_track, delta_words, state_name
from blindspots_hub.measure.delta import fold

ROWS = 12
"""Rows of a ranking at first: few, so that another model or δ arrives at once."""

MORE_ROWS = 300
"""Rows of a ranking for whoever asks for more; the CSV has all."""

SIDES = {"suppressed": "Most suppressed", "exaggerated": "Most exaggerated"}

CSV_COLUMNS = (
    "rank", "concept", "label", "state", "certain", "fold", "delta", "delta_low", "delta_high",
    "delta_selected_low", "delta_selected_high", "q", "support", "images_natural",
    "images_generated", "energy_natural", "energy_generated",
)  # fmt: skip


def rankings(entry: Entry, kind: str, show: str, limit: int = ROWS) -> str:
    """Both rankings as HTML; `show` = "certain" leaves only the certain blindspots."""
    certain_only = show == "certain"
    both = "".join(_ranking(entry, kind, side, certain_only, limit) for side in SIDES)
    return f'<div class="rankings">{both}</div>'


def table(entry: Entry, kind: str, concepts: Sequence[int]) -> str:
    """`concepts` in their order as a table whose rows open them."""
    return _table(_rows(entry, kind, concepts))


def _ranking(entry: Entry, kind: str, side: str, certain_only: bool, limit: int) -> str:
    reading = entry.reading(kind)
    ranked = reading.ranking(side, certain_only)
    shown = ranked[:limit].tolist()
    rows = _rows(entry, kind, shown)
    if not (reading.state[shown] == CODE[side]).any():
        rows.insert(0, _note(nothing_found(entry, kind, side, certain_only)))
    more = f"first {limit} of {count(len(ranked))}" if len(ranked) > limit else ""
    if more and limit < MORE_ROWS:
        more += ' <button type="button" class="quiet" data-more>show more</button>'
    export = (
        f'<button type="button" data-csv="{side}" title="All {count(len(ranked))} rows as a table">'
        "CSV</button>"
        if len(ranked)
        else ""
    )
    return (
        f'<section class="ranking"><header><h3 class="is-{side}">{SIGNS[side]} {SIDES[side]}</h3>'
        f"<span>{more}</span>{export}</header>{_table(rows)}</section>"
    )


def _table(rows: list[str]) -> str:
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr><th>#</th><th>label</th><th>drawn</th>'
        f"<th>{term('selected', 'interval')}</th><th>state</th>"
        '<th title="Natural / generated images in which it fires">seen</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _note(text: str) -> str:
    return f'<tr class="note"><td colspan="6">{escape(text)}</td></tr>'


def _rows(entry: Entry, kind: str, concepts: Sequence[int]) -> list[str]:
    labels = entry.bundle.labels
    reading = entry.reading(kind)
    return [_row(reading, k, labels[k]) for k in concepts]


def _row(reading: ModelDeltas, concept: int, label: str) -> str:
    state = state_name(reading, concept)
    sure = "certain" if reading.certain[concept] else state
    ends, drawn = NOT_JUDGED, NOT_JUDGED
    if reading.determined[concept]:
        low, high = reading.selected_low[concept], reading.selected_high[concept]
        ends = f"δ {delta_words(reading, concept)}, picked {interval(float(low), float(high))}"
        drawn = f"{times(float(fold(reading.r[concept])))} ×"
    return (
        f'<tr data-open="{concept}" tabindex="0"><td>{concept}<td>{escape(label)}'
        f"<td>{drawn}"
        f'<td title="{escape(ends)}">{bare_track(reading, concept, selected=True)}'
        f'<td class="is-{state}">{SIGNS.get(state, "")} {sure}'
        f"<td>{count(round(reading.images_natural[concept]))} / "
        f"{count(round(reading.images_generated[concept]))}</tr>"
    )


def nothing_found(entry: Entry, kind: str, side: str, certain_only: bool) -> str:
    """What a ranking without a blindspot says: how many were judged, and what would show more."""
    reading = entry.reading(kind)
    sure = "certain " if certain_only else ""
    width = reading.half_width
    if not np.isfinite(width):
        return (
            f"No concept can be judged: {count(entry.pairs)} pairs show none of them often enough. "
            "Evaluate more pairs."
        )
    more = next(n for n in (200, 1_000, 5_000, 10_000, 50_000, 10**9) if n >= 2 * entry.pairs)
    what = "relative gap" if kind == "relative" else "energy gap"
    return (
        f"None of the {count(int(reading.determined.sum()))} judged concepts is {sure}{side}: "
        f"{count(entry.pairs)} pairs tell a typical {what} "
        f"to ±{number(width)}, {count(more)} would tell it to "
        f"±{number(width * float(np.sqrt(entry.pairs / more)))}."
    )


def csv_text(entry: Entry, kind: str, side: str, show: str) -> str:
    """One ranking in full as CSV, numbers unrounded."""
    reading = entry.reading(kind)
    labels = entry.bundle.labels
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for rank, concept in enumerate(reading.ranking(side, show == "certain"), start=1):
        writer.writerow(
            [
                rank,
                int(concept),
                _cell(labels[int(concept)]),
                state_name(reading, concept),
                bool(reading.certain[concept]),
                float(fold(reading.r[concept])),
                *(
                    float(part[concept])
                    for part in (
                        reading.delta,
                        reading.low,
                        reading.high,
                        reading.selected_low,
                        reading.selected_high,
                    )
                ),
                float(reading.q[concept]),
                float(reading.support[concept]),
                float(reading.images_natural[concept]),
                float(reading.images_generated[concept]),
                float(reading.energy_natural[concept]),
                float(reading.energy_generated[concept]),
            ]
        )
    return buffer.getvalue()


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
