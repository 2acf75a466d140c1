"""Pictures of a table, read when they are asked for, keys and images a row group at a time.

A table may lie in several files: its shards, in their order.
"""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blindspots_hub.artifacts.column_checks import Rule
from blindspots_hub.artifacts.parquet_bounds import Unreadable
from blindspots_hub.artifacts.picture_index import RowIndex
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

    Opening reads footers only, and of a row group its keys before its pictures. These go to a
    temporary file, once, from where each is read by itself. Several threads may ask at once.
    Without `spool` nothing is written, and the row groups asked for last stay in memory, of `kept`
    bytes: for who goes through a table in its order.

    Keys and captions are held against `rules`, and `sound` is called with a file before pictures
    or captions of it are given; a picture of more than `largest` bytes, or a table that is damaged,
    is a `BlindspotsError`.
    """

    def __init__(
        self,
        paths: Path | Sequence[Path],
        keys: tuple[str, ...],
        largest: int,
        captions: str | None = None,
        spool: bool = True,
        kept: int | None = None,
        rules: Mapping[str, Rule] = MappingProxyType({}),
        sound: Callable[[Path], object] | None = None,
    ) -> None:
        self._paths = [paths] if isinstance(paths, Path) else list(paths)
        self._names, self._caption_column, self._rules = keys, captions, rules
        self._largest, self._sound = largest, sound
        self._spools = spool
        self._most_kept = kept or (KEPT_BYTES if spool else KEPT_IN_ORDER)
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], pa.Array] = OrderedDict()
        self._spool: IO[bytes] | None = None
        self._spooled: dict[int, list[int]] = {}
        self._named: dict[int, np.ndarray] = {}

    def __contains__(self, key: tuple[Hashable, ...]) -> bool:
        return self._find(key) is not None

    def has_image(self, *key: Hashable) -> bool:
        """Whether the row of a key holds a picture; none is read."""
        found = self._find(key)
        return found is not None and bool(self._filled(found[0])[found[1]])

    def at_hand(self, *key: Hashable) -> bool:
        """Whether there is such a row, and `image` answers at once: its group was unpacked."""
        return "_index" in self.__dict__ and self._index.known(key) in self._spooled

    def image(self, *key: Hashable) -> bytes | None:
        """The file of one picture; None where the table has none."""
        found = self._find(key)
        if found is None:
            return None
        group, place = found
        self._vouch(group)
        if self._spools and self._size(group) <= LARGEST_GROUP:
            with suppress(OSError):  # no room on the disk
                return self._from_spool(group, place)
        with self._lock:
            cells, first = self._cells(group, place)
        cell = cells[place - first].as_py()
        return None if cell is None else cell["bytes"]

    def caption(self, *key: Hashable) -> str:
        """The caption in the same row; "" where the table has no such row."""
        found = self._find(key)
        if found is None or self._caption_column is None:
            return ""
        self._vouch(found[0])
        return self._index.rows(found[0]).captions[found[1]] or ""

    def _find(self, key: tuple[Hashable, ...]) -> tuple[int, int] | None:
        """Group of a row, and its place there; None where there is no such row."""
        try:
            return self._index.find(key)
        except Unreadable as error:
            raise BlindspotsError(
                f"{self._paths[0]} is damaged ({error}): fetch the bundle again."
            ) from error

    def _vouch(self, group: int) -> None:
        """Have the file of a group looked at before anything of it is given."""
        if self._sound is not None:
            self._sound(self._paths[self._file_of[group]])

    @cached_property
    def _files(self) -> list[pq.ParquetFile]:
        named = [*self._names, *filter(None, [self._caption_column])]
        files = []
        for path in self._paths:
            schema = pq.read_schema(path)
            texts = [name for name in named if pa.types.is_string(schema.field(name).type)]
            files.append(pq.ParquetFile(path, read_dictionary=[*texts, "image.bytes"]))
        return files

    @cached_property
    def _groups(self) -> list[tuple[pq.ParquetFile, int]]:
        """Every row group of the table: its file, and its number there."""
        return [(file, group) for file in self._files for group in range(file.num_row_groups)]

    @cached_property
    def _file_of(self) -> list[int]:
        """The number of the file of every row group."""
        return [n for n, file in enumerate(self._files) for _ in range(file.num_row_groups)]

    @cached_property
    def _index(self) -> RowIndex:
        return RowIndex(self._groups, self._names, self._caption_column, self._rules)

    def _size(self, group: int) -> int:
        file, number = self._groups[group]
        return int(file.metadata.row_group(number).total_byte_size)

    def _filled(self, group: int) -> np.ndarray:
        """bool: which rows of a group hold a picture, by the names of its files."""
        if group not in self._named:
            file, number = self._groups[group]
            with self._lock:
                paths = file.read_row_group(number, columns=["image.path"], use_threads=False)
            cells = pa.chunked_array([one.field("path") for one in paths["image"].chunks])
            self._named[group] = np.asarray(cells.is_valid().to_numpy())
        return self._named[group]

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

    def _cells(self, group: int, place: int) -> tuple[pa.Array, int]:
        """The cells of some rows of a group with `place` among them, and the place of the first."""
        file, own = self._groups[group]
        if self._size(group) <= LARGEST_GROUP:
            key = (group, 0)
            if key not in self._kept:
                found = file.read_row_group(own, columns=["image"], use_threads=False)
                self._keep(key, found["image"].combine_chunks())
            self._kept.move_to_end(key)
            return self._kept[key], 0
        number = place // ROWS_AT_ONCE
        key = (group, number)
        if key not in self._kept:
            batches = file.iter_batches(
                ROWS_AT_ONCE, row_groups=[own], columns=["image"], use_threads=False
            )
            for _ in range(number):
                next(batches)
            self._keep(key, next(batches).column(0))
        self._kept.move_to_end(key)
        return self._kept[key], number * ROWS_AT_ONCE

    @property
    def _held(self) -> int:
        return sum(cells.nbytes for cells in self._kept.values())

    def _keep(self, key: tuple[int, int], cells: pa.Array) -> None:
        self._kept[key] = cells
        while len(self._kept) > 1 and self._held > self._most_kept:
            self._kept.popitem(last=False)
