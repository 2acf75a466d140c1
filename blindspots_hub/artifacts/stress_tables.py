"""Tables of stress tests: what is kept when a concept is tested again, or bundles become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS, TableSpec

Tables = Mapping[TableSpec, pa.Table]
"""STRESS_TESTS and STRESS_IMAGES."""

SPECS = (STRESS_TESTS, STRESS_IMAGES)


def joined(parts: Sequence[Tables]) -> dict[TableSpec, pa.Table]:
    """The tables of all `parts`; of two tests of one concept and model the last stays."""
    taken: set[tuple[int, str]] = set()
    kept: dict[TableSpec, list[pa.Table]] = {spec: [] for spec in SPECS}
    for part in reversed(parts):
        own = set(_keys(part[STRESS_TESTS])) - taken
        for spec in SPECS:
            mask = pa.array([key in own for key in _keys(part[spec])], pa.bool_())
            kept[spec].append(part[spec].select(list(spec.names)).filter(mask))
        taken |= own
    order = {STRESS_TESTS: ("concept", "model"), STRESS_IMAGES: ("concept", "model", "drawn_by")}
    return {
        spec: _sorted(pa.concat_tables([t.cast(spec.schema) for t in tables]), order[spec])
        for spec, tables in kept.items()
    }


def renamed(tables: Tables, called: Mapping[str, str]) -> dict[TableSpec, pa.Table]:
    """The tables with models under the names that another bundle has for them."""
    columns = ("model", "against", "drawn_by")
    found = {}
    for spec, table in tables.items():
        for name in set(columns) & set(table.column_names):
            names = [called.get(one, one) for one in table[name].to_pylist()]
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(names, pa.string()))
        found[spec] = table
    return found


def _keys(table: pa.Table) -> list[tuple[int, str]]:
    return list(zip(*(table[name].to_pylist() for name in ("concept", "model")), strict=True))


def _sorted(table: pa.Table, by: Iterable[str]) -> pa.Table:
    """Rows by these columns, ties in the order that they have, which `sort_by` does not promise."""
    rows = table.select(list(by)).to_pylist()
    order = sorted(range(len(rows)), key=lambda i: tuple(rows[i].values()))
    return table.take(pa.array(order, pa.int64())) if len(rows) else table


def images_of_test(path: Path, concept: int, model: str) -> list[dict[str, Any]]:
    """The rows of a file of STRESS_IMAGES that belong to one test, both models' images.

    Only row groups that may hold the concept are read.
    """
    asked = [("concept", "=", concept), ("model", "=", model)]
    table = pq.read_table(path, columns=list(STRESS_IMAGES.names), filters=asked)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
