"""The table of a finding: its first rows as HTML, and all of them for a file."""

from __future__ import annotations

from html import escape
from typing import Any

import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.explorer.page.format import count, number
from blindspots_hub.explorer.page.table_files import FORMATS

ROWS = 40
"""Rows on the page; a file has all."""

LISTED = 6
"""Values of a list in one cell."""


def table_html(analysis: Analysis, found: Finding) -> str:
    """The first rows with the meaning of every column under its name, as HTML."""
    columns = [column for column in analysis.columns if column.name in found.table]
    rows = len(next(iter(found.table.values()), ()))
    head = "".join(
        f'<th scope="col">{escape(column.name)}'
        f"<small>{escape(column.meaning)}{_unit(column.unit)}</small></th>"
        for column in columns
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(found.table[c.name][row])}</td>" for c in columns) + "</tr>"
        for row in range(min(rows, ROWS))
    )
    more = f"first {ROWS} of {count(rows)} rows" if rows > ROWS else f"{count(rows)} rows"
    saves = "".join(f'<button type="button" data-save="{name}">{name}</button>' for name in FORMATS)
    return (
        f'<div class="answer-table"><header><b>Table</b> <span>{more if rows != 1 else "1 row"}'
        f'</span>{saves}</header><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Table of {escape(analysis.title)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></div>"
    )


def file_table(analysis: Analysis, found: Finding, kind: str) -> pa.Table:
    """All rows as a file of that kind has them: lists are text in a CSV."""
    table = found.to_arrow(analysis.spec)
    if kind != "csv":
        return table
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            plain = [None if v is None else " ".join(map(str, v)) for v in table[i].to_pylist()]
            table = table.set_column(i, field.name, pa.array(plain, pa.string()))
    return table


def _unit(unit: str) -> str:
    return f" ({escape(unit)})" if unit else ""


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_cell(each) for each in value[:LISTED])
        return f"{shown}, … ({count(len(value))})" if len(value) > LISTED else shown or "none"
    if isinstance(value, int):
        return count(value)
    return number(float(value))
