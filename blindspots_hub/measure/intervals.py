"""Moments of paired or unpaired energies, and the intervals of the gaps that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from blindspots_hub.measure.delta import relative_gap


@dataclass(frozen=True)
class PairedEnergies:
    """x · y and y − x of every pair and concept, CSR (pairs, concepts).

    `product` has an entry where a concept fires on both sides, `difference` one where they differ.
    """

    product: sparse.csr_matrix
    difference: sparse.csr_matrix

    @classmethod
    def of(cls, natural: sparse.csr_matrix, generated: sparse.csr_matrix) -> PairedEnergies:
        """Of two energy matrices (pairs, concepts) whose rows correspond."""
        return cls(natural.multiply(generated).tocsr(), (generated - natural).tocsr())


@dataclass(frozen=True)
class Moments:
    """Means over images and the (co)variances of those means, one entry a concept.

    `covariance` is that of the two means: 0 where the sides are unpaired.
    `degrees_of_freedom` are those of the gap's Student t.
    """

    natural: np.ndarray
    generated: np.ndarray
    var_natural: np.ndarray
    var_generated: np.ndarray
    covariance: np.ndarray
    var_gap: np.ndarray
    degrees_of_freedom: np.ndarray
    n_natural: int
    n_generated: int
    mean_fire_natural: np.ndarray
    mean_fire_generated: np.ndarray


def _column_sum(matrix: sparse.spmatrix) -> np.ndarray:
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()


def _mean_and_variance(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    n = matrix.shape[0]
    mean = _column_sum(matrix) / n
    squares = _column_sum(
        sparse.csr_matrix((matrix.data**2, matrix.indices, matrix.indptr), matrix.shape)
    )
    return mean, np.maximum(squares - n * mean**2, 0) / (n - 1)


def _mean_fire(matrix: sparse.csr_matrix, mean: np.ndarray) -> np.ndarray:
    fires = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return np.divide(mean * matrix.shape[0], fires, out=np.zeros_like(mean), where=fires > 0)


def moments(
    natural: sparse.csr_matrix, generated: sparse.csr_matrix, pairs: PairedEnergies | None
) -> Moments:
    """Moments of two energy matrices (images, concepts); `pairs` of them where rows correspond."""
    n, m = natural.shape[0], generated.shape[0]
    mean_x, var_x = _mean_and_variance(natural)
    mean_y, var_y = _mean_and_variance(generated)
    if pairs is not None:
        cross = _column_sum(pairs.product)
        covariance = (cross - n * mean_x * mean_y) / (n - 1) / n
        _, var_d = _mean_and_variance(pairs.difference)
        var_gap = var_d / n
        degrees_of_freedom = np.full(mean_x.shape, n - 1.0)
    else:
        covariance = np.zeros_like(mean_x)
        a, b = var_x / n, var_y / m
        var_gap = a + b
        with np.errstate(invalid="ignore", divide="ignore"):  # Welch-Satterthwaite
            degrees_of_freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
        degrees_of_freedom = np.nan_to_num(degrees_of_freedom, nan=n + m - 2.0)
    return Moments(
        mean_x, mean_y, var_x / n, var_y / m, covariance, var_gap, degrees_of_freedom, n, m,
        _mean_fire(natural, mean_x), _mean_fire(generated, mean_y),
    )  # fmt: skip


def gap_interval(m: Moments, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Student t interval of g = E' - E, in energy units."""
    half = stats.t.ppf(0.5 + confidence / 2, m.degrees_of_freedom) * np.sqrt(m.var_gap)
    gap = m.generated - m.natural
    return gap - half, gap + half


def relative_interval(m: Moments, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of r by the delta method on (E', E) with their covariance, within [-1, 1].

    Where a concept never fires on one side the delta method gives an interval of no width,
    however few images there are: there the absent side's energy is bounded by the rule of
    three's two-sided form (at most -ln((1 - confidence) / 2) images of N, each with the mean
    energy of the firing side), which is what makes "certain" mean something for rare concepts.
    """
    r = relative_gap(m.natural, m.generated)
    total = m.natural + m.generated
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = 4 * (
            m.natural**2 * m.var_generated
            + m.generated**2 * m.var_natural
            - 2 * m.natural * m.generated * m.covariance
        ) / total**4  # fmt: skip
    half = stats.t.ppf(0.5 + confidence / 2, m.degrees_of_freedom) * np.sqrt(
        np.maximum(np.nan_to_num(variance), 0)
    )
    low, high = np.clip(r - half, -1, 1), np.clip(r + half, -1, 1)

    unseen = -np.log((1 - confidence) / 2)
    absent_generated = (m.generated == 0) & (m.natural > 0)
    bound = unseen / m.n_generated * m.mean_fire_natural
    high = np.where(absent_generated, relative_gap(m.natural, bound), high)
    absent_natural = (m.natural == 0) & (m.generated > 0)
    bound = unseen / m.n_natural * m.mean_fire_generated
    low = np.where(absent_natural, relative_gap(bound, m.generated), low)
    return low, high
