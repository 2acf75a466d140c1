"""A row of the report, and the bounds by which shares are judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
"""Of the one-sided bounds: a share is held against its goal by the bound, not by its value."""


@dataclass(frozen=True)
class Check:
    """One row: what was measured, what was asked for, and whether it holds.

    `holds` is None for a row that is told and not judged.
    """

    name: str
    value: str
    wanted: str
    holds: bool | None


def told(name: str, value: str) -> Check:
    """A row that is not judged."""
    return Check(name, value, "told", None)


def unjudged(check: Check) -> Check:
    """The same row, told only."""
    return replace(check, wanted="told", holds=None)


def lower_bound(hits: float, of: float, confidence: float = CONFIDENCE) -> float:
    """Clopper and Pearson's one-sided lower bound of a share of which `hits` `of` were seen."""
    return float(stats.beta.ppf(1 - confidence, hits, of - hits + 1)) if hits else 0.0


def upper_bound(hits: float, of: float, confidence: float = CONFIDENCE) -> float:
    """The upper bound; 1 where nothing was seen."""
    return float(stats.beta.ppf(confidence, hits + 1, of - hits)) if hits < of else 1.0


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


def clustered_at_least(name: str, found: Clustered, goal: float, right: float) -> Check:
    """A share whose lower bound must reach `goal`.

    Told, not judged, where so few can show neither: the goal lies between the two bounds, and a
    right method (`right`: its share, as it does what it says) would not be expected to reach it.
    """
    value = (
        f"{share(found.hits, found.of)}, at least {found.bound:.1%} "
        f"({found.clusters} concepts, worth {found.effective:,.0f})"
    )
    holds = found.bound >= goal
    if not holds and found.upper >= goal and not found.tells(goal, right):
        return told(name, f"{value}: too few to tell {right:.0%} from {goal:.0%}")
    return Check(name, value, f"≥ {goal:.0%}", holds)


def share_at_least(name: str, hits: int, of: int, goal: float) -> Check:
    """A share whose lower bound must reach `goal`; told where so few could not show it anyway."""
    bound = lower_bound(hits, of)
    value = f"{share(hits, of)}, at least {bound:.1%}"
    if hits == of and bound < goal:  # not one miss, and no fault of the method
        return told(name, f"{value}: too few to show ≥ {goal:.0%}")
    return Check(name, value, f"≥ {goal:.0%}", bound >= goal)


def share_at_most(name: str, hits: int, of: int, goal: float) -> Check:
    """A share whose upper bound must not pass `goal`; told where so few cannot show it."""
    bound = upper_bound(hits, of)
    value = f"{share(hits, of)}, at most {bound:.1%}"
    if hits == 0 and bound > goal:
        return told(name, f"{value}: too few to show ≤ {goal:.0%}")
    return Check(name, value, f"≤ {goal:.0%}", bound <= goal)


def share_told(name: str, hits: int, of: int) -> Check:
    """A share with its lower bound, not judged."""
    return told(name, f"{share(hits, of)}, at least {lower_bound(hits, of):.1%}")


def share(hits: int, of: int) -> str:
    """ "41 of 44 (93.2 %)"."""
    return f"{hits:,} of {of:,}" + (f" ({hits / of:.1%})" if of else "")


def at_least(name: str, value: float, goal: float) -> Check:
    """A value, itself a bound or no share, that must reach `goal`."""
    return Check(name, f"{value:.3f}", f"≥ {goal}", bool(value >= goal))
