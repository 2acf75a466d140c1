"""Metrics of two sets of features: each a number from natural and generated rows (N, d), (M, d)."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blindspots_hub.analysis.frechet import covariance_root, frechet

NEIGHBOURS = 5
"""Nearest neighbours of precision, recall, density and coverage (Naeem et al. 2020)."""

DIRECTIONS = 256
"""Random directions of MIND."""


@dataclass(frozen=True)
class Reference:
    """Natural rows (N, d), and what all comparisons with them share."""

    rows: np.ndarray

    @cached_property
    def root(self) -> np.ndarray:
        """Of their covariance."""
        return covariance_root(self.rows)

    @cached_property
    def kernel(self) -> float:
        """Mean of the kernel over pairs of different rows."""
        return _within(self.rows)


def kernel_distance(x: Reference, y: np.ndarray) -> float:
    """Unbiased squared MMD of the kernel (x·y / d + 1)³ (Bińkowski et al. 2018, KID)."""
    return float(x.kernel + _within(y) - 2 * _kernel(x.rows, y).mean(dtype=np.float64))


def _within(rows: np.ndarray) -> float:
    k, n = _kernel(rows, rows), len(rows)
    total = k.sum(dtype=np.float64) - np.trace(k, dtype=np.float64)
    return float(total / (n * (n - 1)))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    one = x @ y.T / x.shape[1] + 1
    cubed: np.ndarray = one * one * one
    return cubed


def prdc(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Precision, recall, density and coverage of the package prdc, which prints as it goes."""
    from prdc import compute_prdc

    # Single precision halves the time, and decides which of two neighbours is nearer as well.
    one, two = (np.asarray(side, np.float32) for side in (x, y))
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(one, two, min(NEIGHBOURS, len(x) - 1, len(y) - 1))
    return {name: float(value) for name, value in found.items()}


def vendi(rows: np.ndarray) -> float:
    """Vendi score of rows (N, d) by their cosines: how many different images these are as good as.

    The exponential of the entropy of the eigenvalues of XᵀX / N (Friedman and Dieng 2023), X the
    rows at length 1. The package vendi-score computes the same; it ships as source only.
    """
    x = np.asarray(rows, np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(x.T @ x / len(x))
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def mind(x: np.ndarray, y: np.ndarray) -> float:
    """d times the mean squared one-dimensional Wasserstein distance over random directions.

    The sliced Wasserstein distance that MIND is made of (Berthet et al. 2026, arXiv 2605.06797), on
    the scale of a Fréchet distance: of a mere shift it is the shift's square. Exact for equally
    many rows; quantiles are interpolated otherwise.
    """
    d = x.shape[1]
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(d, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    a, b = (np.sort(side @ directions, axis=0) for side in (x, y))
    if len(a) != len(b):
        places = (np.arange(max(len(a), len(b))) + 0.5) / max(len(a), len(b))
        a, b = (np.quantile(side, places, axis=0) for side in (a, b))
    return float(d * ((a - b) ** 2).mean())


LOWER_IS_BETTER = ("Fréchet distance", "kernel distance", "MIND")
"""Distances between the two sets."""


def all_metrics(x: np.ndarray | Reference, y: np.ndarray) -> dict[str, float]:
    """Every metric of generated rows `y` against natural rows `x`, by name."""
    natural = x if isinstance(x, Reference) else Reference(np.asarray(x, np.float64))
    x, y = natural.rows, np.asarray(y, np.float64)
    wide = x.shape[1] > min(len(x), len(y))
    apart = (frechet(x, y, None if wide else natural.root), kernel_distance(natural, y), mind(x, y))
    return {
        **dict(zip(LOWER_IS_BETTER, apart, strict=True)),
        **prdc(x, y),
        "Vendi score": vendi(y),
    }
