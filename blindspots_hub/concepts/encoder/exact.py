"""Sums and quadratic forms in float64 that do not depend on what else is in the batch, to the bit.

A matrix product rounds a row differently for different numbers of rows, threads and libraries.
Here the order of every rounded operation is written down, and where a matrix product is used, its
sums are of integers that float64 holds exactly, so that their order makes no difference.
"""

from __future__ import annotations

import math

import torch

_MANTISSA = 53
_TOKEN_BITS = 24
"""Bits that are kept of a row: what float32 has, relative to the row's largest entry."""
_PANELS = 4
_GATHERED = 1 << 16
"""Rows that a GPU gathers at once."""
_CANCELLING = 4.0
"""A sum this many times smaller than its largest terms is computed with twice the bits."""


def fixed_sum(rows: torch.Tensor) -> torch.Tensor:
    """Sum of each row of `rows` (m, width): (m,), added in an order that `width` alone decides."""
    while rows.shape[1] > 64:
        rows = _halved(rows, 1)
    columns = rows.T.contiguous()
    while columns.shape[0] > 1:
        columns = _halved(columns, 0)
    return columns.sum(0)  # of one row, or of none


def _halved(values: torch.Tensor, dim: int) -> torch.Tensor:
    half = values.shape[dim] // 2
    left, right, odd = values.split([half, half, values.shape[dim] - 2 * half], dim)
    total = left + right
    if odd.shape[dim]:
        total.narrow(dim, 0, 1).add_(odd)
    return total


def fixed_dots(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`fixed_sum` of left · right in float64: (m,) float64 of rows `left` (m, width) in any type.

    right: as many rows, or one for all, (width,).
    """
    if left.device.type != "cpu":
        return fixed_sum(left.double() * right)
    rows = torch.arange(len(left))
    return _compiled_dots(left, rows, torch.atleast_2d(right), rows if right.ndim > 1 else rows * 0)


def fixed_dots_of(
    left: torch.Tensor, left_rows: torch.Tensor, right: torch.Tensor, right_rows: torch.Tensor
) -> torch.Tensor:
    """`fixed_dots` of left[left_rows] and right[right_rows], (m,) row numbers each."""
    if left.device.type != "cpu":
        pairs = zip(left_rows.split(_GATHERED), right_rows.split(_GATHERED), strict=True)
        return torch.cat([fixed_dots(left[i], right[j]) for i, j in pairs])
    return _compiled_dots(left, left_rows, right, right_rows)


def _compiled_dots(
    left: torch.Tensor, left_rows: torch.Tensor, right: torch.Tensor, right_rows: torch.Tensor
) -> torch.Tensor:
    from blindspots_hub.concepts.encoder.loops import dots

    found = torch.empty(len(left_rows), dtype=torch.float64)
    dots(*(one.numpy() for one in (left, left_rows, right, right_rows, found)))
    return found


class QuadraticForm:
    """x G xᵀ + l · x + c of rows x, never negative, for a symmetric positive semidefinite G (d, d).

    G, `linear` l (d,) and `constant` c, a scalar, in float64.

    The rows are scaled by the square roots of G's diagonal (to the next power of two) and rounded
    to integers of 24 bits, G to integers of as many bits as leave every possible partial sum of
    their products below 2^53: exact in float64, in any order, hence on any library and device.
    As G is symmetric, the upper triangle is enough, panel by panel: half a product. For a G of a
    LayerNorm that leaves G some 22 bits, a relative error of the form near 2^-24. Where the terms
    cancel (the sum is 4 times smaller than Σ G_ii x_i² + c), the bits that were rounded off, of G
    and of the rows, are added in two further products of those rows: then what is lost is some
    2^-44 of the terms.
    """

    def __init__(self, gram: torch.Tensor, linear: torch.Tensor, constant: torch.Tensor) -> None:
        diagonal = gram.diagonal()
        exponents = torch.where(diagonal > 0, diagonal, 1.0).log2().div(2).round()
        self.scale = torch.where(diagonal > 0, torch.exp2(exponents), 0.0)
        inverse = torch.exp2(-exponents) * (diagonal > 0)
        triangle = (gram * inverse[:, None]).mul_(inverse).triu_()
        triangle.mul_(2).diagonal().div_(2)
        self.coarse, self.coarse_unit = _integers(triangle)
        triangle.sub_(self.coarse, alpha=self.coarse_unit)  # a power of two: exact
        self.fine, self.fine_unit = _integers(triangle)
        self.linear, self.constant = linear, constant

    def __call__(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of `rows` (m, d) float32 or float64: the sums (m,), and the size of their terms (m,)."""
        integers, exponents = rounded_rows(rows, self.scale)
        unit = torch.exp2(exponents).square()
        product = _triangle_product(integers, self.coarse)
        form = fixed_dots(product, integers) * self.coarse_unit * unit
        terms = fixed_dots(integers, integers) * unit + self.constant
        total = form + fixed_dots(rows, self.linear) + self.constant
        cancelled = (total * _CANCELLING < terms).nonzero()[:, 0]
        if len(cancelled):
            more = self._rounded_off(rows[cancelled], integers[cancelled], exponents[cancelled])
            total[cancelled] += more * unit[cancelled]
        return total.clamp_min(0), terms

    def _rounded_off(
        self, rows: torch.Tensor, integers: torch.Tensor, exponents: torch.Tensor
    ) -> torch.Tensor:
        """What the form of `integers` lacks of that of `rows`, in units of 4^exponents: (m,)."""
        rest = rows.double() * self.scale * torch.exp2(-exponents)[:, None] - integers
        small, below = rounded_rows(rest, torch.ones_like(self.scale))
        product = _triangle_product(integers, self.coarse) * self.coarse_unit
        of_rest = _triangle_product(small, self.coarse) * self.coarse_unit
        of_rest *= torch.exp2(below)[:, None]
        of_fine = _triangle_product(integers, self.fine) * self.fine_unit
        # (x + r)(U + F)(x + r) - x U x, but for products of two small ones that do not matter
        return fixed_dots(product, rest) + fixed_dots(of_rest + of_fine, integers + rest)


def rounded_rows(rows: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`rows` · `scale` ≈ integers (m, d) of `_TOKEN_BITS` bits · 2^exponents (m,), all float64."""
    if rows.device.type == "cpu":
        from blindspots_hub.concepts.encoder.loops import to_integers

        integers = torch.empty(rows.shape, dtype=torch.float64)
        exponents = torch.empty(len(rows), dtype=torch.float64)
        arrays = (rows, scale, integers, integers.view(torch.int64), exponents)
        to_integers(*(one.numpy() for one in arrays), _TOKEN_BITS)
        return integers, exponents
    return rounded_rows_by_tensors(rows, scale)


def rounded_rows_by_tensors(
    rows: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`rounded_rows` as a GPU computes it."""
    scaled = rows * scale
    largest = torch.linalg.vector_norm(scaled, math.inf, dim=1)
    exponents = torch.frexp(largest).exponent.double() - _TOKEN_BITS
    return scaled.mul_(torch.exp2(-exponents)[:, None]).round_(), exponents


def _integers(matrix: torch.Tensor) -> tuple[torch.Tensor, float]:
    """`matrix` ≈ integers · unit, the finest power of two for which sums of products are exact."""
    largest = 2.0 ** (_MANTISSA - _TOKEN_BITS)
    column = float(matrix.abs().sum(0).max())
    unit = 2.0 ** math.ceil(math.log2(column / largest)) if column > 0 else 1.0
    integers = (matrix / unit).round_()
    if float(integers.abs().sum(0).max()) > largest:  # rounding added up
        unit *= 2
        torch.div(matrix, unit, out=integers).round_()
    return integers, unit


def _triangle_product(rows: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """`rows` @ `upper` (d, d), which is zero below its diagonal."""
    width = len(upper)
    step = max(64, -(-width // _PANELS))
    product = torch.empty_like(rows)
    for start in range(0, width, step):
        stop = min(start + step, width)
        product[:, start:stop] = rows[:, :stop] @ upper[:stop, start:stop]
    return product
