"""Several drawings of one caption: their mean, and what the sampler's dice are of a difference."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from blindspots_hub.measure.energies import ImageEnergies


def mean_of_drawings(drawings: ImageEnergies, pair: np.ndarray) -> ImageEnergies:
    """Mean energies of each pair's drawings: (pairs, n) of `drawings` (D, n).

    `pair` (D,) names the pair of every drawing, ascending from 0 without gaps. Where every pair has
    one drawing these are its energies, to the bit.
    """
    counts = np.bincount(pair)
    if (counts == 1).all():
        return drawings
    mean = _total(drawings, pair).multiply(1 / counts[:, None]).tocsr()
    return ImageEnergies(
        mean.indptr.astype(np.int64),
        mean.indices.astype(np.int32),
        mean.data.astype(np.float32),
        drawings.n_concepts,
    )


def sampler_share(
    natural: ImageEnergies, drawings: ImageEnergies, pair: np.ndarray
) -> np.ndarray | None:
    """Share of the variance of the paired difference that is the sampler's noise, (n,) in [0, 1].

    The difference of pair i is d_i = (mean of ξ_k over its S_i drawings) - ξ_k(x_i), and what its
    interval is made of is V, the variance of d_i over pairs. Drawings of one caption differ by the
    sampler's noise alone; their variance w, pooled over captions, adds w · mean(1 / S_i) to V. The
    share is this part of V: one minus the reliability of a mean of S drawings, ICC(1, S). Near 1,
    the interval is as wide as it is because of the dice, and drawing each caption more often makes
    it narrower; near 0, the captions themselves differ, and only more pairs do.

    NaN where V is 0. None where no caption has two drawings, from which alone noise can be told.
    """
    counts = np.bincount(pair)
    spare = len(pair) - len(counts)
    if spare == 0:
        return None
    total = _total(drawings, pair)
    squares = _columns(drawings.matrix.multiply(drawings.matrix))
    of_means = _columns(total.multiply(total).multiply(1 / counts[:, None]))
    within = np.maximum(squares - of_means, 0) / spare
    difference = (total.multiply(1 / counts[:, None]) - natural.matrix).tocsr()
    mean = _columns(difference) / len(counts)
    scatter = _columns(difference.multiply(difference)) - len(counts) * mean**2
    variance = np.maximum(scatter, 0) / (len(counts) - 1)
    noise = within * (1 / counts).mean()
    unknown = np.full(len(mean), np.nan)
    return np.minimum(np.divide(noise, variance, out=unknown, where=variance > 0), 1.0)


def _total(drawings: ImageEnergies, pair: np.ndarray) -> sparse.csr_matrix:
    """Energies summed over each pair's drawings, (pairs, n)."""
    ones = np.ones(len(pair))
    of_pair = sparse.csr_matrix((ones, (pair, np.arange(len(pair)))))
    total = (of_pair @ drawings.matrix).tocsr()
    total.sort_indices()
    return total


def _columns(matrix: sparse.spmatrix) -> np.ndarray:
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
