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
compared with a bound that is rounded down to the same type.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from blindspots_hub.concepts.encoder.folding import FoldedEncoder, Statistics
from blindspots_hub.concepts.encoder.search import BELOW, GROUP, Bounds, Margins, RisingBounds
from blindspots_hub.errors import BlindspotsError

Pairs = tuple[torch.Tensor, torch.Tensor]
"""Which token and which concept, (m,) int64 each."""

_STEP = {"cpu": 2048, "cuda": 6656}
"""Bytes of a token's part of the product: it stays in the cache of a CPU's core until searched."""
_LEAST_GROUP = 8
_LARGEST = 2.0**60
_SMALLEST = 2.0**-126


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
        device = encoder.weight.device
        step = _STEP[device.type] // dtype.itemsize
        self._step = -(-min(step, encoder.n) // GROUP) * GROUP
        padded = -(-encoder.n // GROUP) * GROUP
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

    @contextmanager
    def full_precision(self) -> Iterator[None]:
        """Products of this type with float32 sums, whatever the program has allowed elsewhere.

        To be entered around `at_least` and `top`, once for all threads: it is the program's state.
        """
        cuda = torch.backends.cuda.matmul
        if self.dtype == torch.bfloat16:
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

    def at_least(self, tokens: torch.Tensor, statistics: Statistics, bound: float) -> Pairs:
        """Every pair whose code, rounded to float32, may be ≥ `bound` > 0.

        tokens: (T, d) float32. The pairs come in no order.
        """
        rows = self._token_rows(tokens, statistics)
        bits = self._bits_of(rows, torch.full((len(tokens),), bound, device=tokens.device))
        return self._reached(rows, Bounds(bits))

    def top(self, tokens: torch.Tensor, statistics: Statistics, k: int) -> Pairs:
        """Every pair whose code may be among its token's `k` largest positive ones; no order."""
        rows = self._token_rows(tokens, statistics)
        bits = self._bits_of(rows, torch.zeros(len(tokens), device=tokens.device))
        margins = self._group_margins(rows, k)
        return self._reached(rows, RisingBounds(bits, margins, partial(self._bits_of, rows)))

    def _reached(self, rows: torch.Tensor, bounds: Bounds) -> Pairs:
        """The pairs whose upper bounds reach what the `bounds` are in the end."""
        found = []
        for start, product in self._products(rows):
            places = bounds.reached(product)
            which, concepts = places // product.shape[1], places % product.shape[1] + start
            found.append((which, concepts, product.view(-1)[places]))
        which, concepts, reached = (torch.cat(parts) for parts in zip(*found, strict=True))
        # Rows that fill up the last group are no concepts; only untrusted tokens reach them.
        kept = (reached >= bounds.bits[which]) & (concepts < self._n)
        return which[kept], concepts[kept]

    def _group_margins(self, rows: torch.Tensor, k: int) -> Margins:
        group = GROUP
        while group > _LEAST_GROUP and len(self._rows) < 32 * k * group:
            group //= 2
        if group not in self._widest:
            self._widest[group] = self._margins.unflatten(1, (-1, group)).amax(2)
        of_tokens = rows[:, self._d + 2 : self._d + 4].float()
        return Margins(of_tokens, self._widest[group], group, 1 - self._unit - 2.0**-20, k)

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
        inverse = statistics.sigma.reciprocal().float()
        rows = torch.zeros(len(tokens), self._columns, dtype=self.dtype, device=tokens.device)
        if rows.device.type == "cpu" and self.dtype == torch.bfloat16:
            norms, largest = _round_by_loops(rows, tokens, inverse)
        else:
            norms, largest = _round(rows, tokens, inverse)
        p = torch.where(largest < _LARGEST, norms[0], torch.inf)
        rows[:, self._d + 2] = self._up(p)
        rows[:, self._d + 3] = self._up(norms[1] + self._gamma * norms[2] + 2.0**-21 * p)
        return rows

    def _up(self, norms: torch.Tensor) -> torch.Tensor:
        return (norms * self._wider).to(self.dtype)

    def _bits_of(self, rows: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
        """`bounds` (T,) as integers of the product's type, rounded down, at least the least > 0.

        A token whose row is too large for the product to be trusted gets every concept.
        """
        bits = (bounds.clamp_min(0) * BELOW).float().view(torch.int32)
        if self._bits == torch.int16:
            bits = bits >> 16
        bits = bits.clamp_min(1).to(self._bits)
        trusted = rows[:, self._d + 2] < _LARGEST
        return torch.where(trusted, bits, torch.iinfo(self._bits).min)


def _round(
    rows: torch.Tensor, tokens: torch.Tensor, inverse: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Set x̂ in `rows`. Returns ‖x‖, ‖x - x̂‖, ‖x̂‖ (3, T), and the tokens' largest entries (T,)."""
    inverse = inverse[:, None]
    exact = torch.cat([tokens * inverse, inverse, torch.ones_like(inverse)], 1)
    rounded = _flushed(exact.to(rows.dtype))
    rows[:, : exact.shape[1]] = rounded
    back = rounded.float()
    norms = torch.stack([one.norm(dim=1) for one in (exact, exact - back, back)])
    return norms, tokens.abs().amax(1)


def _round_by_loops(
    rows: torch.Tensor, tokens: torch.Tensor, inverse: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`_round` for bfloat16 on a CPU."""
    from blindspots_hub.concepts.encoder.loops import to_bfloat16

    norms = torch.empty(3, len(tokens))
    largest = torch.empty(len(tokens))
    arrays = (tokens, inverse, rows.view(torch.int16), norms, largest.view(torch.int32))
    to_bfloat16(*(one.numpy() for one in arrays))
    return norms, largest


def _flushed(rounded: torch.Tensor) -> torch.Tensor:
    return rounded.masked_fill(rounded.abs() < _SMALLEST, 0)
