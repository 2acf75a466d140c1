"""Whether a blindspot is real: the verdict on a concept that prompts asked for (METHOD §9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blindspots_hub.artifacts.schema import STRESS_VERDICTS
from blindspots_hub.stress.rates import ALPHA, Contrast, Shown

HALF = 0.5
"""A blindspot is confirmed where the concept is shown surely less than this share of the
reference's: two-fold, as for the states `weakened` and `suppressed`."""

LEAST_SHOWN = 0.1
"""Share that a reference must surely exceed: prompts that do not bring a concept out where nothing
is amiss tell nothing of a model."""

CONFIRMED, NOT_CONFIRMED, UNDECIDED = STRESS_VERDICTS


@dataclass(frozen=True)
class Comparison:
    """One concept: how often the tested model shows it, and how often it would be shown.

    `against` is of a second model on the same prompts, `natural` of natural images whose captions
    name the concept; None where there is none.
    """

    tested: Shown
    against: Shown | None = None
    natural: Shown | None = None

    @property
    def reference(self) -> str:
        """What the verdict rests on: "against", "natural", or "none" that shows the concept.

        The second model where it shows the concept itself, else natural images.
        """
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

    `p` is of "half as often as the reference", `p_holm` the same corrected for all concepts of the
    run. Without a reference all are NaN.
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

    Confirmed: shown surely less than half as often as by the reference. Not confirmed: surely at
    least half as often. Undecided: neither, or no reference shows it.
    """
    contrasts = [one.contrast for one in comparisons]
    p = np.array([np.nan if one is None else one.p_value(HALF) for one in contrasts])
    corrected = holm(p)
    found = []
    for one, contrast, own, theirs in zip(comparisons, contrasts, p, corrected, strict=True):
        if contrast is None:
            found.append(Verdict(UNDECIDED, "none"))
            continue
        less = contrast.tested.share < HALF * contrast.reference.share
        sure = CONFIRMED if less else NOT_CONFIRMED
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
