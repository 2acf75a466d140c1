"""Whether a blindspot is real: the verdict on a concept that was put to the test (METHOD §9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blindspots_hub.artifacts.schema import STRESS_DIRECTIONS, STRESS_VERDICTS
from blindspots_hub.stress.rates import ALPHA, Contrast, Shown

HALF = 0.5
"""A blindspot is confirmed where the concept is shown surely less than this share of the
reference's: two-fold, as for the states `weakened` and `suppressed`."""

TWICE = 2.0
"""The same for what is drawn too much: shown surely more than this many times as often."""

LEAST_SHOWN = 0.1
"""Share that a reference must surely exceed: prompts that do not bring a concept out where nothing
is amiss tell nothing of a model."""

CONFIRMED, NOT_CONFIRMED, UNDECIDED = STRESS_VERDICTS
SUPPRESSED, EXAGGERATED = STRESS_DIRECTIONS


@dataclass(frozen=True)
class Comparison:
    """One concept: how often the tested model shows it, and how often it would be shown.

    `against` is of a second model on the same prompts, `natural` of natural images whose captions
    name the concept, or where it is tested as `EXAGGERATED` do not; None where there is none.
    """

    tested: Shown
    against: Shown | None = None
    natural: Shown | None = None
    direction: str = SUPPRESSED

    @property
    def factor(self) -> float:
        """How many times the reference's share is the line that a verdict is surely beyond."""
        return TWICE if self.direction == EXAGGERATED else HALF

    @property
    def reference(self) -> str:
        """What the verdict rests on: "against", "natural", or "none" that can be held against it.

        Of a suppressed concept the second model where it shows the concept itself, else natural
        images. Of an exaggerated one natural images, else the second model: how seldom either shows
        it is what is asked.
        """
        if self.direction == EXAGGERATED:
            for name, shown in (("natural", self.natural), ("against", self.against)):
                if shown is not None and shown.total:
                    return name
            return "none"
        for name, shown in (("against", self.against), ("natural", self.natural)):
            if shown is not None and shown.limits()[0] >= LEAST_SHOWN:
                return name
        return "none"

    @property
    def contrast(self) -> Contrast | None:
        """The share against that of the reference; None where nothing can be held against it."""
        if not self.tested.total:
            return None
        if self.reference == "against" and self.against is not None:
            return Contrast(self.tested, self.against, self.tested.correlation(self.against))
        if self.reference == "natural" and self.natural is not None:
            return Contrast(self.tested, self.natural)
        return None


@dataclass(frozen=True)
class Verdict:
    """`verdict` is one of `STRESS_VERDICTS`; `fold` is share over reference share, with its ends.

    `p` is of "half as often as the reference", of an exaggerated concept of "twice as often",
    `p_holm` the same corrected for all concepts of the run. Without a reference all are NaN.
    """

    verdict: str
    reference: str
    fold: float = float("nan")
    fold_low: float = float("nan")
    fold_high: float = float("nan")
    p: float = float("nan")
    p_holm: float = float("nan")


def judge(comparisons: Sequence[Comparison], alpha: float = ALPHA) -> list[Verdict]:
    """The verdict on each concept of a run, at family-wise level `alpha` (Holm 1979).

    Confirmed: shown surely less than half as often as by the reference, or if exaggerated surely
    more than twice as often. Not confirmed: surely on the other side of that line. Undecided:
    neither, or nothing to hold it against.
    """
    contrasts = [one.contrast for one in comparisons]
    p = np.array(
        [
            np.nan if contrast is None else contrast.p_value(one.factor)
            for one, contrast in zip(comparisons, contrasts, strict=True)
        ]
    )
    corrected = holm(p)
    found = []
    for one, contrast, own, theirs in zip(comparisons, contrasts, p, corrected, strict=True):
        if contrast is None:
            found.append(Verdict(UNDECIDED, "none"))
            continue
        less = contrast.tested.share < one.factor * contrast.reference.share
        sure = CONFIRMED if less == (one.direction == SUPPRESSED) else NOT_CONFIRMED
        found.append(
            Verdict(
                sure if theirs < alpha else UNDECIDED,
                one.reference,
                *contrast.fold(),
                float(own),
                float(theirs),
            )
        )
    return found


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (m,) corrected for each other, family-wise; NaN stays (Holm 1979)."""
    known = np.flatnonzero(np.isfinite(p))
    corrected = np.full(len(p), np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
