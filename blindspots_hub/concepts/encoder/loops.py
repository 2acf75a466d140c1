"""What a CPU does to a product of tokens and concepts, and to single codes, in one pass each.

Bit for bit what the tensor formulas of `exact`, `screen` and `search` give, which GPUs use, but for
the norms of `to_bfloat16`, which only widen a bound: tests hold the two together. Tiles and rows
are numpy arrays; nothing here knows a tensor.
"""

from __future__ import annotations

import math

import numpy as np

from blindspots_hub.utils.compiled import compiled, reordering


@compiled
def _dot(left: np.ndarray, right: np.ndarray, products: np.ndarray) -> float:
    """Σ left · right in float64, in the order of `exact.fixed_sum`."""
    width = len(products)
    for i in range(width):
        products[i] = np.float64(left[i]) * np.float64(right[i])
    while width > 1:
        half = width // 2
        for i in range(half):
            products[i] += products[half + i]
        if width % 2:
            products[0] += products[2 * half]
        width = half
    return products[0]


@compiled
def dots(
    left: np.ndarray,
    left_rows: np.ndarray,
    right: np.ndarray,
    right_rows: np.ndarray,
    out: np.ndarray,
) -> None:
    """out_j = left[left_rows_j] · right[right_rows_j]."""
    products = np.empty(left.shape[1])
    for j in range(len(out)):
        out[j] = _dot(left[left_rows[j]], right[right_rows[j]], products)


@compiled
def to_integers(
    rows: np.ndarray,
    scale: np.ndarray,
    integers: np.ndarray,
    integer_bits: np.ndarray,
    exponents: np.ndarray,
    bits: int,
) -> None:
    """rows · scale ≈ integers · 2^exponents, the largest of each row below 2^`bits`.

    rows (m, width), scale (width,); set are integers (m, width) float64, of which `integer_bits` is
    the view as int64, and exponents (m,) float64.
    """
    width = rows.shape[1]
    to_nearest = 1.5 * 2.0**52  # added and taken away again, it leaves an integer, ties to even
    for row in range(len(rows)):
        for i in range(width):
            integers[row, i] = np.float64(rows[row, i]) * scale[i]
        largest = np.int64(0)  # positive numbers are ordered as their bits are
        for i in range(width):
            size = integer_bits[row, i] & np.int64(2**63 - 1)
            largest = size if size > largest else largest
        exponent = (largest >> 52) - 1022 if largest > 0 else 0
        exponents[row] = exponent - bits
        factor = math.ldexp(1.0, int(bits - exponent))
        for i in range(width):
            integers[row, i] = (integers[row, i] * factor + to_nearest) - to_nearest


@reordering
def to_bfloat16(
    tokens: np.ndarray,
    inverse: np.ndarray,
    rounded: np.ndarray,
    norms: np.ndarray,
    largest: np.ndarray,
) -> None:
    """Rows x = [tokens · inverse, inverse, 1] rounded to the nearest bfloat16, ties to even.

    tokens (T, d), inverse (T,) float32; set are the first d + 2 columns of `rounded` (T, …), the
    bits as int16, those below 2⁻¹²⁶ as zero; norms (3, T): ‖x‖, ‖x - rounded‖, ‖rounded‖, but for
    rounding; largest (T,): the bits of a token's largest entry, as int32.
    """
    d = tokens.shape[1]
    x, back = np.empty(d + 2, np.float32), np.empty(d + 2, np.float32)
    bits, back_bits = x.view(np.int32), back.view(np.int32)
    for row in range(len(tokens)):
        for i in range(d):
            x[i] = tokens[row, i]
        size = np.int32(0)
        for i in range(d):
            entry = bits[i] & np.int32(2**31 - 1)
            size = entry if entry > size else size
        largest[row] = size
        for i in range(d):
            x[i] = tokens[row, i] * inverse[row]
        x[d], x[d + 1] = inverse[row], 1
        for i in range(d + 2):
            upper = bits[i] + np.int32(0x7FFF) + ((bits[i] >> np.int32(16)) & np.int32(1))
            upper = upper & np.int32(-0x10000)
            back_bits[i] = upper if upper & np.int32(0x7F800000) else np.int32(0)
            rounded[row, i] = back_bits[i] >> np.int32(16)
        of_x = of_error = of_back = np.float32(0)
        for i in range(d + 2):
            error = x[i] - back[i]
            of_x += x[i] * x[i]
            of_error += error * error
            of_back += back[i] * back[i]
        norms[0, row], norms[1, row] = math.sqrt(of_x), math.sqrt(of_error)
        norms[2, row] = math.sqrt(of_back)


@compiled
def reaching(groups: np.ndarray, maxima: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Flat places, ascending, where `groups` (T, groups, size) reach the bounds (T,) of the tokens.

    maxima (T, groups): the largest of each group.
    """
    tokens, count, size = groups.shape
    near = np.int64(0)
    for token in range(tokens):
        for group in range(count):
            near += np.int64(maxima[token, group] >= bounds[token])
    places, found = np.empty(near * size + 1, np.int64), np.int64(0)
    for token in range(tokens):
        for group in range(count):
            if maxima[token, group] >= bounds[token]:
                first = (token * count + group) * size
                for member in range(size):  # without a branch: each is written, few are kept
                    places[found] = first + member
                    found += np.int64(groups[token, group, member] >= bounds[token])
    return places[:found].copy()
