"""Rows of parquet tables as they are in the world: text that is no UTF-8, text kept as bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_NO_TEXT = b"\xff"
"""Stands for a cell whose text is in no known encoding: no caption, no path and no image."""


def plain_rows(table: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as dictionaries; a cell whose text is no UTF-8 is a `bytes` that is none either."""
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows
    except UnicodeDecodeError:
        columns = zip(table.schema.names, table.columns, strict=True)
        cells = {name: [_cell(one) for one in column] for name, column in columns}
        return [{name: cells[name][row] for name in cells} for row in range(table.num_rows)]


def _cell(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return _NO_TEXT


def as_text(value: Any) -> Any:
    """A caption or address: text where it was kept as bytes of UTF-8, as some programs write it."""
    if isinstance(value, list):
        return [as_text(one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    return value
