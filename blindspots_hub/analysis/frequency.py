"""Frequency against misalignment: are rare concepts drawn worse (section 5.6, Fig. 13)?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.correlation import LEAST, rank_correlation
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.delta import relative_delta, relative_gap
from blindspots_hub.utils.numerals import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

REPEATS = 39
"""Splits in which nothing differs. Where nothing does, the sides as they are are one more such, and
lie outside the range of 39 others in 2 of 40 cases: the range is one of 95%."""


def misalignment(deltas: ModelDeltas) -> tuple[np.ndarray, np.ndarray]:
    """(natural images in which it fires, |relative δ − ½|) of every judged concept."""
    judged = deltas.determined
    return deltas.images_natural[judged], np.abs(deltas.delta[judged] - 0.5)


def null_correlations(bundle: Bundle, model: str, repeats: int = REPEATS) -> np.ndarray:
    """ρ of each of `repeats` splits in which nothing differs: what regression to the mean gives.

    The sides of each pair are swapped at random (METHOD §3, "Null"), or, where unpaired, images are
    dealt anew to two sides of the same sizes. Rare concepts then misalign by chance alone.
    """
    judged = np.flatnonzero(ModelDeltas.of(bundle.deltas(model), "relative").determined)
    if len(judged) < LEAST:
        return np.full(repeats, np.nan)
    sides = bundle.compared(model)
    x, y = (side.matrix[:, judged] for side in sides)
    fires_x, fires_y = (side.firing[:, judged] for side in sides)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(repeats):
        if bundle.model(model).paired:
            swap = rng.integers(0, 2, x.shape[0]).astype(np.float64)
            natural = (1 - swap) @ x + swap @ y
            generated = swap @ x + (1 - swap) @ y
            images = (1 - swap) @ fires_x + swap @ fires_y
            n = m = x.shape[0]
        else:
            n, m = x.shape[0], y.shape[0]
            dealt = np.zeros(n + m)
            dealt[rng.permutation(n + m)[:n]] = 1
            of_x, of_y = dealt[:n], dealt[n:]
            natural = of_x @ x + of_y @ y
            generated = (1 - of_x) @ x + (1 - of_y) @ y
            images = of_x @ fires_x + of_y @ fires_y
        r = relative_gap(np.maximum(natural, 0) / n, np.maximum(generated, 0) / m)
        found.append(rank_correlation(images, np.abs(relative_delta(r) - 0.5)).value)
    return np.array(found)


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """The rank correlation of one model, and the same where nothing differs."""
    (model,) = models
    deltas = ModelDeltas.of(bundle.deltas(model), "relative")
    images, off = misalignment(deltas)
    rho, low, high = rank_correlation(images, off)
    null = null_correlations(bundle, model)
    null = null[np.isfinite(null)]
    mean, least, most = (
        (float(null.mean()), float(null.min()), float(null.max())) if len(null) else (np.nan,) * 3
    )
    title = bundle.model(model).title
    if np.isnan(rho):
        sentence = f"{title}: too few concepts are judged to hold frequency against misalignment."
    else:
        how = "rarer concepts are drawn worse" if high < 0 else "no trend that could not be chance"
        how = "more frequent concepts are drawn worse" if low > 0 else how
        sentence = (
            f"{title}: frequency and misalignment correlate with ρ = {rho:.2f} "
            f"[{low:.2f}, {high:.2f}] over {len(images):,} judged concepts: {how}."
        )
        if len(null):
            sentence = sentence[:-1] + (
                f"; where nothing differs chance alone gives ρ = {mean:.2f} ({least:.2f} to "
                f"{most:.2f} in {len(null)} splits){_verdict(rho, null)}."
            )
    table = {
        "model": [model],
        "spearman": [rho],
        "spearman_low": [low],
        "spearman_high": [high],
        "concepts": [len(images)],
        "null": [mean],
        "null_low": [least],
        "null_high": [most],
    }
    return Finding(table, sentence, partial(figure, images, off))


def _verdict(rho: float, null: np.ndarray) -> str:
    """What ρ says beside those where nothing differs; "" where these are too few for a level."""
    if len(null) < REPEATS:
        return ""
    how = "more than" if rho < null.min() else "less than" if rho > null.max() else "no more than"
    level = percent(1 - 2 / (len(null) + 1))
    return f", so that this is {how} regression to the mean (at {level} confidence)"


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
    Column("spearman_low", pa.float64(), "", "lower end of its 95% interval (Bonett, Wright)"),
    Column("spearman_high", pa.float64(), "", "upper end of that interval"),
    Column("concepts", pa.int64(), "concepts", "concepts that are judged"),
    Column("null", pa.float64(), "", "mean rank correlation where sides are exchanged by chance"),
    Column(
        "null_low",
        pa.float64(),
        "",
        f"least over {REPEATS} splits; with null_high a range of 95%",
    ),
    Column("null_high", pa.float64(), "", f"the largest over {REPEATS} splits"),
)

ANALYSIS = Analysis(
    name="frequency",
    title="Frequency against misalignment",
    section="5.6, Fig. 13",
    about="one model",
    needs=("tables", "energies"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
