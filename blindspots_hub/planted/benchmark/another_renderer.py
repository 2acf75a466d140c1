"""Row 5: what a mere change of rendering flags, and whether `confounds` foresees it."""

from __future__ import annotations

import numpy as np
from scipy import stats

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.shares import CONFIDENCE
from blindspots_hub.measure.table import Columns, measure
from blindspots_hub.planted.benchmark.checks import Check, share, share_at_least, told
from blindspots_hub.planted.benchmark.points import LESS, MORE

GOAL = 0.7
"""Of the rank correlation of r, and of the share of flags that are foreseen, by their bounds."""


def another_renderer(
    natural: ImageEnergies,
    rendered: ImageEnergies,
    altered: ImageEnergies,
    settings: MeasureSettings,
) -> list[Check]:
    """A model without faults that renders otherwise, beside natural images altered alike.

    `rendered` are its images, `altered` the natural ones blurred, flattened and stored as it does,
    which is what `confounds` measures; lines of another width it cannot imitate.
    """
    model = measure(natural, rendered, settings, paired=True)
    foreseen = measure(natural, altered, settings, paired=True)
    both = _judged(model) & _judged(foreseen)
    flags, expected = _sides(model), _sides(foreseen)
    flagged = flags[both] != 0
    same = flagged & (flags[both] == expected[both])
    rank = _rank_bound(model["relative_gap"][both], foreseen["relative_gap"][both])
    return [
        told(
            "another renderer, no fault: concepts called at least two-fold or a blindspot",
            share(int((flags[_judged(model)] != 0).sum()), int(_judged(model).sum())),
        ),
        told(
            "another renderer: the same by `confounds` from natural images",
            share(int((expected[_judged(foreseen)] != 0).sum()), int(_judged(foreseen).sum())),
        ),
        Check(
            f"another renderer: rank correlation of r with `confounds`, {int(both.sum())} concepts",
            f"{rank[0]:.3f}, at least {rank[1]:.3f}",
            f"≥ {GOAL}",
            rank[1] >= GOAL,
        ),
        share_at_least(
            "another renderer: flags that `confounds` foresees, on the same side",
            int(same.sum()),
            int(flagged.sum()),
            GOAL,
        ),
    ]


def _judged(table: Columns) -> np.ndarray:
    return np.isfinite(table["relative_gap_low"])


def _sides(table: Columns) -> np.ndarray:
    """-1, 0 or 1 a concept: the side of the change that a state under either δ tells of."""
    states = [table[name].astype(str) for name in ("state", "relative_state")]
    less, more = (np.isin(states[0], names) | np.isin(states[1], names) for names in (LESS, MORE))
    sides: np.ndarray = more.astype(int) - less.astype(int)
    return sides


def _rank_bound(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Spearman's correlation and its one-sided lower bound (Fisher's z; Bonett and Wright 2000)."""
    if len(a) < 5:
        return 0.0, -1.0
    rank = float(stats.spearmanr(a, b).statistic)
    error = np.sqrt((1 + rank**2 / 2) / (len(a) - 3))
    bound = np.tanh(np.arctanh(min(rank, 1 - 1e-12)) - stats.norm.ppf(CONFIDENCE) * error)
    return rank, float(bound)
