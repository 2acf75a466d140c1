"""Fréchet distance of two samples of any width, and errors by leaving groups out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

GROUPS = 10
"""Groups that are left out one after the other."""


def covariance_root(x: np.ndarray) -> np.ndarray:
    """R (d, d) with R Rᵀ the covariance of rows (N, d)."""
    values, vectors = scipy.linalg.eigh(np.atleast_2d(np.cov(np.asarray(x, np.float64).T)))
    root: np.ndarray = vectors * np.sqrt(np.maximum(values, 0))
    return root


def frechet(x: np.ndarray, y: np.ndarray, root: np.ndarray | None = None) -> float:
    """‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) of rows (N, d), (M, d) (Heusel et al. 2017).

    By the d × d covariances where there are more rows than columns, otherwise by `frechet_wide`.
    `root` is `covariance_root(x)`, for whoever compares one `x` with many `y`.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape[1] > min(len(x), len(y)):
        return frechet_wide(scipy.sparse.csr_matrix(x), scipy.sparse.csr_matrix(y))
    apart = x.mean(axis=0) - y.mean(axis=0)
    root = covariance_root(x) if root is None else root
    two = np.atleast_2d(np.cov(y.T))
    # RᵀΣ₂R has the eigenvalues of Σ₁Σ₂, and R's squares sum to the trace of Σ₁.
    both = np.sqrt(np.maximum(scipy.linalg.eigvalsh(root.T @ two @ root), 0)).sum()
    return float(apart @ apart + (root * root).sum() + np.trace(two) - 2 * both)


def frechet_wide(x: scipy.sparse.csr_matrix, y: scipy.sparse.csr_matrix) -> float:
    """The same of sparse rows (N, n), (M, n) of any width: no n × n matrix is made.

    Tr (Σ₁Σ₂)^½ is the nuclear norm of the centred X Y' over √((N − 1)(M − 1)).
    """
    (n, m) = x.shape[0], y.shape[0]
    mean_x, mean_y = (np.asarray(side.mean(axis=0)).ravel() for side in (x, y))
    apart = mean_x - mean_y
    traces = [
        (float(side.multiply(side).sum()) - side.shape[0] * float(mean @ mean))
        / (side.shape[0] - 1)
        for side, mean in ((x, mean_x), (y, mean_y))
    ]
    cross = (x @ y.T).toarray()
    cross -= cross.mean(axis=0)
    cross -= cross.mean(axis=1)[:, None]
    both = scipy.linalg.svdvals(cross, overwrite_a=True).sum() / np.sqrt((n - 1) * (m - 1))
    return float(apart @ apart + sum(traces) - 2 * both)


def leave_out_error(
    statistic: Callable[[np.ndarray], float], images: int, groups: int = GROUPS
) -> float:
    """Standard error of `statistic(rows)` of `images` rows by leaving out one group at a time.

    A bootstrap would draw images twice, and distances between distributions and nearest
    neighbours mistake copies for likeness; leaving out draws none (delete-a-group jackknife).
    """
    groups = min(groups, images)
    group = np.random.default_rng(0).permutation(images) % groups
    values = [statistic(np.flatnonzero(group != one)) for one in range(groups)]
    return float(np.sqrt((groups - 1) * np.var(values)))
