"""Row 2: which of all true changes the tool's own states tell, and why the others are missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blindspots_hub.measure.delta import TWO_FOLD
from blindspots_hub.planted.benchmark.checks import (
    Check,
    share,
    share_at_least,
    share_at_most,
    share_told,
    told,
)
from blindspots_hub.planted.benchmark.points import CHANGED, UNCHANGED, Point, beyond_two_fold
from blindspots_hub.planted.factors import FACTORS
from blindspots_hub.planted.faults import Fault
from blindspots_hub.planted.truth import Change

NO_CONCEPT = "no concept stands for it"
SHARED = "its concept is shared"
FEW = "too few pairs"
SMALL = "measured as less than two-fold"
REASONS = (NO_CONCEPT, SHARED, FEW, SMALL)
"""Why a change is missed; the first that holds."""

SIZES = ((0.0, CHANGED), (CHANGED, TWO_FOLD), (TWO_FOLD, 0.5), (0.5, 0.8), (0.8, 1.01))
"""|true r| of the changes that are counted together; 1/3 is two-fold, 0.5 three, 0.8 nine."""

PLAIN = 0.5
"""|true r| that nothing but a lack of pairs excuses: three-fold, where the concept is its own."""

FULL = 0.9
"""|true r| from which a change is to cross the paper's thresholds (0.88 by relative δ)."""


@dataclass(frozen=True)
class Outcome:
    """One true change of one model: found, or missed for a reason."""

    model: str
    factor: str
    true: float
    strength: float | None
    """Of the planted fault; None where another fault brought the change about."""
    missed: str | None
    """One of `REASONS`, or None where it was found."""
    point: Point | None

    @property
    def found(self) -> bool:
        """Whether a state of the tool tells of it, on the right side."""
        return self.missed is None


def outcomes(
    model: str,
    faults: Sequence[Fault],
    truth: Mapping[str, Change],
    points: Sequence[Point],
) -> list[Outcome]:
    """Every true change of |r| ≥ 0.2, and every planted fault whatever it came to.

    `points` are the model's. Memorised templates change no frequency: they have rows of their own.
    """
    by_factor = {point.factor: point for point in points}
    strengths = {fault.factor: fault.strength for fault in faults if fault.kind != "memorise"}
    found = []
    for factor in FACTORS:
        true = truth[factor].relative
        if factor == "template" or (abs(true) < CHANGED and factor not in strengths):
            continue
        point = by_factor.get(factor)
        missed = _why_missed(true, point)
        found.append(Outcome(model, factor, true, strengths.get(factor), missed, point))
    return found


def _why_missed(true: float, point: Point | None) -> str | None:
    if point is None:
        return NO_CONCEPT
    if point.found(true):
        return None
    if not point.alone:
        return SHARED
    # Judged, it would have been told: the interval was too wide for what was measured.
    return FEW if not point.determined or beyond_two_fold(point.measured) else SMALL


def recall(every: Sequence[Outcome]) -> list[Check]:
    """Rows: found of all, by size, by reason; judged where a concept owns a plain change."""
    changed = [one for one in every if abs(one.true) >= CHANGED]
    checks = [share_told("recall: all changes of |r| ≥ 0.2", _found(changed), len(changed))]
    for low, high in SIZES:
        band = [one for one in every if low <= abs(one.true) < high]
        if band:
            name = f"recall: |r| {low:.2f} to {min(high, 1):.2f}"
            checks.append(told(name, f"{share(_found(band), len(band))}{_reasons(band)}"))
    planted = [one for one in every if one.strength is not None]
    checks.append(
        told("recall: all planted faults", share(_found(planted), len(planted)) + _reasons(planted))
    )
    plain = [one for one in changed if abs(one.true) >= PLAIN and _own(one)]
    checks.append(
        share_at_least(
            f"recall: |r| ≥ {PLAIN} of factors with their own concept",
            _found(plain),
            len(plain),
            0.8,
        )
    )
    full = [one for one in changed if abs(one.true) >= FULL and _own(one)]
    crossed = sum(_crossed(one) for one in full)
    checks.append(
        share_at_least("recall: |r| ≥ 0.9 cross δ 0.1 or 0.9, own concept", crossed, len(full), 0.8)
    )
    return checks


def false_alarms(points: Sequence[Point]) -> Check:
    """Factors that did not change, with a concept of their own that tells of a change."""
    steady = [p for p in points if p.alone and p.determined and abs(p.true) < UNCHANGED]
    told_of = sum(point.found(1) or point.found(-1) for point in steady)
    return share_at_most("false alarms: factors with |r| < 0.05", told_of, len(steady), 0.05)


def unseen(stands: Mapping[str, object]) -> list[str]:
    """Factors that no concept stands for, by name."""
    return [factor for factor in FACTORS if factor not in stands]


def _found(some: Sequence[Outcome]) -> int:
    return sum(one.found for one in some)


def _own(one: Outcome) -> bool:
    return one.point is not None and one.point.alone


def _crossed(one: Outcome) -> bool:
    wanted = "exaggerated" if one.true > 0 else "suppressed"
    return one.point is not None and wanted in (one.point.state, one.point.relative_state)


def _reasons(some: Sequence[Outcome]) -> str:
    counts = Counter(one.missed for one in some if one.missed)
    listed = [f"{counts[reason]} {reason}" for reason in REASONS if counts[reason]]
    return "; missed: " + ", ".join(listed) if listed else ""
