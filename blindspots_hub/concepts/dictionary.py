"""The archetypal dictionary while it is trained: atoms near the convex hull of the data."""

from __future__ import annotations

import math

import torch
from torch import nn

from blindspots_hub import paper

_SUM_FLOOR = 1e-8
"""Keeps the row normalisation finite; the published weights were trained with this value."""

_OTHERS = 0.1
"""Sum of the entries of all other centroids in an atom's row before training; its own has 1."""


def row_stochastic(weights: torch.Tensor) -> torch.Tensor:
    """A: `weights` (n, n') without negative entries, each row divided by its sum."""
    positive = torch.relu(weights)
    return positive / (positive.sum(dim=1, keepdim=True) + _SUM_FLOOR)


def bounded(relax: torch.Tensor, relaxation: float) -> torch.Tensor:
    """Λ: `relax` (n, d) with every row longer than `relaxation` shortened to that length."""
    norms = relax.norm(dim=1, keepdim=True)
    return relax * (relaxation / norms.clamp_min(1e-12)).clamp(max=1)


def fuse(
    weights: torch.Tensor,
    centroids: torch.Tensor,
    relax: torch.Tensor,
    multiplier: torch.Tensor,
    relaxation: float,
) -> torch.Tensor:
    """Atoms D = exp(m) · (A C + Λ) of METHOD section 2, (n, d), from the trained parameters.

    `weights` (n, n'), `centroids` (n', d), `relax` (n, d), `multiplier` a scalar. Every atom
    depends on its own row of `weights` and `relax` alone, so a large dictionary can be fused in
    blocks of rows.
    """
    hull = row_stochastic(weights) @ centroids
    return torch.exp(multiplier) * (hull + bounded(relax, relaxation))


class ArchetypalDictionary(nn.Module):
    """D = exp(m) · (A C + Λ) with learned A, Λ and m (METHOD section 2).

    Before training, atom k is centroid k mod n' with a tenth of all the others mixed in, Λ = 0 and
    m = 0. No entry of A starts at zero, where the ReLU would never let it go. Rows start with a sum
    near 1, because an optimiser moves an entry by about its learning rate a step: measured on
    planted tokens, rows a hundred times as large kept A all but frozen (R² 0.85 instead of 0.98).
    """

    def __init__(
        self,
        centroids: torch.Tensor,
        n_concepts: int,
        relaxation: float = paper.RELAXATION,
        generator: torch.Generator | None = None,
    ) -> None:
        """`centroids` (n', d): points in the convex hull of the training tokens, kept fixed."""
        super().__init__()
        n_centroids, width = centroids.shape
        self.relaxation = relaxation
        self.centroids: torch.Tensor
        self.register_buffer("centroids", centroids)
        weights = torch.rand(n_concepts, n_centroids, generator=generator)
        weights *= 2 * _OTHERS / n_centroids
        weights[torch.arange(n_concepts), torch.arange(n_concepts) % n_centroids] += 1
        self.weights = nn.Parameter(weights)
        self.relax = nn.Parameter(torch.zeros(n_concepts, width))
        self.multiplier = nn.Parameter(torch.zeros(()))

    def fuse(self) -> torch.Tensor:
        """The atoms, (n, d), differentiable in A, Λ and m."""
        return fuse(self.weights, self.centroids, self.relax, self.multiplier, self.relaxation)

    @torch.no_grad()
    def rescale(self, factor: float) -> None:
        """Multiply every atom by `factor` > 0."""
        self.multiplier.add_(math.log(factor))
