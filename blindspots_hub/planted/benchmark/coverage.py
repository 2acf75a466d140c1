"""Row 4: whether the intervals of r hold each concept's r in the population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import Columns, Measured
from blindspots_hub.planted.benchmark.checks import (
    Check,
    lower_bound,
    share_at_least,
    share_told,
    told,
    unjudged,
)
from blindspots_hub.planted.benchmark.points import Point, holds_the_factor
from blindspots_hub.planted.population import Population

BANDS = ((20, 50), (50, 200), (200, 1000), (1000, np.inf))
"""Supports (images) that are judged together."""

OVERALL, IN_BAND, SELECTED = 0.93, 0.90, 0.90


def coverage(
    found: Mapping[str, Measured],
    population: Population,
    points: Sequence[Point],
    settings: MeasureSettings,
) -> list[Check]:
    """Pointwise intervals over all judged concepts, by support; selection intervals; factors.

    A band with so few intervals that no outcome could hold is told, not judged.
    """
    support, inside, widened, selected = [], [], [], []
    for model, told_of in found.items():
        table = told_of.columns
        judged = np.isfinite(table["relative_gap_low"]) & (population.fired(model) > 0)
        held, wider = covered(model, table, population, "", settings.confidence)
        support.append(table["support"][judged])
        inside.append(held[judged])
        widened.append(wider[judged])
        chosen = judged & (table["q"] < settings.alpha)
        held, _ = covered(model, table, population, "_selected", told_of.selection.level)
        selected.append(held[chosen])
    supports, held, chosen = (np.concatenate(parts) for parts in (support, inside, selected))
    checks = [share_at_least("coverage: 95 % intervals of r", int(held.sum()), len(held), OVERALL)]
    for low, high in BANDS:
        band = held[(supports >= low) & (supports < high)]
        if len(band):
            name = (
                f"coverage: support {low:,} to {high:,}"
                if high < np.inf
                else f"coverage: support ≥ {low:,}"
            )
            check = share_at_least(name, int(band.sum()), len(band), IN_BAND)
            enough = lower_bound(len(band), len(band)) >= IN_BAND
            checks.append(check if enough else unjudged(check))
    checks.append(
        share_at_least(
            "coverage: selection intervals of the selected",
            int(chosen.sum()),
            len(chosen),
            SELECTED,
        )
    )
    checks.append(
        told(
            "coverage: intervals are widened by the population's own error, median",
            f"{np.median(np.concatenate(widened)) - 1:.1%}",
        )
    )
    checks.append(
        share_told("coverage: intervals that hold the factor's true r", *holds_the_factor(points))
    )
    return checks


def covered(
    model: str, table: Columns, population: Population, which: str, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each concept's interval holds the population's r, and how much it was widened.

    The population is a sample too: the interval's ends are moved out by what is open of it (MOVER:
    the distance of an end and the population's error, squared and added), so that a right interval
    holds the population's value as often as it says. Concepts that are not judged count as False.
    """
    r, error = population.relative_gap(model), population.error(model)
    estimate = table["relative_gap"]
    low, high = (table[f"relative_gap{which}_{end}"] for end in ("low", "high"))
    z = stats.norm.ppf(0.5 + confidence / 2)
    below = np.hypot(estimate - low, z * error)
    above = np.hypot(high - estimate, z * error)
    inside = (r >= estimate - below - 1e-12) & (r <= estimate + above + 1e-12)
    width = high - low
    ratio = np.divide(below + above, width, out=np.ones_like(width), where=width > 0)
    return inside, ratio
