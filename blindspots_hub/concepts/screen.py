"""Which codes may stay: a low-precision product that overestimates every code, and never misses.

A token is the row x = [a/σ, 1/σ, 1], a concept the row f of `FoldedEncoder.linear_rows`; the code
before ReLU is x·f. With x̂, f̂ the rows rounded to the product's type,

    x·f − x̂·f̂ = x·(f − f̂) + (x − x̂)·f̂   ≤   ‖x‖ ‖f − f̂‖ + ‖x − x̂‖ ‖f̂‖    (Cauchy–Schwarz),

all four norms measured, not bounded. (A bound from the unit roundoff u = 2⁻⁸ of bfloat16 alone,
2u ‖x‖ ‖f‖, is over twice as wide and sends twice as many candidates to the recomputation.) The
product itself adds up K = d + 4 terms in float32: it is off by at most γ Σ|x̂_i f̂_i| ≤ γ ‖x̂‖ ‖f̂‖
with γ = Kε / (1 − Kε). ε = 2⁻²² is four times the unit roundoff of float32, enough for tensor
cores, which truncate instead of rounding. So with

    p = ‖x‖,   q = ‖f − f̂‖,   r = ‖x − x̂‖ + γ ‖x̂‖,   s = ‖f̂‖

a code is at most x̂·f̂ + p q + r s: two more columns, [p, r]·[q, s], and the product is an upper
bound itself, with a margin of each token's and each concept's own. The columns are widened by more
than their own rounding and their share of γ. Of smaller things: x is made in float32, which r
covers by 2⁻²¹ ‖x‖; float64 rounding in the recomputed value is covered by a part in 2²⁰ of the
uncentred rows' norms in s; instructions that flush numbers below 2⁻¹²⁶ to zero are imitated before
the norms are taken, and their products are covered by q ≥ 2⁻¹⁰⁰.

The product's rounding to its type on output needs no margin: rounding is monotone, so it is
compared with a bound that is rounded down to the same type. A bound is 2⁻²⁰ of itself lower than
what decides, because codes are compared after rounding to float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from blindspots_hub.concepts.folding import FoldedEncoder, Statistics
from blindspots_hub.errors import BlindspotsError

Pairs = tuple[torch.Tensor, torch.Tensor]
"""Which token and which concept, (m,) int64 each."""

_STEP = 3328
"""Concepts a part: the product stays in the cache of a CPU until it is searched."""
_GROUP = 128
"""Most concepts that are represented by the largest of them, where the largest are looked for."""
_SEARCHED = 8
"""Concepts of which one is compared with the bound before all are: most groups end there."""
_LARGEST = 2.0**60
_SMALLEST = 2.0**-126
_BELOW = 1 - 2.0**-20


def fast_bfloat16(device: torch.device) -> bool:
    """Does this device multiply bfloat16 matrices faster than float32 ones?"""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


class Screen:
    """Finds every (token, concept) whose code may reach a bound, and few others.

    dtype: of the product, bfloat16 or float32. Holds the weights once more in that type.
    """

    def __init__(self, encoder: FoldedEncoder, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._bits = torch.int16 if dtype == torch.bfloat16 else torch.int32
        self._unit = torch.finfo(dtype).eps / 2
        columns = encoder.d + 4
        self._gamma = columns * 2.0**-22 / (1 - columns * 2.0**-22)
        self._wider = 1 + 2.0**-7 + self._gamma
        self._columns = -(-columns // 8) * 8  # as tensor cores like it
        self._step = -(-min(_STEP, encoder.n) // _GROUP) * _GROUP
        padded = -(-encoder.n // _GROUP) * _GROUP
        device = encoder.weight.device
        self._rows = torch.zeros(padded, self._columns, dtype=dtype, device=device)
        self._rows[encoder.n :, encoder.d + 1] = -1.0  # concepts that are none never fire
        common = encoder.mean_weight.norm() + encoder.mean_bias.abs()
        for part, rows in encoder.linear_rows():
            if not rows.norm(dim=1).max() < _LARGEST:
                raise BlindspotsError(
                    "The RA-SAE's encoder holds NaN, infinity or weights beyond 1e18, so that it "
                    "has no codes: take weights from a training run that did not diverge."
                )
            rounded = _flushed(rows.to(dtype))
            q = (rows - rounded.double()).norm(dim=1).clamp_min(2.0**-100)
            uncentred = encoder.weight[part].double().norm(dim=1) + encoder.bias[part].abs()
            s = rounded.double().norm(dim=1)
            s += 2.0**-20 * encoder.gain[part].abs() * (uncentred + common)
            mine = self._rows[part][: len(rows)]
            mine[:, : encoder.d + 2] = rounded
            mine[:, encoder.d + 2] = self._up(q)
            mine[:, encoder.d + 3] = self._up(s)
        self._d, self._n = encoder.d, encoder.n
        self._margins = self._rows[:, encoder.d + 2 : encoder.d + 4].float().T.contiguous()
        self._widest: dict[int, torch.Tensor] = {}

    def at_least(self, tokens: torch.Tensor, statistics: Statistics, bound: float) -> Pairs:
        """Every pair whose code, rounded to float32, may be ≥ `bound` > 0.

        tokens: (T, d) float32. The pairs come in no order.
        """
        rows = self._token_rows(tokens, statistics)
        bounds = torch.full((len(tokens), 1), bound, device=tokens.device)
        bits = self._bound_bits(bounds, rows)
        found = []
        with _full_precision(self.dtype):
            for start, product in self._products(rows):
                which, concepts = _search(product, _group_maxima(product, _SEARCHED), bits)
                found.append((which, concepts + start))
        return self._real(*_joined(found))

    def top(self, tokens: torch.Tensor, statistics: Statistics, k: int) -> Pairs:
        """Every pair whose code may be among its token's `k` largest positive ones; no order.

        The largest upper bound of a group of concepts, less twice the group's largest margin, is
        a lower bound of that group's largest code, so the k-th largest of those is one of the
        k-th largest code.
        """
        rows = self._token_rows(tokens, statistics)
        group = _GROUP
        while group > _SEARCHED and len(self._rows) < 32 * k * group:
            group //= 2
        largest = rows.new_empty(len(rows), 0, dtype=torch.float32)
        maxima: list[torch.Tensor] = []
        found, reached = [], []
        with _full_precision(self.dtype):
            for count, (start, product) in enumerate(self._products(rows), 1):
                searched = _group_maxima(product, _SEARCHED)
                maxima.append(_group_maxima(searched, group // _SEARCHED))
                stop = start + product.shape[1]
                # The bounds rise whenever the number of parts has doubled, and with the last.
                if count.bit_count() == 1 or stop == len(self._rows):
                    new = torch.cat(maxima, 1)
                    lower = self._lower_bounds(rows, new, stop // group - new.shape[1], group)
                    largest = torch.cat([largest, lower], 1)
                    largest = largest.topk(min(k, largest.shape[1]), sorted=False).values
                    bits = self._top_bits(largest, rows, k)
                    maxima.clear()
                which, concepts = _search(product, searched, bits)
                found.append((which, concepts + start))
                reached.append(product.view(-1)[which * product.shape[1] + concepts])
        which, concepts = _joined(found)
        kept = torch.cat(reached) >= bits[which, 0]
        return self._real(which[kept], concepts[kept])

    def _real(self, which: torch.Tensor, concepts: torch.Tensor) -> Pairs:
        """Without the rows that fill up the last group, which only untrusted tokens reach."""
        real = concepts < self._n
        return which[real], concepts[real]

    def _lower_bounds(
        self, rows: torch.Tensor, maxima: torch.Tensor, first: int, group: int
    ) -> torch.Tensor:
        """Of the largest code of each group from number `first` on: (T, groups) float32."""
        if group not in self._widest:
            parts = self._margins.split(self._step, dim=1)
            self._widest[group] = torch.cat([_group_maxima(part, group) for part in parts], 1)
        q, s = self._widest[group][:, first : first + maxima.shape[1]]
        p, r = rows[:, self._d + 2, None].float(), rows[:, self._d + 3, None].float()
        margins = (p * q).add_(r * s).mul_(2 + 2.0**-10)
        return maxima.view(self.dtype).float().mul_(1 - self._unit - 2.0**-20).sub_(margins)

    def _top_bits(self, largest: torch.Tensor, rows: torch.Tensor, k: int) -> torch.Tensor:
        """Bounds (T, 1) from the `largest` (T, ≤ k) lower bounds of codes of different groups."""
        if largest.shape[1] < k:
            return self._bound_bits(torch.zeros_like(largest[:, :1]), rows)
        bounds = largest.amin(1, keepdim=True)
        return self._bound_bits(bounds.nan_to_num(nan=0.0, posinf=0.0), rows)

    def _products(self, rows: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The first of a part of the concepts, and the upper bounds of their codes (T, …).

        As integers, which are ordered as the positive codes are; all in the same memory.
        """
        memory = rows.new_empty(len(rows) * self._step)
        for start in range(0, len(self._rows), self._step):
            part = self._rows[start : start + self._step]
            product = memory[: len(rows) * len(part)].view(len(rows), len(part))
            yield start, torch.mm(rows, part.T, out=product).view(self._bits)

    def _token_rows(self, tokens: torch.Tensor, statistics: Statistics) -> torch.Tensor:
        """[x̂, p, r] (T, columns)."""
        inverse = statistics.sigma.reciprocal().float()[:, None]
        exact = torch.cat([tokens * inverse, inverse, torch.ones_like(inverse)], 1)
        rounded = _flushed(exact.to(self.dtype))
        back = rounded.float()
        trusted = tokens.abs().amax(1) < _LARGEST
        p = torch.where(trusted, exact.norm(dim=1), torch.inf)
        r = (exact - back).norm(dim=1) + self._gamma * back.norm(dim=1) + 2.0**-21 * p
        rows = torch.zeros(len(tokens), self._columns, dtype=self.dtype, device=tokens.device)
        rows[:, : self._d + 2] = rounded
        rows[:, self._d + 2] = self._up(p)
        rows[:, self._d + 3] = self._up(r)
        return rows

    def _up(self, norms: torch.Tensor) -> torch.Tensor:
        return (norms * self._wider).to(self.dtype)

    def _bound_bits(self, bounds: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """`bounds` (T, 1) as integers of the product's type, rounded down, at least the least > 0.

        A token whose row is too large for the product to be trusted gets every concept.
        """
        bits = (bounds.clamp_min(0) * _BELOW).float().view(torch.int32)
        if self._bits == torch.int16:
            bits = bits >> 16
        bits = bits.clamp_min(1).to(self._bits)
        trusted = rows[:, self._d + 2, None] < _LARGEST
        return torch.where(trusted, bits, torch.iinfo(self._bits).min)


def _flushed(rounded: torch.Tensor) -> torch.Tensor:
    return rounded.masked_fill(rounded.abs() < _SMALLEST, 0)


def _group_maxima(values: torch.Tensor, group: int) -> torch.Tensor:
    """The largest of every `group` (a power of two) columns that lie width / group apart."""
    while group > 1:
        values = torch.maximum(*values.chunk(2, 1))
        group //= 2
    return values


def _search(product: torch.Tensor, maxima: torch.Tensor, bits: torch.Tensor) -> Pairs:
    """Where `product` (T, width) reaches its row's bound; `maxima` of groups of `_SEARCHED`."""
    if product.device.type == "cpu":  # where numpy compares and searches faster than torch
        flat = torch.from_numpy(np.flatnonzero(maxima.numpy() >= bits.numpy()))
    else:
        flat = (maxima >= bits).view(-1).nonzero()[:, 0]
    groups = maxima.shape[1]
    which = flat // groups
    members = torch.arange(0, product.shape[1], groups, device=product.device)
    places = (which * product.shape[1] + flat % groups)[:, None] + members
    reached = product.view(-1)[places] >= bits[which]
    places = places[reached]
    return places // product.shape[1], places % product.shape[1]


def _joined(found: list[Pairs]) -> Pairs:
    which, concepts = zip(*found, strict=True)
    return torch.cat(which), torch.cat(concepts)


@contextmanager
def _full_precision(dtype: torch.dtype) -> Iterator[None]:
    """Products of `dtype` with float32 sums, whatever the program has allowed elsewhere."""
    cuda = torch.backends.cuda.matmul
    if dtype == torch.bfloat16:
        allowed = cuda.allow_bf16_reduced_precision_reduction
        cuda.allow_bf16_reduced_precision_reduction = False
        try:
            yield
        finally:
            cuda.allow_bf16_reduced_precision_reduction = allowed
        return
    libraries = (cuda, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before = [library.fp32_precision for library in libraries]
    try:
        for library in libraries:
            library.fp32_precision = "ieee"
        yield
    finally:
        for library, precision in zip(libraries, before, strict=True):
            library.fp32_precision = precision
