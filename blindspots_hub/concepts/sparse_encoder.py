"""The encoder's training step: dense forward, sparse backward.

Only a handful of a token's n codes stay, so the gradient of the codes is sparse, and through
Linear and LayerNorm it becomes a sparse part and a few rank-one terms: no dense (B, n) gradient and
no second (B, n, d) product is ever formed. A test holds it against autograd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from blindspots_hub.concepts.rasae_config import Sparsity


@dataclass(frozen=True)
class Kept:
    """The codes of a batch of B tokens that stay, and what the auxiliary term looks at.

    offsets (B,): where each token's codes begin; concepts (m,) int64; values (m,) with gradient;
    dead (n,) bool: concepts that no token of the batch kept; dead_mean: Σ of the codes before ReLU
    over tokens and dead concepts, divided by B n, with gradient.
    """

    offsets: torch.Tensor
    concepts: torch.Tensor
    values: torch.Tensor
    dead: torch.Tensor
    dead_mean: torch.Tensor


class SparseEncoder(nn.Module):
    """Linear d → n, LayerNorm over n, and the `k` largest codes: of a token, or k·B of a batch."""

    def __init__(
        self,
        d: int,
        n_concepts: int,
        k: int,
        sparsity: Sparsity,
        eps: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.k, self.sparsity, self.eps = k, sparsity, eps
        self.weight = nn.Parameter(torch.empty(n_concepts, d))
        nn.init.xavier_uniform_(self.weight, generator=generator)
        self.bias = nn.Parameter(torch.zeros(n_concepts))
        self.gain = nn.Parameter(torch.ones(n_concepts))
        self.shift = nn.Parameter(torch.zeros(n_concepts))

    def forward(self, tokens: torch.Tensor) -> Kept:
        """Encode `tokens` (B, d), which get no gradient."""
        offsets, concepts, values, dead, dead_mean = _Encode.apply(
            tokens, self.weight, self.bias, self.gain, self.shift, self
        )
        return Kept(offsets, concepts, values, dead, dead_mean)

    def select(self, pre: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(tokens, concepts) int64, by token, of the positive codes of `pre` (B, n) that stay."""
        if self.sparsity == "topk":
            values, concepts = torch.topk(pre, self.k, dim=1, sorted=False)
            positive = values > 0
            return positive.nonzero()[:, 0], concepts[positive]
        smallest = torch.topk(pre.flatten(), self.k * len(pre), sorted=False).values.min()
        tokens, concepts = ((pre >= smallest) & (pre > 0)).nonzero(as_tuple=True)
        return tokens, concepts


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gain: torch.Tensor,
        shift: torch.Tensor,
        encoder: SparseEncoder,
    ) -> tuple[torch.Tensor, ...]:
        batch, n = len(x), len(weight)
        # With centred rows W̃ and bias b̃ the product is centred over the concepts as LayerNorm asks.
        centred, centred_bias = weight - weight.mean(0), bias - bias.mean()
        hidden = torch.addmm(centred_bias, x, centred.T)
        variance = torch.linalg.vector_norm(hidden, dim=1).square() / n
        inverse_std = torch.rsqrt(variance + encoder.eps)
        pre = torch.addcmul(shift, hidden.mul_(inverse_std[:, None]), gain)
        tokens, concepts = encoder.select(pre)
        values = pre[tokens, concepts]
        normed = hidden[tokens, concepts]
        dead = torch.ones(n, dtype=torch.bool, device=x.device)
        dead[concepts] = False
        dead_mean = pre[:, dead].sum() / (batch * n)
        offsets = torch.searchsorted(tokens, torch.arange(batch, device=x.device))
        ctx.save_for_backward(
            x, centred, centred_bias, gain, inverse_std, tokens, concepts, normed, dead
        )
        ctx.mark_non_differentiable(offsets, concepts, dead)
        return offsets, concepts, values, dead, dead_mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient at (token t, concept c) is sparse (from the kept codes) plus `column`_c.

        With h̃ = W̃ x + b̃, r = 1/σ and y = r h̃, LayerNorm gives
        ∂h = r (∂y − mean ∂y − y mean(∂y y)), each mean over the concepts.
        """
        x, centred, centred_bias, gain, r, tokens, concepts, normed, dead = ctx.saved_tensors
        grad_values, grad_dead_mean = grads[2], grads[4]
        batch, n = len(x), len(centred)

        def per_token(values: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(r).index_add_(0, tokens, values)

        def per_concept(values: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(gain).index_add_(0, concepts, values)

        column = dead * (grad_dead_mean / (batch * n))
        column_y = column * gain
        sparse_y = grad_values * gain[concepts]
        mean_y = (per_token(sparse_y) + column_y.sum()) / n
        column_dot = r * (x @ (centred.T @ column_y) + centred_bias @ column_y)
        mean_yy = (per_token(sparse_y * normed) + column_dot) / n

        # Σ_t over tokens of r, and of r times x, serve both the constant columns and the gain.
        sum_r, sum_rx = r.sum(), r @ x
        sum_y = centred @ sum_rx + centred_bias * sum_r
        scaled = sparse_y * r[tokens]
        q = r.square() * mean_yy
        qx = q @ x
        grad_weight = torch.addr(-(centred @ ((x * q[:, None]).T @ x)), column_y, sum_rx)
        grad_weight.addr_(centred_bias, qx, alpha=-1)
        grad_weight -= (r * mean_y) @ x
        grad_weight.index_add_(0, concepts, x[tokens] * scaled[:, None])
        grad_bias = per_concept(scaled) + column_y * sum_r - (r * mean_y).sum()
        grad_bias -= centred @ qx + centred_bias * q.sum()
        grad_gain = per_concept(grad_values * normed) + column * sum_y
        grad_shift = per_concept(grad_values) + column * batch
        return None, grad_weight, grad_bias, grad_gain, grad_shift, None
