"""Pictures of a table, read when they are asked for: keys once, images a row group at a time.

A table may lie in several files: its shards, in their order.
"""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blindspots_hub.errors import BlindspotsError

KEPT_BYTES = 24 * 1024**2
"""Bytes of rows that stay in memory where nothing can be kept on the disk."""

KEPT_IN_ORDER = 128 * 1024**2
"""The same where a table is gone through: two row groups, as threads are at their border."""

LARGEST_GROUP = 64 * 1024**2
"""Bytes beyond which a row group is read some rows at a time; bundles of earlier versions hold
all their images in one."""

MOST_UNPACKED = 256 * 1024**2
"""Bytes of the pictures of one such row group; what bundles have lies far below."""

ROWS_AT_ONCE = 256


class PictureTable:
    """The column `image` of a parquet table, by the values of the columns `keys`.

    Opening reads the keys only. A row group is unpacked once: its pictures go to a temporary file,
    from where each is read by itself. Several threads may ask at once. A picture of more than
    `largest` bytes is a `BlindspotsError`. Without `spool` nothing is written, and the row groups
    asked for last stay in memory, of `kept` bytes: for who goes through a table in its order.
    """

    def __init__(
        self,
        paths: Path | Sequence[Path],
        keys: tuple[str, ...],
        largest: int,
        captions: str | None = None,
        spool: bool = True,
        kept: int | None = None,
    ) -> None:
        self._paths = [paths] if isinstance(paths, Path) else list(paths)
        self._names, self._caption_column = keys, captions
        self._largest = largest
        self._spools = spool
        self._most_kept = kept or (KEPT_BYTES if spool else KEPT_IN_ORDER)
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], pa.Array] = OrderedDict()
        self._spool: IO[bytes] | None = None
        self._spooled: dict[int, list[int]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def has_image(self, *key: Hashable) -> bool:
        """Whether the row of a key holds a picture; none is read."""
        row = self._rows.get(key)
        return row is not None and bool(self._filled[row])

    def at_hand(self, *key: Hashable) -> bool:
        """Whether there is such a row, and `image` answers at once: its group was unpacked."""
        row = self._rows.get(key) if "_rows" in self.__dict__ else None
        return row is not None and bisect_right(self._starts, row) - 1 in self._spooled

    def image(self, *key: Hashable) -> bytes | None:
        """The file of one picture; None where the table has none."""
        row = self._rows.get(key)
        if row is None:
            return None
        group = bisect_right(self._starts, row) - 1
        if self._spools and self._size(group) <= LARGEST_GROUP:
            with suppress(OSError):  # no room on the disk
                return self._from_spool(group, row - self._starts[group])
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
    def _files(self) -> list[pq.ParquetFile]:
        return [pq.ParquetFile(path, read_dictionary=["image.bytes"]) for path in self._paths]

    @cached_property
    def _groups(self) -> list[tuple[pq.ParquetFile, int]]:
        """Every row group of the table: its file, and its number there."""
        return [(file, group) for file in self._files for group in range(file.num_row_groups)]

    def _size(self, group: int) -> int:
        file, number = self._groups[group]
        return int(file.metadata.row_group(number).total_byte_size)

    @cached_property
    def _starts(self) -> list[int]:
        """First row of every row group, and the number of rows at the end."""
        starts = [0]
        for file, group in self._groups:
            starts.append(starts[-1] + file.metadata.row_group(group).num_rows)
        return starts

    def _columns(self, names: list[str]) -> pa.Table:
        """Some columns, none with an image's bytes, of the whole table."""
        return pa.concat_tables(
            [file.read(columns=names, use_threads=False) for file in self._files]
        )

    @cached_property
    def _rows(self) -> dict[tuple[Hashable, ...], int]:
        columns = [_values(*self._words[name]) for name in self._names]
        return {key: row for row, key in enumerate(zip(*columns, strict=True))}

    @cached_property
    def _filled(self) -> np.ndarray:
        """bool: which rows hold a picture, by the names of its files."""
        paths = self._columns(["image.path"])["image"]
        return np.asarray(paths.is_valid().to_numpy())

    @cached_property
    def _captions(self) -> tuple[list[str], np.ndarray] | None:
        return None if self._caption_column is None else self._words[self._caption_column]

    @cached_property
    def _words(self) -> dict[str, tuple[list[Any], np.ndarray]]:
        """Distinct values of keys and captions, and which one stands in each row."""
        names = [*self._names, *filter(None, [self._caption_column])]
        table = self._columns(names)
        return {name: _encoded(table[name]) for name in names}

    def _from_spool(self, group: int, place: int) -> bytes | None:
        """A picture by its place in a row group, which is unpacked when it is first asked for."""
        if self._spool is not None and group in self._spooled:
            return self._lying(group, place)
        with self._lock:
            if self._spool is None:
                self._spool = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115 - as long as this lives
                weakref.finalize(self, self._spool.close)
            if group not in self._spooled:
                self._spooled[group] = self._unpacked(group, self._spool)
                pa.default_memory_pool().release_unused()
        return self._lying(group, place)

    def _lying(self, group: int, place: int) -> bytes | None:
        """A picture of a row group that was unpacked: what was written is never changed."""
        assert self._spool is not None
        start, end = self._spooled[group][place : place + 2]
        return os.pread(self._spool.fileno(), end - start, start) if end > start else None

    def _unpacked(self, group: int, spool: IO[bytes]) -> list[int]:
        """Write the pictures of a row group to the end of `spool`; where each begins and ends.

        They are read as a dictionary: a picture that is written once and repeated in many rows
        would be many in memory.
        """
        ends = [spool.seek(0, os.SEEK_END)]
        file, number = self._groups[group]
        for batch in file.iter_batches(
            ROWS_AT_ONCE, row_groups=[number], columns=["image"], use_threads=False
        ):
            files = batch.column(0).field("bytes")
            sizes = pc.fill_null(pc.binary_length(files.dictionary), 0)
            if (pc.max(sizes).as_py() or 0) > self._largest:
                raise BlindspotsError(
                    f"{self._paths[0]} has an image of more than {self._largest:,} bytes: fetch "
                    "the bundle again, or ask who made it."
                )
            kept = files.dictionary.to_pylist()
            for index in files.indices.to_pylist():
                content = b"" if index is None else kept[index]
                ends.append(ends[-1] + len(content))
                if ends[-1] - ends[0] > MOST_UNPACKED:
                    raise BlindspotsError(
                        f"{self._paths[0]} repeats its images until they are more than "
                        f"{MOST_UNPACKED:,} bytes: fetch the bundle again, or ask who made it."
                    )
                if spool.write(content) != len(content):
                    raise OSError(errno.ENOSPC, "no room for pictures")
        return ends

    def _cells(self, row: int) -> tuple[pa.Array, int]:
        """The cells of some rows with `row` among them, and the number of the first."""
        group = bisect_right(self._starts, row) - 1
        start = self._starts[group]
        file, own = self._groups[group]
        if self._size(group) <= LARGEST_GROUP:
            key = (group, 0)
            if key not in self._kept:
                found = file.read_row_group(own, columns=["image"], use_threads=False)
                self._keep(key, found["image"].combine_chunks())
            self._kept.move_to_end(key)
            return self._kept[key], start
        number, first = (row - start) // ROWS_AT_ONCE, start
        key = (group, number)
        if key not in self._kept:
            batches = file.iter_batches(
                ROWS_AT_ONCE, row_groups=[own], columns=["image"], use_threads=False
            )
            for _ in range(number):
                next(batches)
            self._keep(key, next(batches).column(0))
        self._kept.move_to_end(key)
        return self._kept[key], first + number * ROWS_AT_ONCE

    @property
    def _held(self) -> int:
        return sum(cells.nbytes for cells in self._kept.values())

    def _keep(self, key: tuple[int, int], cells: pa.Array) -> None:
        self._kept[key] = cells
        while len(self._kept) > 1 and self._held > self._most_kept:
            self._kept.popitem(last=False)


def _encoded(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    whole = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False)


def _values(words: list[Any], index: np.ndarray) -> list[Hashable]:
    """A value a row; equal texts are one object, as keys repeat a model's name."""
    return [words[i] for i in index]
