"""Concepts of one model as a table to take away: CSV or parquet, numbers unrounded."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.measure.delta import STATES, fold

FORMATS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
"""Endings of files, and their media types."""


def concept_table(entry: Entry, kind: str, concepts: np.ndarray) -> pa.Table:
    """A row a concept, in their order; what is not judged has neither δ nor interval."""
    reading, labels = entry.reading(kind), entry.bundle.labels
    concepts = np.asarray(concepts, np.int64)
    judged = reading.determined[concepts]

    def judged_only(values: np.ndarray) -> pa.Array:
        return pa.array(values[concepts].astype(np.float64), mask=~judged)

    columns: dict[str, Any] = {
        "rank": np.arange(1, len(concepts) + 1),
        "concept": concepts,
        "label": pa.array([labels[k] for k in concepts], pa.string()),
        "state": pa.array([STATES[code] for code in reading.state[concepts]], pa.string()),
        "certain": reading.certain[concepts],
        "fold": judged_only(fold(reading.r)),
        "delta": judged_only(reading.delta),
        "delta_low": judged_only(reading.low),
        "delta_high": judged_only(reading.high),
        "delta_selected_low": judged_only(reading.selected_low),
        "delta_selected_high": judged_only(reading.selected_high),
        "q": reading.q[concepts],
        "support": reading.support[concepts],
        "images_natural": reading.images_natural[concepts],
        "images_generated": reading.images_generated[concepts],
        "energy_natural": reading.energy_natural[concepts],
        "energy_generated": reading.energy_generated[concepts],
    }
    return pa.table(columns)


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
        [_cell(text) for text in column.to_pylist()]
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


def _cell(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text and text[0] in ("=", "+", "-", "@", "\t", "\r") else text or ""
