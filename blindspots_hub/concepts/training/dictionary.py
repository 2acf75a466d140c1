"""The archetypal dictionary while it is trained: atoms near the convex hull of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from blindspots_hub import paper
from blindspots_hub.concepts.encoder.low_precision import product
from blindspots_hub.concepts.training.sparse_encoder import compiled_for, gradient
from blindspots_hub.utils.cores import on_all_cores

_SUM_FLOOR = 1e-8
"""Keeps the row normalisation finite; the published weights were trained with this value."""

_OTHERS = 0.1
"""Sum of the entries of all other centroids in an atom's row before training; its own has 1."""

_PIECE = {"cpu": 32 << 20}
"""Bytes of A that are worked on at a time; on the CPU about what its cache holds."""

_LARGE_PIECE = 1 << 30
"""The same on devices that want large products."""


def row_stochastic(weights: torch.Tensor) -> torch.Tensor:
    """A: `weights` (n, n') without negative entries, each row divided by its sum."""
    positive = torch.relu(weights)
    return positive / _sums(positive)


def _sums(positive: torch.Tensor) -> torch.Tensor:
    """What rows without negative entries are divided by, (n, 1)."""
    return positive.sum(dim=1, keepdim=True) + _SUM_FLOOR


def bounded(relax: torch.Tensor, relaxation: float) -> torch.Tensor:
    """Λ: `relax` (n, d) with every row longer than `relaxation` shortened to that length."""
    norms = relax.norm(dim=1, keepdim=True)
    return relax * (relaxation / norms.clamp_min(1e-12)).clamp(max=1)


def _dots(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """left_j · right_j of every row, (c,)."""
    if not compiled_for(left):
        return torch.linalg.vecdot(left, right)
    from blindspots_hub.concepts.training.loops import row_dots

    dots = torch.empty(len(left))
    parts = left.numpy(), right.numpy(), dots.numpy()
    on_all_cores(lambda first, last: row_dots(first, last, *parts), len(left))
    return dots


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


@dataclass(frozen=True)
class Atoms:
    """Some atoms, and what their gradients need: concepts (c,) int64, which; values (c, d), the
    atoms; hull (c, d), A C; sums (c, 1), what the rows of A were divided by.
    """

    concepts: torch.Tensor
    values: torch.Tensor
    hull: torch.Tensor
    sums: torch.Tensor


class ArchetypalDictionary(nn.Module):
    """D = exp(m) · (A C + Λ) with learned A, Λ and m (METHOD section 2).

    Only the atoms that a batch uses are made, and `set_gradients` sets the parameters' `grad` for
    them; autograd is not used. It is a projected gradient: a step starts by putting the rows that
    it uses back to where A is row-stochastic and Λ bounded, and the gradient is the one there. A
    share that has come to 0 may so grow again, and rows keep the sum 1, at which an optimiser's
    step of about its learning rate means the same all along (without the projection R² after 400
    steps on planted tokens was 0.727 instead of 0.759).

    Before training, atom k is centroid k mod n' with a tenth of all the others mixed in, Λ = 0 and
    m = 0.
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
        self._set: dict[str, tuple[torch.Tensor, int, torch.Tensor]] = {}

    @torch.no_grad()
    def project(self, concepts: torch.Tensor, dtype: torch.dtype | None = None) -> Atoms:
        """Make the rows of `concepts` (c,) of A row-stochastic and those of Λ bounded, in place.

        Returns their `atoms`. A row that has lost every share starts again at its own centroid.
        """
        relax = self.relax.detach()
        if compiled_for(relax):
            from blindspots_hub.concepts.training.loops import bound_rows

            offsets = torch.empty(len(concepts), relax.shape[1])
            parts = relax.numpy(), concepts.numpy(), self.relaxation, offsets.numpy()
            on_all_cores(lambda first, last: bound_rows(first, last, *parts), len(concepts))
        else:
            offsets = self._offsets(concepts)
            relax[concepts] = offsets
        return self._made(concepts, dtype, self._projected, offsets)

    @torch.no_grad()
    def atoms(self, concepts: torch.Tensor, dtype: torch.dtype | None = None) -> Atoms:
        """The atoms of `concepts` (c,), ids in ascending order; A C is computed in `dtype`."""
        return self._made(concepts, dtype, self._positive, self._offsets(concepts))

    def _made(
        self,
        concepts: torch.Tensor,
        dtype: torch.dtype | None,
        rows_of: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
        offsets: torch.Tensor,
    ) -> Atoms:
        """The atoms of `concepts` from their rows of A, some at a time, and of Λ; overwrites these.

        `rows_of` gives the rows of some concepts, and what they are to be divided by.
        """
        dtype = dtype or self.weights.dtype
        hull = torch.empty(len(concepts), self.centroids.shape[1]).to(self.centroids)
        sums = torch.empty(len(concepts), 1).to(hull)
        rows = self._rows()
        pieces = (part.split(rows) for part in (concepts, hull, sums))
        for some, hull_of, sums_of in zip(*pieces, strict=True):
            shares, sums_of[:] = rows_of(some)
            hull_of[:] = product(shares, self.centroids, dtype)
        hull /= sums
        values = offsets.add_(hull).mul_(torch.exp(self.multiplier.detach()))
        return Atoms(concepts, values, hull, sums)

    def _offsets(self, concepts: torch.Tensor) -> torch.Tensor:
        return bounded(self.relax.detach()[concepts], self.relaxation)

    def _positive(self, some: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shares = self.weights.detach()[some].relu_()
        return shares, _sums(shares)

    def _projected(self, some: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = self.weights.detach()
        if compiled_for(weights):
            return self._projected_on_cpu(weights, some)
        shares, sums = self._positive(some)
        shares /= sums
        lost = (sums[:, 0] < 2 * _SUM_FLOOR).nonzero()[:, 0]
        shares[lost] = 0
        shares[lost, some[lost] % shares.shape[1]] = 1
        weights[some] = shares
        return shares, torch.ones_like(sums)

    def _projected_on_cpu(
        self, weights: torch.Tensor, some: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`_projected` in one pass over the rows."""
        from blindspots_hub.concepts.training.loops import project_rows

        shares = torch.empty(len(some), weights.shape[1])
        parts = weights.numpy(), some.numpy(), _SUM_FLOOR, shares.numpy()
        on_all_cores(lambda first, last: project_rows(first, last, *parts), len(some))
        return shares, torch.ones(len(some), 1)

    @torch.no_grad()
    def set_gradients(
        self, atoms: Atoms, grad: torch.Tensor, dtype: torch.dtype | None = None
    ) -> None:
        """Set the gradients of a loss whose gradient in `atoms.values` (c, d) is `grad`.

        The rows of `atoms` must be projected. Atoms that are not among them have no gradient. The
        product with C is computed in `dtype`. Overwrites `grad`.
        """
        dtype = dtype or self.weights.dtype
        torch.sum(_dots(grad, atoms.values), 0, out=gradient(self.multiplier))
        inside = grad.mul_(torch.exp(self.multiplier.detach()))
        self._gradient("relax", atoms.concepts)[atoms.concepts] = inside
        shares = self._gradient("weights", atoms.concepts)
        # The gradient at a share is (∂·c − ∂·hull) / Σ: a centroid counts by what it does better
        # than the atom's present mixture.
        inside /= atoms.sums
        balance = _dots(inside, atoms.hull)[:, None]
        rows = self._rows()
        for some, part, mixture in zip(
            atoms.concepts.split(rows), inside.split(rows), balance.split(rows), strict=True
        ):
            shares[some] = product(part, self.centroids.T, dtype).sub_(mixture)
        for name in ("relax", "weights"):
            grad = gradient(getattr(self, name))
            self._set[name] = grad, grad._version, atoms.concepts

    def _gradient(self, name: str, concepts: torch.Tensor) -> torch.Tensor:
        """The gradient of a parameter, zero in all rows but those of `concepts`, set next.

        Only the rows that the last step set are emptied, unless somebody else has written since.
        """
        grad = gradient(getattr(self, name))
        last, version, rows = self._set.get(name, (None, 0, concepts))
        if last is not grad or version != grad._version:
            return grad.zero_()
        stale = torch.zeros(len(grad), dtype=torch.bool, device=grad.device)
        stale[rows], stale[concepts] = True, False
        return grad.index_fill_(0, stale.nonzero()[:, 0], 0)

    def fuse(self) -> torch.Tensor:
        """All atoms, (n, d)."""
        return self.atoms(torch.arange(len(self.weights), device=self.weights.device)).values

    def _rows(self) -> int:
        """Rows of A that are worked on at a time."""
        size = _PIECE.get(self.weights.device.type, _LARGE_PIECE)
        return max(1, size // (self.weights.shape[1] * self.weights.element_size()))

    @torch.no_grad()
    def rescale(self, factor: float) -> None:
        """Multiply every atom by `factor` > 0."""
        self.multiplier.add_(math.log(factor))
