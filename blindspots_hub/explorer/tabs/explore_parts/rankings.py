"""The two rankings: what the model suppresses and what it exaggerates."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import SIGNS, times
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import (
    DRAWN,
    count,
    explained,
    explained_mark,
    interval,
    number,
    term,
)
from blindspots_hub.explorer.page.marks import NOT_JUDGED, bare_track, delta_words, state_name
from blindspots_hub.explorer.page.pictures import thumbnail_url
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.view import ROWS
from blindspots_hub.measure.delta import fold

SIDES = {"suppressed": "Most suppressed", "exaggerated": "Most exaggerated"}


def rankings(entry: Entry, kind: str, show: str, limit: int = ROWS[0]) -> str:
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
    told = f"{min(limit, len(ranked))} of {count(len(ranked))}" if len(ranked) else ""
    export = "".join(
        f'<button type="button" data-file="{ending}" data-side="{side}" '
        f'title="All {count(len(ranked))} rows as a table">{ending.upper()}</button>'
        for ending in (FORMATS if len(ranked) else ())
    )
    return (
        f'<section class="ranking"><header><h3 class="is-{side}">{SIGNS[side]} {SIDES[side]}</h3>'
        f"<span>{told}</span>{_row_choice(limit, len(ranked))}{export}</header>"
        f"{_table(rows)}</section>"
    )


def _row_choice(limit: int, there: int) -> str:
    """The numbers of rows that can be asked for; none where all are shown at the least."""
    if there <= ROWS[0]:
        return ""
    buttons = "".join(
        f'<button type="button" data-rows="{rows}" aria-pressed="{str(rows == limit).lower()}">'
        f"{rows}</button>"
        for before, rows in zip((0, *ROWS), ROWS, strict=False)
        if before < there
    )
    return f'<span class="rows" role="group" aria-label="Rows shown">{buttons}</span>'


def _table(rows: list[str]) -> str:
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr>'
        f"<th>{explained('images', 'Strongest natural image, strongest generated image')}</th>"
        f"<th>concept</th><th>{explained('drawn', DRAWN)}</th>"
        f"<th>{term('selected', 'interval')}</th><th>state</th>"
        f"<th>{explained('seen', 'Natural / generated images in which it fires')}</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _note(text: str) -> str:
    return f'<tr class="note"><td colspan="6">{escape(text)}</td></tr>'


def _rows(entry: Entry, kind: str, concepts: Sequence[int]) -> list[str]:
    labels = entry.bundle.labels
    reading = entry.reading(kind)
    return [_row(entry, reading, k, labels[k]) for k in concepts]


def _row(entry: Entry, reading: ModelDeltas, concept: int, label: str) -> str:
    state = state_name(reading, concept)
    sure = "certain" if reading.certain[concept] else state
    ends, drawn = NOT_JUDGED, NOT_JUDGED
    if reading.determined[concept]:
        low, high = reading.selected_low[concept], reading.selected_high[concept]
        ends = f"δ {delta_words(reading, concept)}, picked {interval(float(low), float(high))}"
        drawn = f"{times(float(fold(reading.r[concept])))} ×"
    return (
        f'<tr data-open="{concept}" tabindex="0"><td>{_pictures(entry, concept)}'
        f'<td><b class="sign is-{state}" aria-hidden="true">{SIGNS.get(state, "")}</b>'
        f"<small>#{concept}</small> {escape(label)}"
        f"<td>{drawn}"
        f"<td>{explained_mark(bare_track(reading, concept, selected=True), ends, drawing=True)}"
        f'<td class="is-{state}">{SIGNS.get(state, "")} {sure}'
        f"<td>{count(round(reading.images_natural[concept]))} / "
        f"{count(round(reading.images_generated[concept]))}</tr>"
    )


def _pictures(entry: Entry, concept: int) -> str:
    """The strongest natural and the strongest generated image, small; a gap where there is none."""
    row = entry.bundle.deltas(entry.model).slice(concept, 1)
    cells = []
    for source, column in ((NATURAL, "top_natural"), (entry.model, "top_generated")):
        tops = row[column][0].as_py()
        image = next((one for one in tops if entry.bundle.has_thumbnail(source, one)), None)
        side = "natural" if source == NATURAL else "generated"
        cells.append(
            f'<i class="gap" title="no {side} image"></i>'
            if image is None
            else f'<img alt="{side} image of #{concept}" loading="lazy" '
            f'src="{escape(thumbnail_url(entry.bundle, source, image))}">'
        )
    return f'<span class="two">{"".join(cells)}</span>'


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
