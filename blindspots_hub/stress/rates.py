"""How often prompts bring a concept out, with intervals for several images a prompt.

METHOD §9. An image shows a concept where its energy reaches the natural level: a quantile of the
energies of the natural images in which the concept fires. Images of one prompt are alike, so that
prompts are the clusters of every interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.shares import Clustered, lower_bound, upper_bound

LEVEL = 0.25
"""Quantile of the energies of natural images in which a concept fires: three quarters of these show
it, and what is fainter than the faintest quarter (a string where a feeder hung) does not count."""

LEAST_FIRES = 20
"""Natural images in which a concept must fire before it has a natural level."""

ALPHA = 0.05
"""One minus the level of intervals, and of the verdicts of all concepts of a run together."""

_LARGEST_FOLD = 1e3


def natural_level(energies: np.ndarray, concept: int, quantile: float = LEVEL) -> float:
    """The natural level of a concept, in energy units, from the energies of natural images (N,).

    Raises `BlindspotsError` where it fires in fewer than `LEAST_FIRES` of them.
    """
    fires = energies[energies > 0]
    if len(fires) < LEAST_FIRES:
        told = "no natural image" if not len(fires) else f"{len(fires)} natural images only"
        raise BlindspotsError(
            f"Concept {concept} fires in {told} of this bundle, of {LEAST_FIRES} that its natural "
            "level takes: choose a concept that fires more often, or a bundle of more pairs."
        )
    return float(np.quantile(fires, quantile))


@dataclass(frozen=True)
class Shown:
    """Images that show a concept: `hits` of `images` a prompt, both int64 (prompts,).

    Prompts none of whose images could be measured have 0 images and count for nothing.
    """

    hits: np.ndarray
    images: np.ndarray

    @classmethod
    def of(cls, energies: np.ndarray, prompt: np.ndarray, prompts: int, level: float) -> Shown:
        """From the concept's energy in each image and the number of its prompt."""
        shows = energies >= level
        return cls(
            np.bincount(prompt[shows], minlength=prompts).astype(np.int64),
            np.bincount(prompt, minlength=prompts).astype(np.int64),
        )

    @property
    def total(self) -> int:
        """Images that were measured."""
        return int(self.images.sum())

    @property
    def count(self) -> int:
        """Images that show it."""
        return int(self.hits.sum())

    @property
    def share(self) -> float:
        """Share of the images; 0 of none."""
        return self.count / self.total if self.total else 0.0

    @cached_property
    def effective(self) -> float:
        """What the images are worth as independent ones (Korn and Graubard 1998).

        Their variance over prompts is that of these and of two imagined ones: one whose images all
        show the concept, and one whose images do not. Without these a share of 0 would have no
        variance at all, and one hit would be worth more than none.
        """
        per_prompt = max(1, round(self.total / max(1, int((self.images > 0).sum()))))
        hits = np.append(self.hits, [per_prompt, 0])
        images = np.append(self.images, [per_prompt, per_prompt])
        cluster = np.repeat(np.arange(len(images)), images)
        first = np.cumsum(images) - images
        place = np.arange(len(cluster)) - np.repeat(first, images)
        found = Clustered.of_hits(place < np.repeat(hits, images), cluster)
        return self.total * found.effective / found.of

    def limits(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Both ends of the interval of the share at level 1 − `alpha`; (0, 1) without an image."""
        if not self.total:
            return 0.0, 1.0
        hits, of = self.share * self.effective, self.effective
        return lower_bound(hits, of, 1 - alpha / 2), upper_bound(hits, of, 1 - alpha / 2)

    def correlation(self, other: Shown) -> float:
        """Of the two shares, where both are of the same prompts: what these have in common."""
        both = (self.images > 0) & (other.images > 0)
        if both.sum() < 2:
            return 0.0
        here, there = (
            one.hits[both] - one.share * one.images[both] for one in (self, other)
        )  # fmt: skip
        covariance = float((here * there).sum()) / (self.total * other.total)
        spread = np.sqrt(self._variance * other._variance)
        return float(np.clip(covariance / spread, -1, 1)) if spread > 0 else 0.0

    @property
    def _variance(self) -> float:
        """Of the share, never 0: half a hit more or less is imagined."""
        share = (self.share * self.effective + 0.5) / (self.effective + 1)
        return share * (1 - share) / self.effective


@dataclass(frozen=True)
class Contrast:
    """The share of one set of images held against a `factor` times that of another.

    MOVER (METHOD §3) over the two shares' own limits; `k` is their correlation.
    """

    tested: Shown
    reference: Shown
    k: float = 0.0

    def limits(self, factor: float, alpha: float = ALPHA) -> tuple[float, float]:
        """Both ends of the interval of share − `factor` · reference share."""
        a, b = self.tested.share, factor * self.reference.share
        low, high = self.tested.limits(alpha)
        least, most = (factor * end for end in self.reference.limits(alpha))
        down = (a - low) ** 2 + (most - b) ** 2 - 2 * self.k * (a - low) * (most - b)
        up = (high - a) ** 2 + (b - least) ** 2 - 2 * self.k * (high - a) * (b - least)
        return a - b - float(np.sqrt(max(down, 0))), a - b + float(np.sqrt(max(up, 0)))

    def p_value(self, factor: float) -> float:
        """The smallest α at which the interval excludes 0: two-sided."""
        low, high = -12.0, 0.0  # of log10 α

        def excludes(exponent: float) -> bool:
            ends = self.limits(factor, min(10**exponent, 1 - 1e-9))
            return ends[0] > 0 or ends[1] < 0

        if not excludes(high):
            return 1.0
        if excludes(low):
            return float(10**low)
        while high - low > 1e-3:
            middle = (low + high) / 2
            low, high = (low, middle) if excludes(middle) else (middle, high)
        return float(10**high)

    def fold(self, alpha: float = ALPHA) -> tuple[float, float, float]:
        """Share over reference share, with both ends of its interval.

        The first is NaN where the reference shows nothing; the upper end is ∞ where that may be.
        """
        share = self.reference.share
        value = self.tested.share / share if share else float("nan")
        return value, self._end(alpha, upper=False), self._end(alpha, upper=True)

    def _end(self, alpha: float, upper: bool) -> float:
        def beyond(factor: float) -> bool:
            low, high = self.limits(factor, alpha)
            return high < 0 if upper else low <= 0

        inside, outside = np.log(1e-4), np.log(_LARGEST_FOLD)
        if not beyond(_LARGEST_FOLD):
            return float("inf") if upper else _LARGEST_FOLD
        if beyond(1e-4):
            return 0.0
        while outside - inside > 1e-3:
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if beyond(np.exp(middle)) else (middle, outside)
        return float(np.exp(outside if upper else inside))
