"""What the method flags where nothing differs: the same images with their sides exchanged.

METHOD §3, "Null". A Benjamini-Hochberg count under a global null is 0 by construction; so counted
are concepts with a p-value that the table itself would have rejected. Nothing is measured again:
exchanging the sides of a pair changes the sign of its differences and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from blindspots_hub.measure.comparison import Comparison, comparisons
from blindspots_hub.measure.energies import column_squares
from blindspots_hub.measure.moments import (
    Sample,
    SideMoments,
    unpaired_moments,
    variance_of_mean,
)
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.significance import (
    few_differences,
    sign_flip,
    t_test,
    unpaired_p,
)
from blindspots_hub.measure.table import Measured

REPEATS = 20
"""Random exchanges that the share is averaged over, and its spread taken from."""


def null_p(comparison: Comparison, judged: np.ndarray, seed: int = 0) -> np.ndarray:
    """p-values (n, `REPEATS`) where sides are exchanged; NaN but for the concepts `judged`.

    Which are exchanged depends on the seed and on the images alone, so that concepts may be asked
    for in blocks.
    """
    p = np.full((len(judged), REPEATS), np.nan)
    chosen = np.flatnonzero(judged)
    if len(chosen):
        paired = comparison.difference is not None
        p[chosen] = (_swapped if paired else _dealt_anew)(comparison, chosen, seed)
    return p


def null_share(
    found: Measured,
    settings: MeasureSettings,
    generation_energies: GenerationEnergies | None = None,
) -> dict[str, Any]:
    """Share of the supported concepts that would be flagged if nothing differed.

    `found` was measured with `null_p`. Paired sides are swapped at random within each pair (of a
    cluster of near-copies together), all concepts at once; unpaired images are dealt anew to two
    sets of the same sizes. `flagged` is the mean share over `repeats`, `flagged_low` and
    `flagged_high` the least and the largest. Where `generation_energies` hold several of a caption,
    `generations` tells the share of generation 0 against generation 1 and of how many pairs; else
    it is None. Shares are None where no concept has support.
    """
    if found.null_p is None:
        raise ValueError("measured without null_p")
    judged = np.flatnonzero(np.isfinite(found.columns["q"]))
    threshold = found.selection.threshold(found.columns["p"], found.columns["q"], settings)
    entry: dict[str, Any] = {
        "kind": "swap" if found.paired else "relabel",
        "repeats": REPEATS,
        "pairs": found.images,
        "flagged": None,
        "flagged_low": None,
        "flagged_high": None,
        "generations": None,
    }
    if len(judged) == 0:
        return entry
    share = (found.null_p[judged] <= threshold).mean(axis=0)
    entry |= {
        "flagged": float(share.mean()),
        "flagged_low": float(share.min()),
        "flagged_high": float(share.max()),
    }
    if generation_energies is not None:
        entry["generations"] = _first_two(generation_energies, judged, threshold)
    return entry


@dataclass(frozen=True)
class NullShare:
    """Share of the judged concepts that are flagged where nothing differs, over `repeats`: its
    mean, the least and the largest; `kind` says how nothing was made to differ."""

    kind: str
    flagged: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> NullShare | None:
        """What a manifest's `null` tells; None where it was not measured, or no spread is told.

        Method 1 told none.
        """
        names = ("kind", "flagged", "flagged_low", "flagged_high", "repeats")
        told: list[Any] = [entry.get(name) for name in names]
        return None if None in told else cls(*told)


def null_flagged(entry: Mapping[str, Any]) -> float | None:
    """The share that a manifest's `null` tells, of method 2 or (by relative δ) of method 1."""
    share = entry.get("relative_flagged", entry.get("flagged"))
    return None if share is None else float(share)


def _swapped(comparison: Comparison, judged: np.ndarray, seed: int) -> np.ndarray:
    """p-values (judged, repeats) under random signs of the clusters' differences."""
    m, sizes = comparison.moments, comparison.natural.sizes
    assert comparison.difference is not None
    difference = comparison.difference[:, judged]
    rng = np.random.default_rng(seed)
    signs = rng.choice((1.0, -1.0), size=(len(sizes), REPEATS))
    by_concept = difference.T
    sums = by_concept @ signs
    weighted = by_concept @ (signs * sizes[:, None]) if sizes.max() > 1 else sums
    squares = column_squares(difference)[:, None]
    mean = sums / sizes.sum()
    variance = variance_of_mean(squares, weighted, mean, sizes)
    p = t_test(mean, variance, m.degrees_of_freedom[judged][:, None])
    p[np.diff(difference.indptr) == 0] = 1.0
    for concepts, values in few_differences(difference):
        p[concepts] = sign_flip(values, sums[concepts])
    return p


def _dealt_anew(comparison: Comparison, judged: np.ndarray, seed: int) -> np.ndarray:
    """p-values (judged, repeats) where clusters are dealt to the sides at random."""
    sides = comparison.natural, comparison.generated
    sums = scipy.sparse.vstack([side.sums for side in sides]).tocsc()[:, judged].tocsr()
    sizes = np.concatenate([side.sizes for side in sides])
    first = len(comparison.natural.sizes)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(REPEATS):
        order = rng.permutation(len(sizes))
        x, y = (
            Sample(sums[rows], sizes[rows], np.zeros(len(judged)))
            for rows in (order[:first], order[first:])
        )
        m = unpaired_moments(SideMoments.of(x), SideMoments.of(y))
        found.append(unpaired_p(x.fires, y.fires, m))
    return np.stack(found, axis=1)


def _first_two(
    generation_energies: GenerationEnergies, judged: np.ndarray, threshold: float
) -> dict[str, Any] | None:
    """Generation 0 against generation 1 of the captions that have both; None if too few have."""
    second, pairs = generation_energies.number(1)
    if len(pairs) < 2:
        return None
    first, _ = generation_energies.number(0)
    compared = comparisons(first.take(pairs), second, paired=True)
    p = np.concatenate([block.p for block in compared])[judged]
    return {"pairs": len(pairs), "flagged": float((p <= threshold).mean())}
