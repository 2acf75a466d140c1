"""How far the atoms of a dictionary lie from the convex hull of given points.

The distance of an atom x from conv(C) is min ‖x − aC‖ over a ≥ 0 with Σ a = 1. It is solved for
many atoms at once by accelerated projected gradient, and certified: the Frank-Wolfe duality gap
gives a lower bound beside the upper bound that the found point is.

A dictionary is D = exp(m) (A C + Λ): it is D / exp(m) whose atoms lie within ‖Λ‖ of the hull, and
the hull of points does not scale with m. So a distance is always one of D / scale, and relative to
the norm of the atom so scaled. A model that still knows its multiplier has scale = exp(m); one that
was fused and lost it has none, and then `fitted_scale` names the single scale, one for all atoms,
at which they lie closest to the hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

_SCALE_PRECISION = 1.01
_SCALE_TURNS = 30
"""Enough for a scale 2²⁰ away from the first guess, which is never far off."""

_ROWS = 256
"""Atoms that are solved at once."""


@dataclass(frozen=True, eq=False)
class HullDistances:
    """Distances of m atoms from the hull, each relative to its atom's norm.

    upper (m,) is the distance of a point of the hull that was found; lower (m,) is proven: the true
    distance lies between the two. scale: by what the atoms were divided first.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    scale: float

    def summary(self) -> dict[str, float]:
        """Median and largest relative distance, the widest open interval, and the scale."""
        return {
            "hull_distance_median": float(np.median(self.upper)),
            "hull_distance_q95": float(np.quantile(self.upper, 0.95)),
            "hull_distance_max": float(self.upper.max()),
            "hull_distance_uncertainty": float((self.upper - self.lower).max()),
            "hull_scale": self.scale,
        }


def hull_distances(
    atoms: torch.Tensor,
    points: torch.Tensor,
    scale: float = 1.0,
    tolerance: float = 1e-3,
    max_steps: int = 3000,
) -> Work[HullDistances]:
    """Relative distance of each of `atoms` (m, d), divided by `scale`, from conv(`points` (p, d)).

    Steps until upper and lower bound differ by at most `tolerance`, or `max_steps`; what is left
    open shows in the bounds. Cost: 4 m p d operations a step. Atoms must not be zero. In float32
    on the points' device, so distances below 1e-3 are not told apart from none.
    """
    checked = _checked(atoms, points)
    upper, lower = np.empty(len(checked)), np.empty(len(checked))
    hull = _Hull(points)
    for start in range(0, len(checked), _ROWS):
        rows = slice(start, min(len(checked), start + _ROWS))
        solved = hull.project(checked[rows] / scale, tolerance, max_steps)
        norms = checked[rows].double().norm(dim=1) / scale
        upper[rows] = (solved.upper / norms).cpu().numpy()
        lower[rows] = (solved.lower / norms).cpu().numpy()
        yield Event("distance from the hull", rows.stop, len(checked))
    return HullDistances(upper, lower, scale)


def fitted_scale(
    atoms: torch.Tensor, points: torch.Tensor, tolerance: float = 1e-2, max_steps: int = 200
) -> Work[float]:
    """The scale s > 0 at which `atoms` / s lie closest to the hull, in relative least squares.

    Minimises F(s) = Σ_k min_a ‖x_k − s a C‖² / ‖x_k‖² to within one percent of s. F is convex, as
    a partial minimum of a function that is convex in s and s·a together, so its slope is bisected.
    Where atoms lie within `tolerance` of the hull at many scales, any of these is returned. Raises
    `BlindspotsError` where no scale helps: the atoms point away from the hull.
    """
    checked = _checked(atoms, points)
    norms = checked.norm(dim=1)
    hull = _Hull(points)
    low = high = float(norms.median() / points.norm(dim=1).median().clamp_min(1e-12))
    falls = rises = False
    for turn in range(_SCALE_TURNS):
        scale = (low * high) ** 0.5 if falls and rises else high if falls else low
        nearest = scale * hull.project(checked / scale, tolerance, max_steps).nearest
        off = (checked - nearest) / norms[:, None]
        slope = -float((off * nearest / norms[:, None]).sum(dtype=torch.float64))
        yield Event("fit the scale", turn + 1, _SCALE_TURNS)
        if float(off.square().sum(1).mean().sqrt()) <= tolerance:
            return scale
        if slope < 0:
            low, falls = scale, True
            high = high if rises else 2 * scale
        else:
            high, rises = scale, True
            low = low if falls else scale / 2
        if falls and rises and high / low < _SCALE_PRECISION:
            return (low * high) ** 0.5
    raise BlindspotsError(
        "The dictionary's atoms point away from the hull of the points at every scale: give the "
        "candidate points, or tokens of the backbone, that it was trained on."
    )


def _checked(atoms: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    if points.ndim != 2 or not len(points) or points.shape[1] != atoms.shape[1]:
        raise BlindspotsError(
            f"Atoms of width {atoms.shape[1]} cannot be held against points of shape "
            f"{tuple(points.shape)}: give points of the same width."
        )
    if not (torch.isfinite(points).all() and torch.isfinite(atoms).all()):
        raise BlindspotsError(
            "Atoms or points hold NaN or infinity, so they have no distance: check the files."
        )
    return atoms.detach().to(points.device, torch.float32)


@dataclass(frozen=True)
class _Solved:
    nearest: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor


class _Hull:
    """The hull of `points`, moved so that their mean is the origin: a much better conditioning."""

    def __init__(self, points: torch.Tensor) -> None:
        self.centre = points.float().mean(0)
        self.points = points.float() - self.centre
        # 2-norm squared of the points: the Lipschitz constant of the gradient.
        gram = self.points.T @ self.points
        self.lipschitz = float(torch.linalg.eigvalsh(gram)[-1].clamp_min(1e-12)) * 1.0001

    @torch.no_grad()
    def project(self, x: torch.Tensor, tolerance: float, max_steps: int) -> _Solved:
        """The nearest point of the hull to each row of `x`, with bounds on the distance.

        Accelerated projected gradient on a, begun at each row's nearest point and restarted where
        momentum points uphill (O'Donoghue and Candès 2015), which makes it converge linearly once
        the set of supporting points has settled. Rows that are done are no longer computed.
        """
        points, norms = self.points, x.norm(dim=1)
        target = x - self.centre
        first = torch.cdist(target, points).argmin(1)
        weights = torch.zeros(len(x), len(points), device=x.device)
        weights[torch.arange(len(x), device=x.device), first] = 1
        nearest = points[first]
        best_upper = (target - nearest).norm(dim=1).double()
        best_lower = torch.zeros_like(best_upper)
        best = nearest.clone()
        open_rows = torch.arange(len(x), device=x.device)
        ahead, inertia = weights, torch.ones(len(x), device=x.device)
        for step in range(max_steps):
            residual = ahead @ points - target[open_rows]
            gradient = residual @ points.T
            if step % 10 == 0:
                # f(a) − f* ≤ ⟨∇f, a⟩ − min ∇f at any a of the simplex, here the last iterate.
                here = weights @ points
                r = here - target[open_rows]
                slope = r @ points.T
                gap = (r * here).sum(1).double() - slope.min(dim=1).values.double()
                distance = r.norm(dim=1).double()
                lower = (distance.square() - 2 * gap.clamp_min(0)).clamp_min(0).sqrt()
                better = distance < best_upper[open_rows]
                best[open_rows[better]] = here[better]
                best_upper[open_rows] = torch.minimum(best_upper[open_rows], distance)
                best_lower[open_rows] = torch.maximum(best_lower[open_rows], lower)
                width = best_upper[open_rows] - best_lower[open_rows]
                left = width > tolerance * norms[open_rows]
                if not left.any():
                    break
                if left.sum() < len(left):
                    open_rows, weights, ahead = open_rows[left], weights[left], ahead[left]
                    gradient, inertia = gradient[left], inertia[left]
            moved = onto_simplex(ahead - gradient / self.lipschitz)
            uphill = ((ahead - moved) * (moved - weights)).sum(1) > 0
            inertia = torch.where(uphill, torch.ones_like(inertia), inertia)
            following = (1 + (1 + 4 * inertia.square()).sqrt()) / 2
            push = torch.where(uphill, torch.zeros_like(inertia), (inertia - 1) / following)
            ahead = moved + push[:, None] * (moved - weights)
            weights, inertia = moved, following
        lower = torch.minimum(best_lower, best_upper)
        return _Solved(best + self.centre, best_upper, lower)


def onto_simplex(rows: torch.Tensor) -> torch.Tensor:
    """The nearest point to each of `rows` (m, p) whose entries are ≥ 0 and sum to 1."""
    descending = rows.sort(dim=1, descending=True).values
    over = (descending.cumsum(1) - 1) / torch.arange(1, rows.shape[1] + 1, device=rows.device)
    support = (descending > over).sum(dim=1, keepdim=True)
    return (rows - over.gather(1, support - 1)).clamp_min(0)
