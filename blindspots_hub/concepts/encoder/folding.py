"""The encoder with its LayerNorm folded in: statistics of a token without a pass over concepts.

pre_k(x) = g_k · (w_k·x + b_k − m(x)) / σ(x) + β_k is linear in [x/σ, 1/σ, 1] once σ is known, and
m and σ need no pre-activations: with centred weights w̃ = w − mean_k w, b̃ = b − mean_k b,

    m(x) = w̄·x + b̄,    σ(x)² = (1/n) Σ_k (w̃_k·x + b̃_k)² + ε = [x,1] G [x,1]ᵀ + ε,

where G = [W̃,b̃]ᵀ[W̃,b̃] / n is a (d + 1)² matrix that is made once, in float64. Where the terms of
that form cancel (a bias that takes away what the weights add), σ² is compared with the largest of
them, and where too little of it is left, computed again by its definition, from all of the token's
pre-activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from blindspots_hub.concepts.encoder.exact import (
    QuadraticForm,
    fixed_dots,
    fixed_dots_of,
    fixed_sum,
)

_ROWS = 512
_LINEAR_ROWS = 128
_CANCELLING = 2.0**14
"""σ² this many times smaller than the terms of its form is computed by its definition."""
_TOKENS = {"cpu": 261, "cuda": 1 << 14}
"""Tokens whose statistics are computed at once: they take 16 bytes an entry meanwhile."""


@dataclass(frozen=True)
class Statistics:
    """Of T tokens: `mean` and `sigma` (T,) float64 of their pre-activations over the concepts."""

    mean: torch.Tensor
    sigma: torch.Tensor


class FoldedEncoder:
    """Linear d → n and LayerNorm over n, as `statistics` of a token and `values` of single codes.

    Both are computed in an order that depends on d and n alone, so a code depends on its token and
    its concept, never on which others are computed with it. G itself is summed by a float64 product
    when it is made, so another device or number of threads may change a value's last bit, once in
    very many. m and w·x + b are computed in float64, σ to a few parts in 2^-25 of itself: a value,
    rounded to float32, is that of float64 throughout or its neighbour.
    Holds the weights, no copies:
    weight (n, d), bias, gain (the LayerNorm's weight), shift (its bias) (n,), float32.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gain: torch.Tensor,
        shift: torch.Tensor,
        eps: float,
    ) -> None:
        self.weight, self.bias, self.gain, self.shift = weight, bias, gain, shift
        self.eps = eps
        self.n, self.d = weight.shape
        total = torch.zeros(self.d, dtype=torch.float64, device=weight.device)
        for _, rows in self._blocks():
            total += rows.sum(0)
        self.mean_weight = total / self.n
        self.mean_bias = bias.double().mean()
        centred_bias = bias.double() - self.mean_bias
        gram = torch.zeros(self.d, self.d, dtype=torch.float64, device=weight.device)
        mixed = torch.zeros_like(total)
        for part, rows in self._blocks():
            rows -= self.mean_weight
            gram.addmm_(rows.T, rows)
            mixed += rows.T @ centred_bias[part]
        constant = centred_bias.square().mean()
        self._form = QuadraticForm(gram.div_(self.n), 2 * mixed / self.n, constant)

    def _blocks(self, size: int = _ROWS) -> Iterator[tuple[slice, torch.Tensor]]:
        for start in range(0, self.n, size):
            part = slice(start, start + size)
            yield part, self.weight[part].to(torch.float64, copy=True)

    def linear_rows(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Rows f_k = [g w̃, g b̃, β] (…, d + 2) float64, block by block: pre = [x/σ, 1/σ, 1]·f_k."""
        for part, rows in self._blocks(_LINEAR_ROWS):
            gain = self.gain[part].double()
            bias = self.bias[part].double() - self.mean_bias
            rows -= self.mean_weight
            rows *= gain[:, None]
            yield part, torch.column_stack([rows, gain * bias, self.shift[part].double()])

    def statistics(self, tokens: torch.Tensor) -> Statistics:
        """Of `tokens` (T, d) float32."""
        mean = fixed_dots(tokens, self.mean_weight) + self.mean_bias
        parts = [self._form(some) for some in tokens.split(_TOKENS[tokens.device.type])]
        variance, terms = (torch.cat(found) for found in zip(*parts, strict=True))
        for token in ((variance + self.eps) * _CANCELLING < terms).nonzero()[:, 0].tolist():
            variance[token] = self._variance(tokens, token)
        return Statistics(mean, (variance + self.eps).sqrt())

    def _variance(self, tokens: torch.Tensor, token: int) -> torch.Tensor:
        """Of one token's pre-activations, by the definition: (), a product with all the weights."""
        every = torch.arange(self.n, device=tokens.device)
        hidden = fixed_dots_of(self.weight, every, tokens, torch.full_like(every, token))
        hidden += self.bias.double()
        hidden -= fixed_sum(hidden[None]) / self.n
        return fixed_sum(hidden.square()[None])[0] / self.n

    def values(
        self,
        tokens: torch.Tensor,
        statistics: Statistics,
        which: torch.Tensor,
        concepts: torch.Tensor,
    ) -> torch.Tensor:
        """Codes before ReLU and sparsity at the pairs (which, concepts), (m,) each: float32.

        The float64 value or, where σ is off by its last bits, its float32 neighbour.
        """
        products = fixed_dots_of(self.weight, concepts, tokens, which)
        hidden = products + self.bias[concepts].double() - statistics.mean[which]
        normed = hidden / statistics.sigma[which] * self.gain[concepts].double()
        return (normed + self.shift[concepts].double()).float()
