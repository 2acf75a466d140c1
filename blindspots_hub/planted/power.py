"""Detection power against the size of a change and the number of pairs: how many to pay for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.table import MeasureSettings, measure
from blindspots_hub.planted.criteria import UNCHANGED, Check, Point

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)
"""Numbers of pairs that power is shown for, as far as there are pairs."""

BANDS = ((0.2, 0.4), (0.4, 0.7), (0.7, 1.01))
"""|true r| of the changes that are looked for together."""


@dataclass(frozen=True)
class Row:
    """Power at one number of pairs for changes of one size."""

    pairs: int
    low: float
    high: float
    factors: int
    found: float
    """Share of the factors flagged on the right side."""
    predicted: float
    """The same as the normal approximation expects it from gap, spread and support on all pairs."""
    bound: float
    """Theorem 4: the error of δ that this many pairs keep to, for the median supported concept."""


def rows(
    natural: ImageEnergies,
    generated: dict[str, ImageEnergies],
    every: Sequence[Point],
    settings: MeasureSettings,
) -> list[Row]:
    """Power of every size that there are pairs for, averaged over models.

    A factor too rare to be determined at a size counts as not found: that is what a user of that
    many pairs sees.
    """
    found = []
    for size in [s for s in SIZES if s < natural.n_images] + [natural.n_images]:
        chosen = np.sort(np.random.default_rng(size).permutation(natural.n_images)[:size])
        part = natural.take(chosen)
        tables = {
            name: measure(part, energies.take(chosen), settings, paired=True)
            for name, energies in generated.items()
        }
        bounds = [t["delta_bound"][t["support"] >= settings.min_support] for t in tables.values()]
        bound = float(np.median(np.concatenate(bounds)))
        for low, high in BANDS:
            members = [point for point in every if low <= abs(point.true) < high]
            if not members:
                continue
            hits = [_hit(tables[point.model], point) for point in members]
            expected = [_expected(point, size, natural.n_images, settings) for point in members]
            found.append(
                Row(
                    size, low, min(high, 1.0), len(members),
                    float(np.mean(hits)), float(np.mean(expected)), bound,
                )
            )  # fmt: skip
    return found


def _hit(table: dict[str, np.ndarray], point: Point) -> bool:
    if not table["q"][point.concept] < 0.05:
        return False
    if point.true > 0:
        return bool(table["relative_gap_low"][point.concept] > UNCHANGED)
    return bool(table["relative_gap_high"][point.concept] < -UNCHANGED)


def _expected(point: Point, size: int, full: int, settings: MeasureSettings) -> float:
    quantile = stats.norm.ppf(0.5 + settings.confidence / 2)
    error = (point.high - point.low) / 2 / quantile * np.sqrt(full / size)
    support = point.support * size / full
    # Enough images of the concept must have come (Poisson), and then the interval must clear.
    determined = stats.poisson.sf(settings.min_support - 1, support)
    clears = stats.norm.cdf((abs(point.measured) - UNCHANGED) / error - quantile) if error else 1.0
    return float(determined * clears)


def checks(every: Sequence[Row]) -> list[Check]:
    """Result 5: more pairs and larger changes are found more often, and as often as predicted."""
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


def _ends(by_band: dict[float, list[Row]]) -> str:
    return ", ".join(
        f"{band[0].found:.0%} → {band[-1].found:.0%}" for band in by_band.values() if band
    )


def _percent(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0%}" for value in values)


def table_text(every: Sequence[Row]) -> str:
    """The rows as a terminal table."""
    lines = ["pairs    |true r|     factors  found  predicted  Theorem 4: δ ±"]
    for row in every:
        lines.append(
            f"{row.pairs:>6,}   {row.low:.1f} to {row.high:.1f}   {row.factors:>5}   "
            f"{row.found:>5.0%}   {row.predicted:>6.0%}     {row.bound:.2f}"
        )
    return "\n".join(lines)
