"""Rows 1: a factor's true change beside what its concept measures; and the states that tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from blindspots_hub.measure.delta import TWO_FOLD
from blindspots_hub.measure.table import Columns
from blindspots_hub.planted.benchmark.checks import Check, at_least, told
from blindspots_hub.planted.concept_match import ConceptMatch
from blindspots_hub.planted.truth import Change

CHANGED = 0.2
"""|true r| from which on a factor counts as changed."""

UNCHANGED = 0.05
"""|true r| below which a factor counts as unchanged."""

LESS, MORE = ("weakened", "suppressed"), ("strengthened", "exaggerated")
"""The tool's own states that tell of a change, by its side."""


@dataclass(frozen=True)
class Point:
    """One factor of one model: its true change, and what the concept that stands for it measures.

    `alone` tells whether the concept stands for this factor and hardly for anything else; the rest
    is that concept's row of the table.
    """

    model: str
    factor: str
    concept: int
    alone: bool
    true: float
    measured: float
    low: float
    high: float
    state: str
    relative_state: str
    q: float
    support: float
    delta: float

    @property
    def determined(self) -> bool:
        """Whether the tool judges the concept at all."""
        return self.relative_state not in ("dead", "undetermined")

    def found(self, side: float) -> bool:
        """Whether a state under either δ tells of a change to `side` (its sign counts)."""
        wanted = MORE if side > 0 else LESS
        return self.state in wanted or self.relative_state in wanted


def points(
    model: str, table: Columns, truth: Mapping[str, Change], stands: Mapping[str, ConceptMatch]
) -> list[Point]:
    """A point for every factor that some concept stands for, whatever the tool made of it.

    Templates are left out: the stored picture differs from the natural ones of the same template,
    so that its energy changes where the factor does not; memorisation has rows of its own.
    """
    found = []
    for factor, stand in stands.items():
        if factor == "template":
            continue
        row = {name: column[stand.concept] for name, column in table.items()}
        found.append(
            Point(
                model,
                factor,
                stand.concept,
                stand.alone,
                truth[factor].relative,
                float(row["relative_gap"]),
                float(row["relative_gap_low"]),
                float(row["relative_gap_high"]),
                str(row["state"]),
                str(row["relative_state"]),
                float(row["q"]),
                float(row["support"]),
                float(row["delta"]),
            )
        )
    return found


def calibration(every: Sequence[Point]) -> list[Check]:
    """Row 1: measured against true relative change, of factors with a concept of their own.

    For those that share theirs the slope is told: what else the concept stands for pulls its gap
    towards 0, and no interval of the concept shows that.
    """
    judged = [point for point in every if point.determined]
    own = _fit([point for point in judged if point.alone])
    shared = [point for point in judged if not point.alone]
    checks = []
    if own is not None:
        n, r, slope = own
        checks += [
            at_least(
                f"calibration: Pearson r over {n} changes of factors with their own concept",
                r,
                0.95,
            ),
            Check(
                "calibration: slope, own concept", f"{slope:.3f}", "0.8 to 1.2", 0.8 <= slope <= 1.2
            ),
        ]
    if (fit := _fit(shared)) is not None:
        n, r, slope = fit
        checks.append(
            told(
                f"calibration: slope over {n} with a shared concept",
                f"{slope:.3f} (Pearson r {r:.3f})",
            )
        )
    return checks


def _fit(some: Sequence[Point]) -> tuple[int, float, float] | None:
    if len(some) < 3:
        return None
    fit = stats.linregress([p.true for p in some], [p.measured for p in some])
    return len(some), float(fit.rvalue), float(fit.slope)


def holds_the_factor(every: Sequence[Point]) -> tuple[int, int]:
    """How many pointwise intervals of concepts of their own hold the factor's true change."""
    judged = [point for point in every if point.determined and point.alone]
    inside = np.array([point.low <= point.true <= point.high for point in judged], bool)
    return int(inside.sum()), len(judged)


def beyond_two_fold(r: float) -> bool:
    """Whether a relative gap is a change by a factor of two or more."""
    return abs(r) > TWO_FOLD
