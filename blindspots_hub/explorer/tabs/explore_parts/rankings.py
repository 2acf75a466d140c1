"""The two rankings: what the model suppresses and what it exaggerates."""

from __future__ import annotations

import numpy as np

from blindspots_hub.analysis.words import SIGNS
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.concept_rows import concept_rows, note, rows_table
from blindspots_hub.explorer.page.format import count, number
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.view import ROWS

SIDES = {"suppressed": "Most suppressed", "exaggerated": "Most exaggerated"}


def rankings(entry: Entry, kind: str, show: str, limit: int = ROWS[0]) -> str:
    """Both rankings as HTML; `show` = "certain" leaves only the certain blindspots."""
    certain_only = show == "certain"
    both = "".join(_ranking(entry, kind, side, certain_only, limit) for side in SIDES)
    return f'<div class="rankings">{both}</div>'


def _ranking(entry: Entry, kind: str, side: str, certain_only: bool, limit: int) -> str:
    reading = entry.reading(kind)
    ranked = reading.ranking(side, certain_only)
    shown = ranked[:limit].tolist()
    rows = concept_rows(entry, kind, shown)
    if not len(reading.blindspots(side, certain_only)):
        rows.insert(0, note(nothing_found(entry, kind, side, certain_only)))
    told = f"{min(limit, len(ranked))} of {count(len(ranked))}" if len(ranked) else ""
    export = "".join(
        f'<button type="button" data-file="{ending}" data-side="{side}" '
        f'title="All {count(len(ranked))} rows as a table">{ending.upper()}</button>'
        for ending in (FORMATS if len(ranked) else ())
    )
    return (
        f'<section class="ranking"><header><h3 class="is-{side}">{SIGNS[side]} {SIDES[side]}</h3>'
        f"<span>{told}</span>{_row_choice(limit, len(ranked))}{export}</header>"
        f"{rows_table(rows)}</section>"
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
    what = "relative gap" if kind == "relative" else "energy gap"
    return (
        f"None of the {count(int(reading.determined.sum()))} judged concepts is {sure}{side}: "
        f"{count(entry.pairs)} pairs tell a typical {what} to ±{number(width)}, four times as many "
        f"({count(_round(4 * entry.pairs))}) would tell it to ±{number(width / 2)}."
    )


def _round(n: int) -> int:
    """`n` in two digits."""
    size = 10 ** max(len(str(n)) - 2, 0)
    return round(n / size) * size
