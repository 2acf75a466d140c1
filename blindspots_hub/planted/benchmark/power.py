"""Row 8: detection power against the size of a change, its fault's strength, and the pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from blindspots_hub import paper
from blindspots_hub.measure.delta import LEAST_ABSOLUTE, TWO_FOLD, judged
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import Columns, Measured, measure
from blindspots_hub.planted.benchmark.checks import Check, share_told
from blindspots_hub.planted.benchmark.points import LESS, MORE, Point
from blindspots_hub.planted.benchmark.recall import Outcome

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)
"""Numbers of pairs that power is shown for, as far as there are pairs: random parts of them."""

BANDS = ((0.2, 0.4), (0.4, 0.7), (0.7, 1.01))
"""|true r| of the changes that are looked for together."""

STRENGTHS = ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01))
"""Strengths of planted faults that are looked for together."""


@dataclass(frozen=True)
class Row:
    """Power at one number of pairs for changes of one size, of factors with their own concept."""

    pairs: int
    low: float
    high: float
    factors: int
    found: float
    """Share of the factors that a state of the tool tells of, on the right side."""
    predicted: float
    """The same as the normal approximation expects it from gap, spread and support on all pairs."""
    bound: float
    """Theorem 4: the error of δ that this many pairs keep to, for the median supported concept."""


def rows(
    natural: ImageEnergies,
    generated: Mapping[str, ImageEnergies],
    found: Mapping[str, Measured],
    every: Sequence[Point],
    settings: MeasureSettings,
) -> list[Row]:
    """Power of every size that there are pairs for, averaged over models.

    `found` are the tables of all pairs. A factor too rare to be determined at a size counts as not
    found: that is what a user of that many pairs sees.
    """
    told = []
    whole = natural.n_images
    for size in [s for s in SIZES if s < whole] + [whole]:
        tables = _tables(natural, generated, found, size, settings)
        bounds = [t["delta_bound"][judged(t["support"], settings)] for t in tables.values()]
        bound = float(np.median(np.concatenate(bounds)))
        for low, high in BANDS:
            members = [point for point in every if point.alone and low <= abs(point.true) < high]
            if not members:
                continue
            hits = [_hit(tables[point.model], point) for point in members]
            expected = [
                _expected(point, size / whole, found[point.model].selection.level, settings)
                for point in members
            ]
            told.append(
                Row(
                    size, low, min(high, 1.0), len(members),
                    float(np.mean(hits)), float(np.mean(expected)), bound,
                )
            )  # fmt: skip
    return told


def _tables(
    natural: ImageEnergies,
    generated: Mapping[str, ImageEnergies],
    found: Mapping[str, Measured],
    size: int,
    settings: MeasureSettings,
) -> dict[str, Columns]:
    if size == natural.n_images:
        return {name: table.columns for name, table in found.items()}
    chosen = np.sort(np.random.default_rng(size).permutation(natural.n_images)[:size])
    part = natural.take(chosen)
    return {
        name: measure(part, energies.take(chosen), settings, paired=True)
        for name, energies in generated.items()
    }


def _hit(table: Columns, point: Point) -> bool:
    wanted = MORE if point.true > 0 else LESS
    return any(str(table[name][point.concept]) in wanted for name in ("state", "relative_state"))


def _expected(point: Point, part: float, level: float, settings: MeasureSettings) -> float:
    """Probability that a state tells of the change on this `part` of the pairs.

    The error of r on all pairs, read off the side of its interval that faces no change, grows with
    1/√part; the selection interval's quantile is that of the whole table. Enough images of the
    concept must have come (Poisson), and then one of three: the selection interval clears two-fold;
    it clears the least r of an absolute blindspot, whose δ lies beyond; r itself lies beyond the
    threshold of relative δ.
    """
    if not point.determined:
        return 0.0
    facing = point.high - point.measured if point.measured < 0 else point.measured - point.low
    error = facing / stats.norm.ppf(0.5 + settings.confidence / 2) / np.sqrt(part)
    size, quantile = abs(point.measured), stats.norm.ppf(0.5 + level / 2)
    determined = stats.poisson.sf(settings.min_support - 1, point.support * part)
    if error == 0:
        return float(determined * (size > TWO_FOLD))
    ways = [(size - TWO_FOLD) / error - quantile, (size - _BEYOND) / error]
    if not paper.SUPPRESSED_BELOW <= point.delta <= paper.EXAGGERATED_ABOVE:
        ways.append((size - LEAST_ABSOLUTE) / error - quantile)
    return float(determined * stats.norm.cdf(max(ways)))


_BEYOND = paper.RELATIVE_TAU * float(np.log(paper.EXAGGERATED_ABOVE / paper.SUPPRESSED_BELOW))
"""|r| at which relative δ crosses its threshold: 0.88."""


def checks(every: Sequence[Row]) -> list[Check]:
    """More pairs and larger changes are found more often, and as often as predicted."""
    by_band = {low: [row for row in every if row.low == low] for low, _ in BANDS}
    grows = all(band[-1].found >= band[0].found for band in by_band.values() if band)
    last = [band[-1].found for band in by_band.values() if band]
    larger = all(a <= b + 0.05 for a, b in pairwise(last))
    off = float(np.mean([abs(row.found - row.predicted) for row in every]))
    return [
        Check("power grows with the number of pairs", _ends(by_band), "in every band", grows),
        Check("power at full size by change", _percent(last), "not falling", larger),
        Check("power against prediction, mean difference", f"{off:.2f}", "≤ 0.2", off <= 0.2),
    ]


def by_strength(every: Sequence[Outcome]) -> list[Check]:
    """Suppressed factors found by the strength of their fault, with a concept or without.

    An exaggeration of strength 0.25 makes a rare factor many times as frequent, so strength says
    little there.
    """
    told = []
    for low, high in STRENGTHS:
        band = [o for o in every if o.true < 0 and low <= (o.strength or 0) < high]
        if band:
            name = f"power: factors suppressed at strength {low} to {min(high, 1.0)}"
            told.append(share_told(name, sum(one.found for one in band), len(band)))
    return told


def _ends(by_band: Mapping[float, Sequence[Row]]) -> str:
    return ", ".join(
        f"{band[0].found:.0%} → {band[-1].found:.0%}" for band in by_band.values() if band
    )


def _percent(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0%}" for value in values)


def table_text(every: Sequence[Row]) -> str:
    """The rows as a terminal table."""
    lines = [
        "Power on random parts of the pairs, factors with their own concept:",
        "pairs    |true r|     factors  found  predicted  Theorem 4: δ ±",
    ]
    for row in every:
        lines.append(
            f"{row.pairs:>6,}   {row.low:.1f} to {row.high:.1f}   {row.factors:>5}   "
            f"{row.found:>5.0%}   {row.predicted:>6.0%}     {row.bound:.2f}"
        )
    return "\n".join(lines)
