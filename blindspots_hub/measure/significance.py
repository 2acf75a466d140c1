"""p-values of the difference of energies, and q-values over concepts (METHOD: section 3)."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import sparse, stats

from blindspots_hub.measure.intervals import Moments, PairedEnergies

FEW = 30
"""Below this many non-zero differences the t distribution is not trusted: signs are flipped."""

EXACT_UP_TO = 13
"""Non-zero differences for which all sign patterns are enumerated (2¹³ = 8,192)."""

SAMPLED_FLIPS = 9_999
"""Sign patterns drawn above that; the smallest p-value is then 1 / 10,000."""


def _t_test(m: Moments) -> np.ndarray:
    error = np.sqrt(m.var_gap)
    gap = m.generated - m.natural
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, gap / error, np.where(gap == 0, 0.0, np.inf))
    return np.asarray(2 * stats.t.sf(np.abs(t), m.degrees_of_freedom))


def _signs(n: int) -> tuple[np.ndarray, bool]:
    """Sign patterns (n, patterns) for n differences, and whether they are all there are."""
    if n <= EXACT_UP_TO:
        # By symmetry the first sign may be held at +: half the patterns, the same share.
        tail = np.array(list(product((1.0, -1.0), repeat=n - 1))).reshape(2 ** (n - 1), n - 1)
        return np.concatenate([np.ones((len(tail), 1)), tail], axis=1).T, True
    # One fixed seed an n: the same concept has the same p-value whatever else is in the table.
    drawn = np.random.default_rng(n).choice((1.0, -1.0), size=(n, SAMPLED_FLIPS))
    return drawn, False


def sign_flip(differences: np.ndarray) -> np.ndarray:
    """Two-sided sign-flip p-values of rows of non-zero differences (concepts, n), n ≥ 1."""
    signs, exact = _signs(differences.shape[1])
    p = np.empty(len(differences))
    for start in range(0, len(differences), 256):
        block = differences[start : start + 256]
        observed = np.abs(block.sum(axis=1))[:, None]
        # The tolerance lets sums that are equal but for rounding count as equal.
        reached = (np.abs(block @ signs) >= observed * (1 - 1e-12)).sum(axis=1)
        share = reached / signs.shape[1] if exact else (reached + 1) / (signs.shape[1] + 1)
        p[start : start + 256] = share
    return p


def paired_p(pairs: PairedEnergies, m: Moments) -> np.ndarray:
    """Paired t where at least 30 differences are non-zero, sign-flip below; 1 where none is."""
    p = _t_test(m)
    difference = pairs.difference.tocsc()
    difference.eliminate_zeros()
    nonzero = np.diff(difference.indptr)
    p[nonzero == 0] = 1.0
    for n in range(1, FEW):
        concepts = np.flatnonzero(nonzero == n)
        if len(concepts):
            starts = difference.indptr[concepts]
            values = difference.data[starts[:, None] + np.arange(n)]
            # Sorted, so that drawn signs meet the same values in whatever order pairs came.
            p[concepts] = sign_flip(np.sort(values, axis=1))
    return p


def unpaired_p(natural: sparse.csr_matrix, generated: sparse.csr_matrix, m: Moments) -> np.ndarray:
    """Welch's t where at least 30 images fire; below, Fisher's exact test of firing at all."""
    p = _t_test(m)
    fires_x = np.bincount(natural.indices, minlength=natural.shape[1])
    fires_y = np.bincount(generated.indices, minlength=natural.shape[1])
    fires = fires_x + fires_y
    few = fires < FEW
    law = stats.hypergeom(m.n_natural + m.n_generated, fires[few], m.n_generated)
    tail = np.minimum(law.cdf(fires_y[few]), law.sf(fires_y[few] - 1))
    p[few] = np.minimum(2 * tail, 1.0)
    return p


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
