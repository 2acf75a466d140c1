"""Sums over images from which intervals and p-values follow, one entry a concept.

What is independent is a cluster of near-copies, not an image: the same picture under five captions
says once what it says. Everything here is computed from the sums of each cluster; where no image
has a copy these are the images' energies themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.measure.energies import ImageEnergies, column_squares, columns
from blindspots_hub.measure.sampler import GenerationEnergies


@dataclass(frozen=True)
class Sample:
    """Energies of one side summed over each cluster: `sums` float64 CSR (clusters, n).

    `sizes` (clusters,) are images a cluster. `squares` (n,) is S2 of METHOD: Σ ξ² over clusters,
    of single generations where there are several.
    """

    sums: scipy.sparse.csr_matrix
    sizes: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(
        cls,
        energies: ImageEnergies,
        cluster: np.ndarray,
        generation_energies: GenerationEnergies | None = None,
    ) -> Sample:
        """Of images (N, n) whose `cluster` (N,) is numbered from 0 without gaps."""
        sizes = np.bincount(cluster).astype(np.float64)
        matrix = energies.matrix
        alone = len(sizes) == energies.n_images
        sums = matrix if alone else _membership(cluster) @ matrix
        squares = column_squares(sums)
        if generation_energies is not None:
            # A firing generation weighs what it weighs alone, not a mean over generations.
            squares += generation_energies.mean_squares - column_squares(matrix)
        return cls(sums.tocsr(), sizes, squares)

    @property
    def images(self) -> float:
        """Number of images, N."""
        return float(self.sizes.sum())

    @property
    def fires(self) -> np.ndarray:
        """In how many clusters each concept fires, int64 (n,)."""
        return np.bincount(self.sums.indices, minlength=self.sums.shape[1])


@dataclass(frozen=True)
class SideMoments:
    """Mean energy of one side, the variance of that mean, and S2 / S1 as (numerator, denominator).

    `images` is N, `clusters` what of it is independent.
    """

    mean: np.ndarray
    variance: np.ndarray
    squares: np.ndarray
    images: float
    clusters: int

    @classmethod
    def of(cls, sample: Sample) -> SideMoments:
        """Of the clusters of one side."""
        mean = columns(sample.sums) / sample.images
        variance = _variance_of_mean(sample.sums, sample.sizes, mean)
        return cls(mean, variance, sample.squares, sample.images, len(sample.sizes))


@dataclass(frozen=True)
class Moments:
    """Both sides, the covariance of their means (0 unpaired), and the gap's standard error².

    `degrees_of_freedom` are the degrees of freedom of the gap's Student t.
    """

    natural: SideMoments
    generated: SideMoments
    covariance: np.ndarray
    var_gap: np.ndarray
    degrees_of_freedom: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Moments]) -> Moments:
        """Moments of the concepts of all parts, one after the other, of the same images."""

        def together(of: Callable[[Moments], np.ndarray]) -> np.ndarray:
            return np.concatenate([of(part) for part in parts])

        def side(of: Callable[[Moments], SideMoments]) -> SideMoments:
            return SideMoments(
                together(lambda part: of(part).mean),
                together(lambda part: of(part).variance),
                together(lambda part: of(part).squares),
                of(parts[0]).images,
                of(parts[0]).clusters,
            )

        return cls(
            side(lambda part: part.natural),
            side(lambda part: part.generated),
            together(lambda part: part.covariance),
            together(lambda part: part.var_gap),
            together(lambda part: part.degrees_of_freedom),
        )


def paired_moments(
    natural: Sample, generated: Sample, difference: scipy.sparse.csc_matrix
) -> Moments:
    """Moments where row i of both samples is cluster i; `difference` is generated - natural."""
    x, y = SideMoments.of(natural), SideMoments.of(generated)
    sizes, groups = natural.sizes, len(natural.sizes)
    cross = columns(natural.sums.multiply(generated.sums))
    cross -= y.mean * (sizes @ natural.sums) + x.mean * (sizes @ generated.sums)
    cross += x.mean * y.mean * (sizes**2).sum()
    covariance = cross * groups / (groups - 1) / x.images**2
    var_gap = _variance_of_mean(difference, sizes, y.mean - x.mean)
    degrees_of_freedom = np.full(x.mean.shape, groups - 1.0)
    return Moments(x, y, covariance, var_gap, degrees_of_freedom)


def unpaired_moments(natural: SideMoments, generated: SideMoments) -> Moments:
    """Moments of two sets of images that have nothing to do with one another."""
    a, b = natural.variance, generated.variance
    with np.errstate(invalid="ignore", divide="ignore"):  # Welch-Satterthwaite
        degrees_of_freedom = (a + b) ** 2 / (
            a**2 / (natural.clusters - 1) + b**2 / (generated.clusters - 1)
        )
    degrees_of_freedom = np.nan_to_num(
        degrees_of_freedom, nan=natural.clusters + generated.clusters - 2.0
    )
    return Moments(natural, generated, np.zeros_like(a), a + b, degrees_of_freedom)


def variance_of_mean(
    squares: np.ndarray, weighted: np.ndarray, mean: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Cluster-robust variance of a mean: G/(G-1) Σ_c (Σ_{i∈c} (d_i - d̄))² / N².

    `squares` is Σ_c s_c² and `weighted` Σ_c n_c s_c of the clusters' sums s_c and `sizes` n_c.
    """
    groups, images = len(sizes), sizes.sum()
    scatter = squares - 2 * mean * weighted + mean**2 * (sizes**2).sum()
    return np.maximum(scatter, 0) * groups / (groups - 1) / images**2


def _variance_of_mean(
    sums: scipy.sparse.csr_matrix, sizes: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    return variance_of_mean(column_squares(sums), np.asarray(sizes @ sums), mean, sizes)


def _membership(cluster: np.ndarray) -> scipy.sparse.csr_matrix:
    """(clusters, N) with a one where an image belongs to a cluster."""
    return scipy.sparse.csr_matrix((np.ones(len(cluster)), (cluster, np.arange(len(cluster)))))
