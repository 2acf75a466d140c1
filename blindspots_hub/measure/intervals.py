"""Intervals of g = E' - E and of r: gamma limits of each side, combined by MOVER.

METHOD §3, "Interval of g and of r"; what was tried before is in TRIED.md. All arrays float64 (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.measure.moments import Moments, SideMoments


@dataclass(frozen=True)
class Interval:
    """Lower and upper ends, one entry a concept."""

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class _Reach:
    """How far a side's limits lie below and above its mean, with the mean.

    `least_spread` is the standard error of the mean, or one firing image's weight if that is more.
    """

    mean: np.ndarray
    below: np.ndarray
    above: np.ndarray
    least_spread: np.ndarray


@dataclass(frozen=True)
class GapIntervals:
    """Intervals of the energy gap g (energy units) and of the relative gap r (in [-1, 1])."""

    gap: Interval
    relative: Interval

    @classmethod
    def of(cls, m: Moments, level: float) -> GapIntervals:
        """At confidence `level` < 1, a concept each."""
        pooled = _ratio(
            m.natural.squares + m.generated.squares,
            m.natural.mean * m.natural.images + m.generated.mean * m.generated.images,
        )
        x, y = (_reach(side, pooled, 1 - level) for side in (m.natural, m.generated))
        # Not the plain correlation: one weak firing image is all the variance of its side, and
        # where it falls on a pair whose natural image fires it would correlate by a leap and make r
        # surer. A side varies by the weight of one firing image at least.
        k = np.clip(_ratio(m.covariance, x.least_spread * y.least_spread), -1, 1)
        return cls(_gap(x, y, k), _relative(x, y, k))


def _reach(side: SideMoments, pooled: np.ndarray, alpha: float) -> _Reach:
    """Gamma limits of a mean (Fay and Feuer 1997), as distances from it.

    The upper one reckons with one firing image more than was seen, of weight w: so a side that
    fires nowhere has a limit too, and a first weak firing image does not lower it.
    """
    mean, variance = side.mean, side.variance
    own = _ratio(side.squares, mean * side.images)
    weight = np.maximum(own, pooled) / side.images
    fires = mean > 0
    varies = fires & (variance > 0)
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=varies)
    scale = np.divide(variance, mean, out=np.zeros_like(mean), where=fires)
    low = np.where(varies, scale * scipy.special.gammaincinv(shape, alpha / 2), mean)
    more, spread = mean + weight, variance + weight**2
    known = weight > 0
    shape = np.divide(more**2, spread, out=np.ones_like(mean), where=known)
    scale = np.divide(spread, more, out=np.zeros_like(mean), where=known)
    high = scale * scipy.special.gammainccinv(shape, alpha / 2)
    least_spread = np.maximum(np.sqrt(variance), weight)
    return _Reach(mean, np.maximum(mean - low, 0), np.maximum(high - mean, 0), least_spread)


def _gap(x: _Reach, y: _Reach, k: np.ndarray) -> Interval:
    gap = y.mean - x.mean
    down = y.below**2 + x.above**2 - 2 * k * y.below * x.above
    up = y.above**2 + x.below**2 - 2 * k * y.above * x.below
    return Interval(gap - np.sqrt(np.maximum(down, 0)), gap + np.sqrt(np.maximum(up, 0)))


def _relative(x: _Reach, y: _Reach, k: np.ndarray) -> Interval:
    """r's ends are those of ρ = E'/E: the lower one of y/x, and minus the lower one of x/y."""
    return Interval(_lower_relative(x, y, k), -_lower_relative(y, x, k))


def _lower_relative(x: _Reach, y: _Reach, k: np.ndarray) -> np.ndarray:
    """Lower end of r = (ρ - 1)/(ρ + 1) with ρ = y/x.

    ρ is the root of (E² - b²) ρ² - 2 B ρ + (E'² - a²) = 0 with B = E E' - k a b. As a quotient
    top / bottom it is finite wherever one of both means is above 0, and r = (top - bottom) /
    (top + bottom); -1 where a side is silent on top, or both are. Where E = 0 this is ρ =
    √(E'² - a²) / u, not l' / u: so that exchanging the sides changes the sign of the interval and
    nothing else, and there is no leap between a silent side and one that fires once.
    """
    top = y.mean**2 - y.below**2
    curve = x.mean**2 - x.above**2
    middle = x.mean * y.mean - k * y.below * x.above
    root = np.sqrt(np.maximum(middle**2 - curve * top, 0))
    # Where B < 0 the sum B + √… cancels (and curve < 0): the other form of the same root.
    flip = middle < 0
    top, bottom = np.where(flip, root - middle, top), np.where(flip, -curve, middle + root)
    total = top + bottom
    return np.divide(top - bottom, total, out=np.full_like(total, -1.0), where=total > 0)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
