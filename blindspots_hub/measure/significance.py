"""p-values of the difference of energies, q-values over concepts, and what was selected.

METHOD §3, "p-value" and "Selection". What is independent is a cluster of near-copies
(`measure.moments`): signs are flipped and images counted by cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy

from blindspots_hub.measure.moments import Moments
from blindspots_hub.measure.settings import MeasureSettings

FEW = 30
"""Below this many non-zero differences, or expected fires a side, no t distribution is trusted."""

EXACT_UP_TO = 13
"""Non-zero differences for which all sign patterns are enumerated (2¹³ = 8,192)."""

SAMPLED_FLIPS = 9_999
"""Sign patterns drawn above that; the smallest p-value is then 1 / 10,000."""


def t_test(gap: np.ndarray, variance: np.ndarray, degrees_of_freedom: np.ndarray) -> np.ndarray:
    """Two-sided p of a gap with this variance; broadcasts. 1 where there is no gap at all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(gap) / np.sqrt(variance)
    t = np.where(variance > 0, t, np.where(gap == 0, 0.0, np.inf))
    return np.asarray(2 * scipy.special.stdtr(degrees_of_freedom, -t))


def _signs(n: int) -> tuple[np.ndarray, bool]:
    """Sign patterns (n, patterns) for n differences, and whether they are all there are."""
    if n <= EXACT_UP_TO:
        # By symmetry the first sign may be held at +: half the patterns, the same share.
        tail = np.array(list(product((1.0, -1.0), repeat=n - 1))).reshape(2 ** (n - 1), n - 1)
        return np.concatenate([np.ones((len(tail), 1)), tail], axis=1).T, True
    # One fixed seed an n: the same concept has the same p-value whatever else is in the table.
    drawn = np.random.default_rng(n).choice((1.0, -1.0), size=(n, SAMPLED_FLIPS))
    return drawn, False


def sign_flip(differences: np.ndarray, sums: np.ndarray | None = None) -> np.ndarray:
    """Two-sided sign-flip p-values of rows of non-zero differences (concepts, n), n ≥ 1.

    `sums` (concepts, k) asks instead for the p-values of these sums of the same differences under
    other signs, (concepts, k).
    """
    signs, exact = _signs(differences.shape[1])
    asked = differences.sum(axis=1)[:, None] if sums is None else sums
    p = np.empty(asked.shape)
    for start in range(0, len(differences), 256):
        rows = slice(start, start + 256)
        drawn = np.abs(differences[rows] @ signs)
        # The tolerance lets sums that are equal but for rounding count as equal.
        least = np.abs(asked[rows]) * (1 - 1e-12)
        reached = np.stack([(drawn >= one[:, None]).sum(axis=1) for one in least.T], axis=1)
        p[rows] = reached / signs.shape[1] if exact else (reached + 1) / (signs.shape[1] + 1)
    return p if sums is not None else p[:, 0]


def few_differences(difference: scipy.sparse.csc_matrix) -> list[tuple[np.ndarray, np.ndarray]]:
    """Concepts with fewer than `FEW` non-zero differences: (concepts, their values), by number.

    Values are sorted, so that drawn signs meet the same ones in whatever order pairs came.
    """
    nonzero = np.diff(difference.indptr)
    found = []
    for n in range(1, FEW):
        concepts = np.flatnonzero(nonzero == n)
        if len(concepts):
            starts = difference.indptr[concepts]
            values = difference.data[starts[:, None] + np.arange(n)]
            found.append((concepts, np.sort(values, axis=1)))
    return found


def paired_p(difference: scipy.sparse.csc_matrix, m: Moments) -> np.ndarray:
    """Paired t where at least 30 differences are non-zero, sign-flip below; 1 where none is.

    `difference` CSC (clusters, n) holds differences summed over each cluster, and no zeros.
    """
    p = t_test(m.generated.mean - m.natural.mean, m.var_gap, m.degrees_of_freedom)
    p[np.diff(difference.indptr) == 0] = 1.0
    for concepts, values in few_differences(difference):
        p[concepts] = sign_flip(values)
    return p


def unpaired_p(fires_natural: np.ndarray, fires_generated: np.ndarray, m: Moments) -> np.ndarray:
    """Welch's t where either side would fire in 30 images if nothing differed; below, exact.

    The exact test is Fisher's, of firing at all: under the null which images are generated is a
    random draw. Fires are clusters, (n,).
    """
    sizes = m.natural.clusters, m.generated.clusters
    p = t_test(m.generated.mean - m.natural.mean, m.var_gap, m.degrees_of_freedom)
    few = rarely_fires(fires_natural + fires_generated, *sizes)
    p[few] = fisher(fires_natural[few], fires_generated[few], *sizes)
    return p


def rarely_fires(fires: np.ndarray, natural: int, generated: int) -> np.ndarray:
    """Where the smaller side would have fewer than `FEW` fires of this total; bool (n,)."""
    return np.asarray(fires * min(natural, generated) / (natural + generated) < FEW)


def fisher(x: np.ndarray, y: np.ndarray, natural: int, generated: int) -> np.ndarray:
    """Twice the smaller tail of the hypergeometric law of y of x + y fires; 1 at most."""
    total = (x + y).astype(np.int64)
    # The law is that of the smaller side's fires: few values, whatever the total.
    small, large = min(natural, generated), max(natural, generated)
    seen = (y if generated <= natural else x).astype(np.int64)
    sums, which = np.unique(total, return_inverse=True)
    k = np.arange(min(small, int(sums.max(initial=0))) + 1)
    inside = (k <= sums[:, None]) & (sums[:, None] - k <= large)
    law = np.zeros((len(sums), len(k)))
    row, column = inside.nonzero()
    ways = _log_choose(small, k[column]) + _log_choose(large, sums[row] - k[column])
    law[row, column] = np.exp(ways - _log_choose(small + large, sums[row]))
    below = np.minimum(law.cumsum(axis=1), 1.0)[which, seen]
    above = np.minimum(law[:, ::-1].cumsum(axis=1)[:, ::-1], 1.0)[which, seen]
    return np.asarray(np.minimum(2 * np.minimum(below, above), 1.0))


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return np.asarray(
        scipy.special.gammaln(n + 1)
        - scipy.special.gammaln(k + 1)
        - scipy.special.gammaln(n - k + 1)
    )


def benjamini_hochberg(p: np.ndarray, among: np.ndarray) -> np.ndarray:
    """q-values over the concepts in the mask `among`; NaN for the others."""
    q = np.full(p.shape, np.nan)
    index = np.flatnonzero(among)
    if len(index) == 0:
        return q
    order = index[np.argsort(p[index], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


@dataclass(frozen=True)
class Selection:
    """What was selected: `rejected` of `supported` concepts have q < α.

    `level` is the confidence of the selection intervals, 1 - R α / m (Benjamini and Yekutieli's
    false coverage rate), and never below that of the pointwise ones; where nothing was rejected it
    is that of a single selected concept.
    """

    rejected: int
    supported: int
    level: float

    @classmethod
    def of(cls, q: np.ndarray, settings: MeasureSettings) -> Selection:
        """From q-values, NaN where a concept has too little support."""
        rejected, supported = int((q < settings.alpha).sum()), int(np.isfinite(q).sum())
        level = 1 - max(rejected, 1) * settings.alpha / max(supported, 1)
        return cls(rejected, supported, max(level, settings.confidence))

    def threshold(self, p: np.ndarray, q: np.ndarray, settings: MeasureSettings) -> float:
        """The largest p that was rejected; the first step of the procedure where none was."""
        if self.rejected:
            return float(p[q < settings.alpha].max())
        return settings.alpha / max(self.supported, 1)
