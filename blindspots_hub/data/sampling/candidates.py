"""Rows of a table in an order that a seed fixes, read by row group and column as they are needed.

Files are visited in a seeded order, one row group of each in turn, `ROWS` seeded rows of a row
group at a visit: so few rows of many places are read, whatever the table's size, and the same rows
come first on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blindspots_hub.data.parquet_rows import as_text
from blindspots_hub.data.sampling.columns import Columns
from blindspots_hub.data.sampling.tables import Tables

ROWS = 256
"""Rows of a row group that are taken at a visit."""


@dataclass(frozen=True)
class Candidate:
    """A row: its place in the seeded order, where it stands, and what it says."""

    place: int
    key: str
    url: object
    caption: object
    unsafe: bool = False
    recorded: dict[str, Any] = field(default_factory=dict)


def candidates(tables: Tables, columns: Columns, seed: int, start: int = 0) -> Iterator[Candidate]:
    """Every row of `tables` once, in the order of `seed`, from place `start` on."""
    place = 0
    for file, group, rows in _visits(tables, seed):
        if place + len(rows) <= start:
            place += len(rows)
            continue
        read = tables.rows(file, group, columns.read, rows)
        for row, cells in zip(rows, read, strict=True):
            if place >= start:
                recorded = {name: cells.get(spelt) for name, spelt in columns.recorded.items()}
                yield Candidate(
                    place,
                    f"{tables.files[file]}#{group}:{row}",
                    as_text(cells.get(columns.url)),
                    _caption(cells.get(columns.caption)),
                    columns.unsafe(cells),
                    recorded,
                )
            place += 1


def _caption(found: Any) -> Any:
    """A caption; of a list of them the first that has words."""
    told = as_text(found)
    if isinstance(told, list):
        return next((one for one in told if isinstance(one, str) and one.strip()), None)
    return told


def _visits(tables: Tables, seed: int) -> Iterator[tuple[int, int, Sequence[int]]]:
    """File, row group and rows of every visit."""
    files = sorted(range(len(tables.files)), key=lambda file: _rank(seed, tables.files[file]))
    orders: dict[int, list[int]] = {}
    turn, any_left = 0, True
    while any_left:
        any_left = False
        for file in files:
            sizes = tables.group_sizes(file)
            if file not in orders:
                orders[file] = _by_rank(seed, tables.files[file], len(sizes))
            if not sizes:
                continue
            visit, group = turn // len(sizes), orders[file][turn % len(sizes)]
            if visit * ROWS < max(sizes):
                any_left = True
            rows = _rows(seed, f"{tables.files[file]}#{group}", sizes[group])
            taken = rows[visit * ROWS : (visit + 1) * ROWS]
            if len(taken):
                yield file, group, [int(row) for row in taken]
        turn += 1


def _by_rank(seed: int, name: str, groups: int) -> list[int]:
    return sorted(range(groups), key=lambda group: _rank(seed, f"{name}#{group}"))


def _rows(seed: int, name: str, size: int) -> np.ndarray:
    """All rows of a row group in a seeded order."""
    dice = np.random.Generator(np.random.PCG64(int.from_bytes(_rank(seed, name)[:8], "big")))
    return dice.permutation(size)


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"sample:{seed}:{name}".encode()).digest()
