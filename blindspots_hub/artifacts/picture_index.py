"""Where the rows of a table of pictures lie: found by what row groups say of themselves.

Of a table of a million thumbnails a page shows some twenty at once. So no list of all rows is made:
the footers tell between which keys each row group lies, and the keys of one are read when a picture
may be among them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.artifacts.column_checks import Rule, column_faults
from blindspots_hub.artifacts.parquet_bounds import Unreadable

GROUPS_KEPT = 1_024
"""Row groups whose keys stay in memory: of 256 rows each some 60 MB."""

Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Rows:
    """What is known of the rows of one group: their places by key, and their captions."""

    places: Mapping[Key, int]
    captions: Sequence[str | None]


class RowIndex:
    """Rows by the values of the columns `keys`, in row groups given as (file, number there).

    `captions` is a column that is read with the keys. What is read is held against `rules`;
    `find` raises `Unreadable` where it breaks them.
    """

    def __init__(
        self,
        groups: Sequence[tuple[pq.ParquetFile, int]],
        keys: tuple[str, ...],
        captions: str | None,
        rules: Mapping[str, Rule],
    ) -> None:
        self._groups, self._keys, self._captions, self._rules = groups, keys, captions, rules
        self._kept: OrderedDict[int, Rows] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Key) -> tuple[int, int] | None:
        """The group of a row and its place in it; None where there is none."""
        for group in self._candidates(key):
            place = self.rows(group).places.get(key)
            if place is not None:
                return group, place
        return None

    def known(self, key: Key) -> int | None:
        """The group of a row, where that was read before; nothing is read."""
        for group in self._candidates(key):
            rows = self._kept.get(group)
            if rows is None:
                return None
            if key in rows.places:
                return group
        return None

    def rows(self, group: int) -> Rows:
        """Keys and captions of a group."""
        found = self._kept.get(group)
        if found is not None:
            return found
        with self._lock:
            if group not in self._kept:
                self._kept[group] = self._read(group)
                while len(self._kept) > GROUPS_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[group]

    def _read(self, group: int) -> Rows:
        file, number = self._groups[group]
        names = [*self._keys, *filter(None, [self._captions])]
        try:
            table = file.read_row_group(number, columns=names, use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Unreadable("cannot be read") from error
        for name in names:
            rule = self._rules.get(name)
            for fault in () if rule is None else column_faults("", table[name], rule):
                raise Unreadable(f"column {name!r} {fault}")
        columns = {name: _values(table[name]) for name in names}
        keys = zip(*(columns[name] for name in self._keys), strict=True)
        captions = columns[self._captions] if self._captions else []
        return Rows({key: place for place, key in enumerate(keys)}, captions)

    def _candidates(self, key: Key) -> list[int]:
        """The groups that may hold a row, by what their footers say of its columns."""
        told = [(bounds, value) for bounds, value in zip(self._bounds, key, strict=True) if bounds]
        first, last = 0, len(self._groups)
        for bounds, value in told:
            if not isinstance(value, bounds.kind):
                return []
            if bounds.ascend:
                first = max(first, bisect_left(bounds.highest, value))
                last = min(last, bisect_right(bounds.lowest, value))
        return [
            group
            for group in range(first, last)
            if all(one.lowest[group] <= value <= one.highest[group] for one, value in told)
        ]

    @cached_property
    def _bounds(self) -> list[_Bounds | None]:
        return [_Bounds.of(self._groups, name) for name in self._keys]


@dataclass(frozen=True)
class _Bounds:
    """The least and the greatest value of a column in every row group.

    `ascend`: no group lies before the one in front of it.
    """

    kind: type
    lowest: list[Any]
    highest: list[Any]
    ascend: bool

    @classmethod
    def of(cls, groups: Sequence[tuple[pq.ParquetFile, int]], name: str) -> _Bounds | None:
        """None where a group does not tell."""
        lowest: list[Any] = []
        highest: list[Any] = []
        place: dict[int, int] = {}
        for file, number in groups:
            described = file.metadata
            if id(file) not in place:
                paths = [described.schema.column(i).path for i in range(described.num_columns)]
                place[id(file)] = paths.index(name)
            try:
                told = described.row_group(number).column(place[id(file)]).statistics
                if told is None or not told.has_min_max or told.null_count:
                    return None
                lowest.append(told.min)
                highest.append(told.max)
            except (pa.ArrowException, ValueError):
                return None
        kinds = {type(value) for value in (*lowest, *highest)}
        if len(kinds) != 1 or (kind := kinds.pop()) not in (str, int):
            return None
        ascend = all(a <= b for column in (lowest, highest) for a, b in pairwise(column))
        return cls(kind, lowest, highest, ascend)


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A value a row; equal texts are one object, as keys repeat a model's name."""
    if not pa.types.is_dictionary(column.type):
        values: list[Any] = column.to_pylist()
        return values
    found: list[Any] = []
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        found += [None if i is None else words[i] for i in chunk.indices.to_pylist()]
    return found
