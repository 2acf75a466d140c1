"""Two models on the same captions: the paired difference of every concept.

The difference of two models' differences from the natural images of their captions is the
difference of the two models: (ξ(x'') - ξ(x)) - (ξ(x') - ξ(x)). Pairs whose natural images are
near-copies count once, as everywhere (`measure.comparison`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.comparison import clusters_of
from blindspots_hub.measure.delta import differs, judged
from blindspots_hub.measure.energies import ImageEnergies, columns
from blindspots_hub.measure.intervals import GapIntervals, Interval
from blindspots_hub.measure.moments import Sample, paired_moments
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.significance import benjamini_hochberg, paired_p


@dataclass(frozen=True)
class Between:
    """Second model minus first, (n,) each; intervals and q are NaN where a concept is not judged.

    `support` are pairs in which it fires in either model's image; `differs` has q < α and a
    pointwise interval that excludes 0.
    """

    first: np.ndarray
    second: np.ndarray
    support: np.ndarray
    gap: Interval
    relative: Interval
    p: np.ndarray
    q: np.ndarray
    differs: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        """bool (n,): concepts with enough support."""
        return np.isfinite(self.q)


def between(
    natural: ImageEnergies,
    first: ImageEnergies,
    second: ImageEnergies,
    settings: MeasureSettings,
) -> Between:
    """Compare two models' energies (N, n) row by row; row i of all three belongs to pair i."""
    if first.n_images < 2:
        raise BlindspotsError("Two models are compared on at least 2 captions that both drew.")
    cluster = clusters_of(natural)
    x, y = Sample.of(first, cluster), Sample.of(second, cluster)
    difference = (y.sums - x.sums).tocsc()
    difference.eliminate_zeros()
    m = paired_moments(x, y, difference)
    either = (first.matrix + second.matrix).tocsr()
    support = columns(either > 0)
    known = judged(support, settings)
    p = paired_p(difference, m)
    q = benjamini_hochberg(p, known)
    found = GapIntervals.of(m, settings.confidence)
    return Between(
        m.natural.mean,
        m.generated.mean,
        support,
        _known(found.gap, known),
        _known(found.relative, known),
        p,
        q,
        differs(q, (found.gap.low, found.gap.high), settings.alpha),
    )


def _known(interval: Interval, known: np.ndarray) -> Interval:
    return Interval(*(np.where(known, end, np.nan) for end in (interval.low, interval.high)))
