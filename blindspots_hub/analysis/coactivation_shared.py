"""Entries that two co-activation matrices share, counted row by row without making either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.utils.cores import on_all_cores

THRESHOLDS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Mean squared energy an image (or code a token) that an entry of M / N lies above, ascending."""

ROWS = 8_000
"""Concepts, chosen at random, whose rows of M are counted; all of them where there are fewer."""


@dataclass(frozen=True)
class Shared:
    """Entries of two co-activation matrices above each threshold, beyond the diagonal.

    `one`, `other` and `both` (thresholds,) count them; `unshared` is the share of the other's that
    the one lacks.
    """

    one: np.ndarray
    other: np.ndarray
    both: np.ndarray
    error: float
    """Standard error of `unshared` at the lowest threshold, over concepts (rows of M)."""

    @classmethod
    def of(cls, counts: np.ndarray, times: float = 1.0) -> Shared:
        """From counts (n, thresholds, 3) of the one, the other and both, a row a concept.

        Each stands for `times` entries of M.
        """
        one, other, both = np.rint(counts.sum(axis=0).T * times).astype(np.int64)
        lacking, there = counts[:, 0, 1] - counts[:, 0, 2], counts[:, 0, 1]
        total = max(int(there.sum()), 1)
        # A ratio of sums over rows; twice the variance, as each entry is of two concepts.
        spread = ((lacking - lacking.sum() / total * there).astype(np.float64) ** 2).sum()
        return cls(one, other, both, float(np.sqrt(2 * spread) / total))

    @property
    def unshared(self) -> np.ndarray:
        """Share of the other's entries that the one has not, by threshold; NaN of none."""
        lacking = (self.other - self.both).astype(np.float64)
        unknown = np.full(len(lacking), np.nan)
        return np.divide(lacking, self.other, out=unknown, where=self.other > 0)


def shared_entries(one: ImageEnergies, other: ImageEnergies) -> Shared:
    """Entries of M = Z'Z / N of both, row by row of `ROWS` concepts: a row of each is held."""
    from blindspots_hub.analysis.coactivation_loops import count_entries

    n = one.n_concepts
    rows = np.sort(np.random.default_rng(0).permutation(n)[:ROWS])
    levels = np.zeros((len(rows), len(THRESHOLDS) + 1, len(THRESHOLDS) + 1), np.int32)
    parts: list[np.ndarray] = []
    for side in (one, other):
        # Each factor is divided by the root of N, so that entries are means over images.
        scale = np.float32(1 / np.sqrt(max(side.n_images, 1)))
        by_concept = side.by_concept
        parts += [by_concept.indptr, by_concept.indices, by_concept.data * scale]
        parts += [side.indptr, side.concepts, side.energies * scale]
    thresholds = np.array(THRESHOLDS, np.float32)
    on_all_cores(
        lambda first, last: count_entries(first, last, rows, *parts, thresholds, levels), len(rows)
    )
    counts = np.stack(
        [
            [levels[:, t:].sum(axis=(1, 2)) for t in range(1, len(THRESHOLDS) + 1)],
            [levels[:, :, t:].sum(axis=(1, 2)) for t in range(1, len(THRESHOLDS) + 1)],
            [levels[:, t:, t:].sum(axis=(1, 2)) for t in range(1, len(THRESHOLDS) + 1)],
        ]
    )
    return Shared.of(counts.transpose(2, 1, 0), 2 * n / max(len(rows), 1))  # M is symmetric
