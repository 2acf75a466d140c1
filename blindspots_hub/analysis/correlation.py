"""Correlations over concepts with their intervals; NaN where there are too few to say anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEAST = 4
"""Concepts below which a correlation says nothing."""


class Correlation(NamedTuple):
    """A coefficient and its 95% interval over concepts."""

    value: float
    low: float
    high: float


UNKNOWN = Correlation(float("nan"), float("nan"), float("nan"))


def pearson(x: np.ndarray, y: np.ndarray) -> Correlation:
    """Pearson's r of (n,) and (n,), with Fisher's interval."""
    if why_unknown(x, y):
        return UNKNOWN
    from scipy import stats

    found = stats.pearsonr(x, y)
    low, high = found.confidence_interval(0.95)
    return Correlation(float(found.statistic), float(low), float(high))


def rank_correlation(x: np.ndarray, y: np.ndarray) -> Correlation:
    """Spearman's ρ of (n,) and (n,), with the interval of Bonett and Wright (2000)."""
    if why_unknown(x, y):
        return UNKNOWN
    from scipy import stats

    rho = float(stats.spearmanr(x, y).statistic)
    half = 1.96 * np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    z = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    return Correlation(rho, float(np.tanh(z - half)), float(np.tanh(z + half)))


def why_unknown(x: np.ndarray, y: np.ndarray) -> str:
    """Why a correlation of δ, (n,) and (n,), says nothing, in words; "" where it does."""
    if len(x) < LEAST:
        return "they are too few"
    if float(np.ptp(x)) == 0 or float(np.ptp(y)) == 0:
        return "δ of one of the two is the same for all of them"
    return ""
