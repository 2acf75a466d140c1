"""Counting for which numpy would need a sparse product, seven times as long."""

from __future__ import annotations

import numpy as np

from blindspots_hub.utils.compiled import compiled


@compiled
def fire_together(
    first: int,
    last: int,
    starts: np.ndarray,
    images: np.ndarray,
    indptr: np.ndarray,
    concepts: np.ndarray,
    least: int,
    index: np.ndarray,
    cosine: np.ndarray,
) -> None:
    """Companions of the concepts `first` to `last` (exclusive): those that share `least` images.

    The images of concept k are images[starts[k]:starts[k + 1]], the concepts of image i are
    concepts[indptr[i]:indptr[i + 1]]. Set are the first places of index and cosine (n, count), the
    highest cosine first, equal ones by the lower concept.
    """
    n, most = index.shape
    shared = np.zeros(n, np.int32)
    for concept in range(first, last):
        own = starts[concept + 1] - starts[concept]
        if own < least:
            continue
        for image in images[starts[concept] : starts[concept + 1]]:
            for other in concepts[indptr[image] : indptr[image + 1]]:
                shared[other] += 1
        shared[concept] = 0
        found = 0
        for other in range(n):
            if shared[other] < least:
                continue
            fires = np.int64(starts[other + 1] - starts[other])
            value = shared[other] / np.sqrt(np.float64(own * fires))
            place = found
            while place > 0 and cosine[concept, place - 1] < value:
                place -= 1
            if place < most:
                found = min(found + 1, most)
                for later in range(found - 1, place, -1):
                    index[concept, later] = index[concept, later - 1]
                    cosine[concept, later] = cosine[concept, later - 1]
                index[concept, place], cosine[concept, place] = other, value
        shared[:] = 0


BLOCK = 128
"""Values of a tile that are looked at together: in most of them none is among the largest."""


@compiled
def _any_reaches(values: np.ndarray, least: float) -> bool:
    """Whether one of `values` is at least so large; without a branch, so in vectors."""
    reached = np.int32(0)
    for place in range(len(values)):
        reached |= np.int32(values[place] >= least)
    return bool(reached)


@compiled
def _any_reaches_own(values: np.ndarray, least: np.ndarray) -> bool:
    """The same where every value has a bound of its own."""
    reached = np.int32(0)
    for place in range(len(values)):
        reached |= np.int32(values[place] >= least[place])
    return bool(reached)


@compiled
def keep_nearest(
    first: int, last: int, tile: np.ndarray, others: int, index: np.ndarray, cosine: np.ndarray
) -> None:
    """Put the largest values of rows `first` to `last` (exclusive) of a tile among those kept.

    tile (rows, m) float32 holds values of each row with the `m` things from number `others` on;
    index and cosine (rows, count) hold the largest so far, largest first, equal ones by the lower
    number.
    """
    count = index.shape[1]
    for row in range(first, last):
        least = cosine[row, count - 1]
        for start in range(0, tile.shape[1], BLOCK):
            some = tile[row, start : start + BLOCK]
            if not _any_reaches(some, least):
                continue
            for place in range(len(some)):
                if some[place] >= least:
                    _insert(index[row], cosine[row], others + start + place, some[place])
                    least = cosine[row, count - 1]


@compiled
def keep_nearest_of_columns(
    first: int, last: int, tile: np.ndarray, others: int, index: np.ndarray, cosine: np.ndarray
) -> None:
    """The same for columns `first` to `last` of a tile (m, columns); index, cosine (columns, …)."""
    count = index.shape[1]
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        least = cosine[begin:end, count - 1].copy()
        for row in range(tile.shape[0]):
            some = tile[row, begin:end]
            if not _any_reaches_own(some, least):
                continue
            for place in range(len(some)):
                if some[place] >= least[place]:
                    column = begin + place
                    _insert(index[column], cosine[column], others + row, some[place])
                    least[place] = cosine[column, count - 1]


@compiled
def _insert(index: np.ndarray, cosine: np.ndarray, number: int, value: float) -> None:
    """Give a value its place among the largest, unless it is smaller than all of them."""
    place = len(index)
    while place > 0 and (
        cosine[place - 1] < value or (cosine[place - 1] == value and index[place - 1] > number)
    ):
        place -= 1
    if place < len(index):
        for later in range(len(index) - 1, place, -1):
            index[later] = index[later - 1]
            cosine[later] = cosine[later - 1]
        index[place], cosine[place] = number, value
