"""What a training step does on a CPU between its large products, in one pass each.

In fp32; other devices and number formats use the tensor formulas beside the calls, and tests hold
the two together. A row is worked on while it lies in the core's own cache, and by one thread, so
that results do not depend on how many there are.
"""

from __future__ import annotations

import math

import numpy as np

from blindspots_hub.utils.compiled import reordering


@reordering
def largest_codes(
    first: int,
    last: int,
    hidden: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: float,
    inverse_std: np.ndarray,
    concepts: np.ndarray,
    values: np.ndarray,
    normed: np.ndarray,
) -> None:
    """The largest codes of the tokens `first` to `last` (exclusive), largest first.

    hidden (T, n) float32, centred over the concepts; gain, shift (n,): LayerNorm's. Set are
    inverse_std (T,) and, of every token, its k = concepts.shape[1] largest positive codes, equal
    ones by the lower concept: concepts (T, k) int64, -1 where there are fewer; values (T, k), and
    normed (T, k), what the gain multiplies.
    """
    n, k = hidden.shape[1], concepts.shape[1]
    block = 128
    codes = np.empty(block, np.float32)
    bits = codes.view(np.int32)  # positive numbers are ordered as their bits are
    one = np.empty(1, np.float32)
    one_bits = one.view(np.int32)
    for token in range(first, last):
        row = hidden[token]
        squares = np.float32(0)
        for i in range(n):
            squares += row[i] * row[i]
        scale = np.float32(1 / math.sqrt(squares / n + eps))
        inverse_std[token] = scale
        found = 0
        least = np.int32(0)
        for start in range(0, n, block):
            size = min(block, n - start)
            largest = np.int32(0)
            own = row[start : start + size]
            own_gain, own_shift = gain[start : start + size], shift[start : start + size]
            for i in range(len(own)):
                codes[i] = own[i] * scale * own_gain[i] + own_shift[i]
            for i in range(len(own)):
                largest = bits[i] if bits[i] > largest else largest
            if largest <= least:
                continue
            for i in range(size):
                if bits[i] <= least or not codes[i] > 0:  # what is no number is no code
                    continue
                value = codes[i]
                place = found
                while place > 0 and values[token, place - 1] < value:
                    place -= 1
                found = min(found + 1, k)
                for later in range(found - 1, place, -1):
                    concepts[token, later] = concepts[token, later - 1]
                    values[token, later] = values[token, later - 1]
                concepts[token, place], values[token, place] = start + i, value
                if found == k:
                    one[0] = values[token, k - 1]
                    least = one_bits[0]
        for place in range(found):
            normed[token, place] = row[concepts[token, place]] * scale
        for place in range(found, k):
            concepts[token, place] = -1


@reordering
def project_rows(
    first: int,
    last: int,
    weights: np.ndarray,
    concepts: np.ndarray,
    floor: float,
    shares: np.ndarray,
) -> None:
    """Rows `concepts[first:last]` of A without what is negative, divided by their sum + `floor`.

    Set in weights (n, n') and in shares (c, n'), both float32. A row whose sum is below `floor`
    starts again at its own centroid.
    """
    width = weights.shape[1]
    zero = np.float32(0)
    for place in range(first, last):
        row, out = weights[concepts[place]], shares[place]
        total = zero
        for i in range(width):
            total += row[i] if row[i] > zero else zero
        if total + np.float32(floor) < np.float32(2 * floor):
            row[:] = zero
            row[concepts[place] % width] = 1
            out[:] = row
            continue
        total += np.float32(floor)
        for i in range(width):
            share = (row[i] if row[i] > zero else zero) / total
            row[i], out[i] = share, share


@reordering
def bound_rows(
    first: int,
    last: int,
    relax: np.ndarray,
    concepts: np.ndarray,
    longest: float,
    offsets: np.ndarray,
) -> None:
    """Rows `concepts[first:last]` of Λ, those longer than `longest` shortened to that length.

    Set in relax (n, d) and in offsets (c, d), both float32.
    """
    width = relax.shape[1]
    for place in range(first, last):
        row, out = relax[concepts[place]], offsets[place]
        squares = np.float32(0)
        for i in range(width):
            squares += row[i] * row[i]
        length = max(math.sqrt(squares), 1e-12)
        factor = np.float32(min(longest / length, 1.0))
        for i in range(width):
            bounded = row[i] * factor
            row[i], out[i] = bounded, bounded


@reordering
def row_dots(first: int, last: int, left: np.ndarray, right: np.ndarray, dots: np.ndarray) -> None:
    """dots_j = left_j · right_j of the rows from `first` to `last` (exclusive), float32."""
    for place in range(first, last):
        one, other = left[place], right[place]
        total = np.float32(0)
        for i in range(len(one)):
            total += one[i] * other[i]
        dots[place] = total
