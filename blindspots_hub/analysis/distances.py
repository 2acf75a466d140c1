"""Distances of pairs: how far each generated image is from its natural one (sections 5.4, 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.utils.numerals import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""What is told of the distances' distribution."""


def spread(distance: np.ndarray) -> tuple[float, float]:
    """(median, interquartile range) of the distances of pairs; NaN for none."""
    if not len(distance):
        return float("nan"), float("nan")
    low, median, high = np.quantile(distance, [0.25, 0.5, 0.75])
    return float(median), float(high - low)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """95% interval of a median by order statistics: exact, whatever the distribution."""
    from scipy.stats import binom

    n = len(values)
    if n < 6:  # below this no two order statistics are 95% apart
        return float("nan"), float("nan")
    low = int(binom.ppf(0.025, n, 0.5))
    ordered = np.sort(values)
    return float(ordered[max(low - 1, 0)]), float(ordered[min(n - low, n - 1)])


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """The distribution of one model's distances, and of its pairs' mean δ."""
    (model,) = models
    table = bundle.distances(model)
    distance, shift = (table[name].to_numpy() for name in ("distance", "mean_delta"))
    low, high = median_interval(distance)
    quantiles = np.quantile(distance, QUANTILES) if len(distance) else np.full(5, np.nan)
    shift_median, shift_spread = spread(shift)
    copies = int((table["duplicates"].to_numpy() > 0).sum())
    title = bundle.model(model).title
    median, width = spread(distance)
    if len(distance):
        known = f" [{digits(low, 3)}, {digits(high, 3)}]" if np.isfinite([low, high]).all() else ""
        sentence = (
            f"{title}: the median distance of its {len(distance):,} pairs is {digits(median, 3)}"
            f"{known}, half of them within a spread of {digits(width, 3)}; {copies:,} generated "
            "images are drawn more than once."
        )
    else:
        sentence = f"{title}: it has no pair whose distance could be told."
    rows = {
        "model": [model],
        "pairs": [len(distance)],
        "median": [median],
        "median_low": [low],
        "median_high": [high],
        "quantiles": [quantiles.tolist()],
        "mean_delta_median": [shift_median],
        "mean_delta_spread": [shift_spread],
        "repeated": [copies],
    }
    return Finding(rows, sentence, partial(figure, distance))


def figure(distance: np.ndarray) -> Figure:
    """Histogram of the distances."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import SUPPRESSED, plain_layout

    counts, edges = np.histogram(distance, bins=60)
    bars = go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        marker={"color": SUPPRESSED[1], "line": {"width": 0}},
    )
    made = go.Figure(bars)
    made.update_layout(**plain_layout("‖ξ(x′) − ξ(x)‖₂, energy", "pairs"), bargap=0)
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("pairs", pa.int64(), "pairs", "pairs that were measured"),
    Column("median", pa.float64(), "energy", "median of ‖ξ(x') − ξ(x)‖₂"),
    Column("median_low", pa.float64(), "energy", "lower end of its 95% interval"),
    Column("median_high", pa.float64(), "energy", "upper end of that interval"),
    Column(
        "quantiles",
        pa.list_(pa.float64()),
        "energy",
        "quantiles of the distance: " + ", ".join(f"{q:g}" for q in QUANTILES),
    ),
    Column("mean_delta_median", pa.float64(), "probability", "median of the pairs' mean σ(d/τ)"),
    Column("mean_delta_spread", pa.float64(), "probability", "interquartile range of the same"),
    Column("repeated", pa.int64(), "images", "generated images whose energies another one shares"),
)

ANALYSIS = Analysis(
    name="distances",
    title="Distances of pairs",
    section="5.4 and 5.5, Fig. 11 and 12",
    about="one model",
    needs=("tables", "paired"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
