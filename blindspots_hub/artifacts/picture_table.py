"""Pictures of a table, read when they are asked for: keys once, images a row group at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KEPT_BYTES = 24 * 1024**2
"""Bytes of row groups that stay in memory, of the latest that were looked at."""

LARGEST_GROUP = 64 * 1024**2
"""Bytes beyond which a row group is read some rows at a time; bundles of earlier versions hold
all their images in one."""

ROWS_AT_ONCE = 256


class PictureTable:
    """The column `image` of a parquet table, by the values of the columns `keys`.

    Opening reads the keys only. Several threads may ask at once.
    """

    def __init__(self, path: Path, keys: tuple[str, ...], captions: str | None = None) -> None:
        self._path, self._names, self._caption_column = path, keys, captions
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], pa.Array] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def image(self, *key: Hashable) -> bytes | None:
        """The file of one picture; None where the table has none."""
        row = self._rows.get(key)
        if row is None:
            return None
        with self._lock:
            cells, first = self._cells(row)
        cell = cells[row - first].as_py()
        return None if cell is None else cell["bytes"]

    def caption(self, *key: Hashable) -> str:
        """The caption in the same row; "" where the table has no such row."""
        row = self._rows.get(key)
        if row is None or self._captions is None:
            return ""
        words, index = self._captions
        return words[index[row]] or ""

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self._path)

    @cached_property
    def _starts(self) -> list[int]:
        """First row of every row group, and the number of rows at the end."""
        described, starts = self._file.metadata, [0]
        for group in range(described.num_row_groups):
            starts.append(starts[-1] + described.row_group(group).num_rows)
        return starts

    @cached_property
    def _rows(self) -> dict[tuple[Hashable, ...], int]:
        columns = [_values(*self._words[name]) for name in self._names]
        return {key: row for row, key in enumerate(zip(*columns, strict=True))}

    @cached_property
    def _captions(self) -> tuple[list[str], np.ndarray] | None:
        return None if self._caption_column is None else self._words[self._caption_column]

    @cached_property
    def _words(self) -> dict[str, tuple[list[Any], np.ndarray]]:
        """Distinct values of keys and captions, and which one stands in each row."""
        names = [*self._names, *filter(None, [self._caption_column])]
        table = self._file.read(columns=names, use_threads=False)
        return {name: _encoded(table[name]) for name in names}

    def _cells(self, row: int) -> tuple[pa.Array, int]:
        """The cells of some rows with `row` among them, and the number of the first."""
        group = next(g for g, end in enumerate(self._starts[1:]) if row < end)
        start = self._starts[group]
        size = self._file.metadata.row_group(group).total_byte_size
        if size <= LARGEST_GROUP:
            key = (group, 0)
            if key not in self._kept:
                found = self._file.read_row_group(group, columns=["image"], use_threads=False)
                self._keep(key, found["image"].combine_chunks())
            self._kept.move_to_end(key)
            return self._kept[key], start
        number, first = (row - start) // ROWS_AT_ONCE, start
        key = (group, number)
        if key not in self._kept:
            batches = self._file.iter_batches(
                ROWS_AT_ONCE, row_groups=[group], columns=["image"], use_threads=False
            )
            for _ in range(number):
                next(batches)
            self._keep(key, next(batches).column(0))
        self._kept.move_to_end(key)
        return self._kept[key], first + number * ROWS_AT_ONCE

    def _keep(self, key: tuple[int, int], cells: pa.Array) -> None:
        self._kept[key] = cells
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)


def _encoded(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    whole = column.combine_chunks().dictionary_encode()
    return whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False)


def _values(words: list[Any], index: np.ndarray) -> list[Hashable]:
    """A value a row; equal texts are one object, as keys repeat a model's name."""
    return [words[i] for i in index]
