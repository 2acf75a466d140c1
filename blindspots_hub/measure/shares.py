"""Shares of what was seen, and their bounds where hits of one cluster come and go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

CONFIDENCE = 0.95
"""Of one-sided bounds."""


def lower_bound(hits: float, of: float, confidence: float = CONFIDENCE) -> float:
    """Clopper and Pearson's one-sided lower bound of a share of which `hits` `of` were seen."""
    return float(scipy.special.betaincinv(hits, of - hits + 1, 1 - confidence)) if hits else 0.0


def upper_bound(hits: float, of: float, confidence: float = CONFIDENCE) -> float:
    """The upper bound; 1 where nothing was seen."""
    return float(scipy.special.betaincinv(hits + 1, of - hits, confidence)) if hits < of else 1.0


@dataclass(frozen=True)
class Clustered:
    """Hits of which those of one cluster come and go together: a concept's, of several models.

    `bound` is Clopper and Pearson's of as many independent hits as have the variance that the
    clusters show (Korn and Graubard 1998): `effective`, all of them where none is missed.
    """

    hits: int
    of: int
    clusters: int
    effective: float

    @classmethod
    def of_hits(cls, hit: np.ndarray, cluster: np.ndarray) -> Clustered:
        """From `hit` (bool) and the `cluster` of each."""
        n, hits = len(hit), int(hit.sum())
        _, number = np.unique(cluster, return_inverse=True)
        clusters = int(number.max()) + 1 if n else 0
        if hits in (0, n) or clusters < 2:
            return cls(hits, n, clusters, n)
        share = hits / n
        excess = np.bincount(number, hit - share)
        variance = clusters / (clusters - 1) * float((excess**2).sum()) / n**2
        return cls(hits, n, clusters, min(n, share * (1 - share) / variance))

    @property
    def _share(self) -> float:
        return self.hits / self.of if self.of else 0.0

    @property
    def bound(self) -> float:
        """One-sided lower bound of the share."""
        return lower_bound(self._share * self.effective, self.effective)

    @property
    def upper(self) -> float:
        """One-sided upper bound of the share."""
        return upper_bound(self._share * self.effective, self.effective)

    def tells(self, goal: float, right: float) -> bool:
        """Whether a method whose true share is `right` would be expected to reach `goal`."""
        return lower_bound(right * self.effective, self.effective) >= goal
