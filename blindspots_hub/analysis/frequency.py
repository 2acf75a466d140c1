"""Frequency against misalignment: are rare concepts drawn worse (section 5.6, Fig. 13)?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import stats

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LEAST = 4
"""Judged concepts below which a rank correlation says nothing."""


def misalignment(deltas: ModelDeltas) -> tuple[np.ndarray, np.ndarray]:
    """(natural images in which it fires, |relative δ − ½|) of every judged concept."""
    judged = deltas.determined
    return deltas.images_natural[judged], np.abs(deltas.delta[judged] - 0.5)


def rank_correlation(images: np.ndarray, off: np.ndarray) -> tuple[float, float, float]:
    """Spearman's ρ of both and its 95 % interval (Bonett and Wright); NaN where too few."""
    n = len(images)
    if n < LEAST or np.ptp(images) == 0 or np.ptp(off) == 0:
        return (float("nan"),) * 3
    rho = float(stats.spearmanr(images, off).statistic)
    half = 1.96 * np.sqrt((1 + rho**2 / 2) / (n - 3))
    z = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    return rho, float(np.tanh(z - half)), float(np.tanh(z + half))


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """The rank correlation of one model, and what it is made of."""
    (model,) = models
    deltas = ModelDeltas.of(bundle.deltas(model), "relative")
    images, off = misalignment(deltas)
    rho, low, high = rank_correlation(images, off)
    title = bundle.model(model).title
    if np.isnan(rho):
        sentence = f"{title}: too few concepts are judged to hold frequency against misalignment."
    else:
        how = "rarer concepts are drawn worse" if high < 0 else "no trend that could not be chance"
        how = "more frequent concepts are drawn worse" if low > 0 else how
        sentence = (
            f"{title}: frequency and misalignment correlate with ρ = {rho:.2f} "
            f"[{low:.2f}, {high:.2f}] over {len(images):,} judged concepts: {how}. Chance alone "
            "makes rare concepts look worse."
        )
    table = {
        "model": [model],
        "spearman": [rho],
        "spearman_low": [low],
        "spearman_high": [high],
        "concepts": [len(images)],
    }
    return Finding(table, sentence, partial(figure, images, off))


def figure(images: np.ndarray, off: np.ndarray) -> Figure:
    """Misalignment against frequency, a point a judged concept, frequency on a log axis."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import SUPPRESSED, plain_layout

    points = go.Scattergl(
        x=images, y=off, mode="markers", marker={"size": 6, "color": SUPPRESSED[1]}
    )
    made = go.Figure(points)
    made.update_layout(**plain_layout("natural images in which it fires", "|relative δ − ½|"))
    made.update_layout(xaxis_type="log")
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("spearman", pa.float64(), "", "rank correlation of frequency with |relative δ − ½|"),
    Column("spearman_low", pa.float64(), "", "lower end of its 95 % interval (Bonett, Wright)"),
    Column("spearman_high", pa.float64(), "", "upper end of that interval"),
    Column("concepts", pa.int64(), "concepts", "concepts that are judged"),
)

ANALYSIS = Analysis(
    name="frequency",
    title="Frequency against misalignment",
    section="5.6, Fig. 13",
    about="one model",
    needs=("tables",),
    row="one model",
    columns=COLUMNS,
    find=find,
)
