"""Row 4: whether the intervals of r hold each concept's r in the population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.shares import Clustered
from blindspots_hub.measure.table import Columns
from blindspots_hub.planted.benchmark.checks import Check, clustered_at_least, share_told, told
from blindspots_hub.planted.benchmark.points import Point, holds_the_factor
from blindspots_hub.planted.benchmark.samples import PairSample
from blindspots_hub.planted.population import Population
from blindspots_hub.utils.numerals import percent

BANDS = ((20, 50), (50, 200), (200, 1000), (1000, np.inf))
"""Supports (images) that are judged together."""

OVERALL, IN_BAND, SELECTED = 0.93, 0.90, 0.90


def coverage(
    every: Sequence[PairSample],
    population: Population,
    points: Sequence[Point],
    settings: MeasureSettings,
) -> list[Check]:
    """Pointwise intervals over all judged concepts, by support; selection intervals; factors.

    Over all samples of the pairs; those of one concept count as one cluster, whichever sample and
    model they are of. Selection intervals are those of the whole, as a ranking is shown once.
    """
    pointwise = _all(every, population, settings)
    support, held, concept, widened = (
        np.concatenate(part) for part in zip(*pointwise, strict=True)
    )
    name = f"coverage: {percent(settings.confidence)} intervals of r"
    checks = [_row(name, held, concept, OVERALL, settings.confidence)]
    for low, high in BANDS:
        band = (support >= low) & (support < high)
        if band.any():
            upper = f" to {high:,}" if high < np.inf else " and more"
            name = f"coverage: support {low:,}{upper}"
            checks.append(_row(name, held[band], concept[band], IN_BAND, settings.confidence))
    whole = [one for one in every if one.parts == 1]
    chosen = [part for sample in whole for part in _selected(sample, population, settings)]
    held, concept = (np.concatenate(part) for part in zip(*chosen, strict=True))
    name = "coverage: selection intervals of the selected"
    checks.append(_row(name, held, concept, SELECTED, settings.confidence))
    own = [np.concatenate(part) for part in zip(*_all(whole, population, settings), strict=True)]
    checks += [
        share_told("coverage: of all pairs alone", int(own[1].sum()), len(own[1])),
        told(
            "coverage: intervals are widened by the population's own error, median",
            f"{np.median(widened) - 1:.1%}",
        ),
        share_told("coverage: intervals that hold the factor's true r", *holds_the_factor(points)),
    ]
    return checks


def _row(name: str, held: np.ndarray, concept: np.ndarray, goal: float, right: float) -> Check:
    return clustered_at_least(name, Clustered.of_hits(held, concept), goal, right)


def _all(
    some: Sequence[PairSample], population: Population, settings: MeasureSettings
) -> list[tuple[np.ndarray, ...]]:
    return [part for sample in some for part in _pointwise(sample, population, settings)]


def _pointwise(
    sample: PairSample, population: Population, settings: MeasureSettings
) -> Iterator[tuple[np.ndarray, ...]]:
    """Support, whether it holds, concept and widening of every judged interval, model by model."""
    for model, told_of in sample.tables.items():
        table = told_of.columns
        judged = np.isfinite(table["relative_gap_low"]) & (population.fired(model) > 0)
        held, wider = covered(model, table, population, "", settings.confidence)
        yield table["support"][judged], held[judged], np.flatnonzero(judged), wider[judged]


def _selected(
    sample: PairSample, population: Population, settings: MeasureSettings
) -> Iterator[tuple[np.ndarray, ...]]:
    """Whether it holds, and the concept, of every interval of a concept with q < α."""
    for model, told_of in sample.tables.items():
        table = told_of.columns
        chosen = np.isfinite(table["relative_gap_low"]) & (population.fired(model) > 0)
        chosen &= table["q"] < settings.alpha
        held, _ = covered(model, table, population, "_selected", told_of.selection.level)
        yield held[chosen], np.flatnonzero(chosen)


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
