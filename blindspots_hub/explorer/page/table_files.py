"""A table as a file that a browser saves: CSV or parquet."""

from __future__ import annotations

import base64
import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving.turns import Turns
from blindspots_hub.utils.spreadsheet import no_formula

FORMATS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
"""Endings of files, and their media types."""

FILES = Turns(2)
"""Tables that are made ready for a browser at once: of all models they are large."""


def as_file(table: pa.Table, name: str, ending: str) -> dict[str, str]:
    """A table as a file that a browser saves: its `name`, `type` and base64 `content`.

    An unknown format is a `BlindspotsError`.
    """
    if ending not in FORMATS:
        raise BlindspotsError(
            f"There is no table as {ending[:20]!r}: there is {', '.join(FORMATS)}."
        )
    content = csv_text(table).encode() if ending == "csv" else _parquet(table)
    return {
        "name": f"{name}.{ending}",
        "type": FORMATS[ending],
        "content": base64.b64encode(content).decode("ascii"),
    }


def csv_text(table: pa.Table) -> str:
    """A table as CSV; texts that a spreadsheet would take for formulas are none, null is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    columns = (
        [no_formula(text) for text in column.to_pylist()]
        if pa.types.is_string(column.type)
        else column.to_pylist()
        for column in table.columns
    )
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
