"""The five results that the benchmark must show, each a function from measurements to checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from blindspots_hub.measure.table import Columns
from blindspots_hub.planted.concept_match import ConceptMatch
from blindspots_hub.planted.truth import Change

CHANGED = 0.2
"""|true r| from which on a factor counts as changed."""

UNCHANGED = 0.05
"""|true r| below which a factor counts as unchanged."""


@dataclass(frozen=True)
class Check:
    """One criterion: what was measured, what was asked for, and whether it holds."""

    name: str
    value: str
    wanted: str
    holds: bool


@dataclass(frozen=True)
class Point:
    """One factor of one model: its true and its measured relative change."""

    model: str
    factor: str
    concept: int
    true: float
    measured: float
    low: float
    high: float
    state: str
    q: float
    support: int

    def flagged(self, side: int) -> bool:
        """Whether the concept is found to have changed, significantly, to `side` (±1).

        A concept is flagged where q < 0.05 and the interval lies beyond ±0.05, the size below
        which a change counts as none: a blindspot is a significant *and* large change.
        """
        beyond = self.low > UNCHANGED if side > 0 else self.high < -UNCHANGED
        return self.q < 0.05 and beyond


def points(
    model: str, table: Columns, truth: dict[str, Change], stands: dict[str, ConceptMatch]
) -> list[Point]:
    """True against measured change of every factor that has a concept of its own and support.

    Templates are left out: the stored picture differs from the natural ones of the same template,
    so that its energy changes where the factor does not.
    """
    found = []
    for factor, concept in ((name, s.concept) for name, s in stands.items() if s.alone):
        if factor == "template":
            continue
        if table["relative_state"][concept] in ("dead", "undetermined"):
            continue
        found.append(
            Point(
                model,
                factor,
                concept,
                truth[factor].relative,
                float(table["relative_gap"][concept]),
                float(table["relative_gap_low"][concept]),
                float(table["relative_gap_high"][concept]),
                str(table["relative_state"][concept]),
                float(table["q"][concept]),
                int(table["support"][concept]),
            )
        )
    return found


def calibration(every: Sequence[Point]) -> list[Check]:
    """Result 1: measured against true relative change."""
    true = np.array([point.true for point in every])
    measured = np.array([point.measured for point in every])
    fit = stats.linregress(true, measured)
    slope = float(fit.slope)
    return [
        _at_least(f"calibration: Pearson r over {len(every)} factors", fit.rvalue, 0.95),
        Check("calibration: slope", f"{slope:.3f}", "0.8 to 1.2", 0.8 <= slope <= 1.2),
    ]


def flags(
    every: Sequence[Point], certain: Sequence[Point], null_flagged: Sequence[float]
) -> list[Check]:
    """Result 2: what changed is flagged, what did not is not; full faults cross the thresholds.

    `certain` are the points of factors that truly changed by |r| ≥ 0.9; `null_flagged` the shares
    flagged where natural images meet natural images.
    """
    changed = [point for point in every if abs(point.true) >= CHANGED]
    steady = [point for point in every if abs(point.true) < UNCHANGED]
    hit = np.mean([point.flagged(1 if point.true > 0 else -1) for point in changed])
    false = np.mean([point.flagged(1) or point.flagged(-1) for point in steady])
    crossed = [
        point.state == ("exaggerated" if point.true > 0 else "suppressed") for point in certain
    ]
    return [
        _at_least(f"flags: {len(changed)} factors with |r| ≥ 0.2 found", float(hit), 0.95),
        _at_most(f"flags: {len(steady)} factors with |r| < 0.05 flagged", float(false), 0.05),
        _at_most("flags: natural against natural", float(np.max(null_flagged)), 0.05),
        _at_least(
            f"flags: {len(crossed)} full faults cross δ 0.1 or 0.9",
            float(np.mean(crossed)) if crossed else 0.0,
            1.0,
        ),
    ]


def average_precision(score: np.ndarray, relevant: np.ndarray) -> float:
    """Average precision of ranking by descending `score`; ties in the order given."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(relevant, score))


def memorised_score(distance: np.ndarray, duplicates: np.ndarray) -> np.ndarray:
    """Rank of memorisation: the datapoint ranking with its check (section 5.4).

    The smallest distances come first, but a near picture that the model drew once only is a good
    drawing: pictures that the model returned for other captions too come before all others.
    """
    closeness = -stats.rankdata(distance) / len(distance)
    return closeness + np.minimum(duplicates, 1) * 2.0


def datapoints(
    precision: dict[str, float], noisy_found: dict[str, tuple[float, float, float]]
) -> list[Check]:
    """Result 3: memorised pairs are found; noisy captions gather among the largest differences.

    `noisy_found` holds, a model, the measured share of noisy captions among the tenth of pairs
    with the largest distance, their share overall, and the p-value of the enrichment.
    """
    checks = [
        _at_least(f"memorised pairs of {name}: average precision", value, 0.95)
        for name, value in precision.items()
    ]
    for name, (top, overall, p) in noisy_found.items():
        text = f"{top:.1%} against {overall:.1%} of all, p = {p:.0e}"
        checks.append(
            Check(
                f"noisy captions of {name} among the largest tenth",
                text,
                "more, p < 0.05",
                top > overall and p < 0.05,
            )
        )
    return checks


def findings(
    correlation: dict[tuple[str, str], float],
    siblings: tuple[str, str],
    spread: dict[str, tuple[float, float]],
    base: str,
    variant: str,
    skewness: dict[str, float],
    frequency: dict[str, float],
) -> list[Check]:
    """Result 4: the paper's signs from known causes.

    `correlation` of δ for pairs of base models; `spread` is (median, interquartile range) of the
    pairs' distances a model; `skewness` of δ; `frequency` Spearman correlation of frequency with
    misalignment.
    """
    own = correlation[siblings]
    others = max(value for pair, value in correlation.items() if pair != siblings)
    median = spread[variant][0] < spread[base][0]
    width = spread[variant][1] < spread[base][1]
    return [
        Check("siblings' r of δ", f"{own:.2f} against {others:.2f}", "above others", own > others),
        Check(
            "variant's distances: median and spread",
            f"{spread[variant][0]:.2f} ± {spread[variant][1]:.2f} against "
            f"{spread[base][0]:.2f} ± {spread[base][1]:.2f}",
            "below its base",
            median and width,
        ),
        *(
            Check(f"skewness of δ, {name}", f"{value:.2f}", "below 0", value < 0)
            for name, value in skewness.items()
        ),
        *(
            Check(f"frequency against misalignment, {name}", f"{value:.2f}", "below 0", value < 0)
            for name, value in frequency.items()
        ),
    ]


def _at_least(name: str, value: float, bound: float) -> Check:
    return Check(name, f"{value:.3f}", f"≥ {bound}", bool(value >= bound))


def _at_most(name: str, value: float, bound: float) -> Check:
    return Check(name, f"{value:.3f}", f"≤ {bound}", bool(value <= bound))
