"""The histogram of δ over the concepts: how a whole model leans (section 5.1, Fig. 6).

The one definition: page, parity with the authors and the planted benchmark all read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blindspots_hub import paper
from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import KINDS, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BINS = 100
"""Bins on [0, 1], as in the paper's figure."""

RESAMPLES = 400
"""Bootstrap resamples of the concepts behind the skewness's interval."""

OVER = ("all", "judged")
"""Concepts that a histogram is over: all of them, as in the paper, or those that are judged."""

BLOCK = 1 << 22
"""Counts that are drawn at once: all resamples of many concepts are gigabytes."""


@dataclass(frozen=True)
class Histogram:
    """`density` (BINS,) of δ on equal bins of [0, 1], over `concepts` concepts.

    `skewness` has a 95% bootstrap interval over the concepts; it is NaN where δ does not vary.
    """

    density: np.ndarray
    concepts: int
    median: float
    skewness: float
    skewness_low: float
    skewness_high: float

    @property
    def middles(self) -> np.ndarray:
        """δ in the middle of every bin."""
        return (np.arange(BINS) + 0.5) / BINS

    @classmethod
    def of(cls, delta: np.ndarray) -> Histogram:
        """Count δ (n,); nothing to count gives NaN throughout."""
        if not len(delta):
            nothing = float("nan")
            return cls(np.zeros(BINS), 0, nothing, nothing, nothing, nothing)
        density, _ = np.histogram(delta, bins=BINS, range=(0.0, 1.0), density=True)
        low, high = _interval(delta)
        return cls(density, len(delta), float(np.median(delta)), _skewness(delta), low, high)


def _skewness(delta: np.ndarray) -> float:
    """Skewness of δ; NaN where all are equal (to rounding, which is no skew)."""
    from scipy.stats import skew

    return float(skew(delta)) if np.ptp(delta) > 1e-12 else float("nan")


def _interval(delta: np.ndarray) -> tuple[float, float]:
    if np.ptp(delta) <= 1e-12:
        return float("nan"), float("nan")
    # Resampled by counts of distinct values: dead concepts all have δ = 0.5, and are most of them.
    values, counts = np.unique(delta, return_counts=True)
    rng = np.random.default_rng(0)
    powers = np.stack([values, values**2, values**3], axis=1)
    at_once = max(1, BLOCK // len(values))
    sums = [
        rng.multinomial(len(delta), counts / len(delta), size=min(at_once, RESAMPLES - start))
        @ powers
        for start in range(0, RESAMPLES, at_once)
    ]
    mean, square, cube = np.concatenate(sums).T / len(delta)
    second = square - mean**2
    third = cube - 3 * mean * square + 2 * mean**3
    varies = second > 1e-15
    if not varies.any():
        return float("nan"), float("nan")
    skews = third[varies] / second[varies] ** 1.5
    low, high = np.quantile(skews, [0.025, 0.975])
    return float(low), float(high)


def histogram(deltas: ModelDeltas, over: str = "judged") -> Histogram:
    """The histogram of one model under one δ, over "all" or over the "judged" concepts."""
    return Histogram.of(deltas.delta if over == "all" else deltas.delta[deltas.determined])


def words(found: Histogram, kind: str, over: str) -> str:
    """One histogram as one sentence."""
    what = "concepts" if over == "all" else "judged concepts"
    if not found.concepts:
        return "No concept of this model is seen often enough for a judgement."
    start = f"{found.concepts:,} {what}: median {kind} δ {found.median:.2f}"
    if np.isnan(found.skewness):
        return f"{start}, all of them alike."
    side = "suppressed" if found.skewness < 0 else "exaggerated"
    sure = found.skewness_low * found.skewness_high > 0
    tail = f"the longer tail is on the {side} side" if sure else "which way the tail points is open"
    return (
        f"{start}, skewness {found.skewness:.2f} [{found.skewness_low:.2f}, "
        f"{found.skewness_high:.2f}] ({tail})."
    )


def figure(found: Histogram, kind: str) -> Figure:
    """The histogram with the two thresholds, density on a logarithmic axis."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import delta_colorscale, plain_layout

    bars = go.Bar(
        x=found.middles,
        y=np.where(found.density > 0, found.density, np.nan),
        width=1 / BINS,
        marker={
            "color": found.middles,
            "colorscale": delta_colorscale(),
            "cmin": 0,
            "cmax": 1,
            "line": {"width": 0},
        },
        hovertemplate="δ %{x:.2f}<br>density %{y:.2g}<extra></extra>",
    )
    made = go.Figure(bars)
    for threshold in (paper.SUPPRESSED_BELOW, paper.EXAGGERATED_ABOVE):
        made.add_vline(
            x=threshold,
            line={"dash": "dot", "width": 1, "color": "#888"},
            annotation={"text": f"{threshold:g}", "font": {"size": 11}},
        )
    made.update_layout(
        **plain_layout(f"{kind} δ", "density"),
        bargap=0,
        xaxis_range=[0, 1],
        yaxis_type="log",
    )
    return made


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Histograms of one model: both δ, over all and over the judged concepts."""
    (model,) = models
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    found: dict[tuple[str, str], Histogram] = {}
    for kind in KINDS:
        deltas = ModelDeltas.of(bundle.deltas(model), kind)
        for over in OVER:
            one = found[kind, over] = histogram(deltas, over)
            for name, value in (
                ("model", model),
                ("kind", kind),
                ("over", over),
                ("concepts", one.concepts),
                ("median", one.median),
                ("skewness", one.skewness),
                ("skewness_low", one.skewness_low),
                ("skewness_high", one.skewness_high),
                ("density", one.density.tolist()),
            ):
                table[name].append(value)
    title = bundle.model(model).title
    parts = [words(found["absolute", over], "absolute", over) for over in OVER]
    return Finding(
        table, f"{title}: {' '.join(parts)}", partial(figure, found["absolute", "all"], "absolute")
    )


COLUMNS = (
    *columns_of_models(1),
    Column("kind", pa.string(), "", "which δ: relative or absolute"),
    Column("over", pa.string(), "", "concepts counted: all, or those that are judged"),
    Column("concepts", pa.int64(), "concepts", "how many were counted"),
    Column("median", pa.float64(), "probability", "median of δ"),
    Column("skewness", pa.float64(), "", "skewness of δ; below 0 the suppressed tail is longer"),
    Column("skewness_low", pa.float64(), "", "lower end of its 95% interval over concepts"),
    Column("skewness_high", pa.float64(), "", "upper end of that interval"),
    Column("density", pa.list_(pa.float64()), "1/δ", "density on 100 equal bins of [0, 1]"),
)

ANALYSIS = Analysis(
    name="delta_histogram",
    title="The histogram of δ",
    section="5.1, Fig. 6",
    about="one model",
    needs=("tables",),
    row="one model under one δ, over all or over the judged concepts",
    columns=COLUMNS,
    find=find,
)
