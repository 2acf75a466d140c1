"""The spectrum of M = Z'Z by products with Z alone, and how two sets of eigenvectors lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

TOP = 100
"""Eigenvectors that are compared, as in the paper's Figure 20."""


@dataclass(frozen=True)
class Spectrum:
    """Largest eigenvalues of M (k,), descending, and their eigenvectors (n, k)."""

    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, z: scipy.sparse.csr_matrix, top: int = TOP) -> Spectrum:
        """Of M = Z'Z / N for Z (N, n); M itself is never made.

        The smaller of Z'Z and ZZ' is asked: their eigenvalues are the same but for zeros.
        """
        images, concepts = z.shape
        k = min(top, images - 1, concepts - 1)
        if k < 1 or z.nnz == 0:
            return cls(np.zeros(0), np.zeros((concepts, 0)))
        z = z.astype(np.float32)
        across = z.T.tocsr()
        wide = concepts > images

        def product(vector: np.ndarray) -> np.ndarray:
            vector = np.asarray(vector, np.float32).ravel()
            return np.asarray(z @ (across @ vector) if wide else across @ (z @ vector))

        size = min(images, concepts)
        rng = np.random.default_rng(0)
        operator = scipy.sparse.linalg.LinearOperator(
            (size, size), matvec=product, dtype=np.float32
        )
        values, vectors = scipy.sparse.linalg.eigsh(
            operator,
            k=k,
            v0=rng.random(size).astype(np.float32),
            tol=1e-3,
            ncv=min(size, 2 * k + 20),
        )
        order = np.argsort(-values)
        values, vectors = np.maximum(values[order], 0), vectors[:, order]
        kept = values > values[0] * 1e-6
        values, vectors = values[kept], vectors[:, kept]
        if wide:
            vectors = (across @ vectors) / np.sqrt(values)
        return cls(values.astype(np.float64) / images, np.asarray(vectors, np.float64))

    def cosines(self, other: Spectrum) -> np.ndarray:
        """|cosine| of every eigenvector with every one of the other, (k, k')."""
        return np.abs(self.vectors.T @ other.vectors)

    def overlap(self, other: Spectrum) -> float:
        """Share of the one's leading subspace that lies in the other's: 1 where they are one.

        The mean squared cosine of the principal angles; it does not mind how eigenvectors are
        turned within the subspace, or swapped.
        """
        k = min(len(self.values), len(other.values))
        return float((self.cosines(other)[:k, :k] ** 2).sum() / k) if k else float("nan")


@dataclass(frozen=True)
class PowerLaw:
    """λ ∝ rank^-exponent by least squares of the logarithms, and how well that fits.

    `r2` is of the power law, `exponential_r2` of log λ linear in the rank: a power law that fits no
    better than that is none.
    """

    exponent: float
    r2: float
    exponential_r2: float

    @classmethod
    def of(cls, values: np.ndarray) -> PowerLaw:
        """Fit eigenvalues (k,), descending; NaN for fewer than three."""
        values = values[values > 0]
        if len(values) < 3:
            return cls(*(float("nan"),) * 3)
        rank, y = np.arange(1, len(values) + 1), np.log(values)
        slope, r2 = _line(np.log(rank), y)
        return cls(-slope, r2, _line(rank.astype(np.float64), y)[1])


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    slope, intercept = np.polyfit(x, y, 1)
    rest = ((y - slope * x - intercept) ** 2).sum()
    total = ((y - y.mean()) ** 2).sum()
    return float(slope), float(1 - rest / total) if total > 0 else float("nan")
