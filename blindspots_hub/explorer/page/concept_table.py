"""Concepts of one model as a table to take away, numbers unrounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.measure.delta import STATES, fold


def concept_table(entry: Entry, kind: str, concepts: np.ndarray) -> pa.Table:
    """A row a concept, in their order; what is not judged has neither δ nor interval."""
    reading, labels = entry.reading(kind), entry.bundle.labels
    givers = entry.bundle.label_givers
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
        "named_by": pa.array([givers[k] for k in concepts], pa.string()),
    }
    return pa.table(columns)
