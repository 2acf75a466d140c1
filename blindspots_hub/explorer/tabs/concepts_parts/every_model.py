"""Concepts of all models as one table in long form, to take away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.concept_table import concept_table

MOST_ROWS = 500_000
"""Rows of a file that a browser is sent."""


def every_model(entries: Sequence[Entry], kind: str, concepts: np.ndarray) -> pa.Table:
    """The rows of `concept_table` of every entry in turn, behind columns `bundle` and `model`.

    Raises `BlindspotsError` where a file would be too large for a browser.
    """
    rows = len(entries) * len(concepts)
    if rows > MOST_ROWS:
        raise BlindspotsError(
            f"{len(entries):,} models of {len(concepts):,} concepts are {rows:,} rows, and a page "
            f"gives out {MOST_ROWS:,}: filter the table first."
        )
    return pa.concat_tables([_of_model(entry, kind, concepts) for entry in entries])


def _of_model(entry: Entry, kind: str, concepts: np.ndarray) -> pa.Table:
    table = concept_table(entry, kind, concepts)
    for place, (name, value) in enumerate((("bundle", entry.bundle.name), ("model", entry.model))):
        table = table.add_column(place, name, pa.array([value] * len(table), pa.string()))
    return table
