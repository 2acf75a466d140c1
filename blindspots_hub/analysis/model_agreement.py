"""Model against model: do two models misdraw the same concepts (section 5.2, Fig. 8)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.correlation import Correlation, pearson, rank_correlation, why_unknown
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.reliability import MEASURES, reliability
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Agreement:
    """Correlation of one measure over `concepts` that both models judge; NaN where too few.

    The 95% intervals are over concepts: Fisher's of Pearson's r, Bonett and Wright's of
    Spearman's. `ceiling` is what two runs that differ by noise alone would reach.
    """

    pearson: Correlation
    spearman: Correlation
    concepts: int
    ceiling: float = float("nan")

    @property
    def disattenuated(self) -> float:
        """Pearson's r over its ceiling, 1 at most: the correlation without the noise."""
        return min(self.pearson.value / self.ceiling, 1.0) if self.ceiling > 0 else float("nan")

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, ceiling: float = float("nan")) -> Agreement:
        """Correlate two measures of the same concepts, (n,) each."""
        return cls(pearson(x, y), rank_correlation(x, y), len(x), ceiling)


def shared(bundle: Bundle, models: Sequence[str]) -> tuple[np.ndarray, list[ModelDeltas]]:
    """Concepts that every one of `models` judges (indices), and their tables by relative δ."""
    tables = [ModelDeltas.of(bundle.deltas(model), "relative") for model in models]
    judged = np.logical_and.reduce([table.determined for table in tables])
    return np.flatnonzero(judged), tables


def agreement(bundle: Bundle, first: str, second: str, measure: str) -> Agreement:
    """How far two models agree in one of `MEASURES`, over what both judge."""
    concepts, _ = shared(bundle, (first, second))
    x, y = (bundle.deltas(model)[measure].to_numpy()[concepts] for model in (first, second))
    product = np.prod([reliability(bundle, model).value[measure] for model in (first, second)])
    return Agreement.of(x, y, float(np.sqrt(product)) if product > 0 else float("nan"))


def noise_words(bundle: Bundle, models: Sequence[str]) -> str:
    """Which runs the ceiling of a correlation is about."""
    if all(reliability(bundle, model).how == "seeds" for model in models):
        return "two runs of one model with other seeds"
    return "two runs of one model with other seeds on other captions"


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Correlations of two models, of every measure."""
    first, second = models
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    found = {measure: agreement(bundle, first, second, measure) for measure in MEASURES}
    for measure, one in found.items():
        row = (
            first, second, measure, *one.pearson, *one.spearman, one.concepts, one.ceiling,
            one.disattenuated,
        )  # fmt: skip
        for name, value in zip(table, row, strict=True):
            table[name].append(value)
    titles = [bundle.model(model).title for model in models]
    one = found["relative_delta"]
    if np.isnan(one.pearson.value):
        concepts, (x, y) = shared(bundle, (first, second))
        why = why_unknown(x.delta[concepts], y.delta[concepts])
        sentence = (
            f"{titles[0]} and {titles[1]} judge {len(concepts)} of the same concepts: how alike "
            f"they misdraw them cannot be told, because {why}."
        )
    else:
        r, rho = one.pearson, one.spearman
        sentence = (
            f"{titles[0]} and {titles[1]}: relative δ correlates with r = {r.value:.2f} "
            f"[{r.low:.2f}, {r.high:.2f}], ρ = {rho.value:.2f} [{rho.low:.2f}, {rho.high:.2f}], "
            f"over the {one.concepts:,} concepts that both judge"
        )
        sentence += (
            f"; {noise_words(bundle, models)} would reach {one.ceiling:.2f}."
            if one.ceiling > 0
            else "; how far noise lowers it cannot be told."
        )
    return Finding(table, sentence, partial(figure, bundle, first, second))


def figure(bundle: Bundle, first: str, second: str) -> Figure:
    """Relative δ of one model against the other's, a point a concept that both judge."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import delta_colorscale, plain_layout

    concepts, (x, y) = shared(bundle, (first, second))
    points = go.Scattergl(
        x=x.delta[concepts],
        y=y.delta[concepts],
        mode="markers",
        text=[f"#{k} {bundle.labels[k]}" for k in concepts],
        marker={
            "size": 6,
            "color": (x.delta + y.delta)[concepts] / 2,
            "colorscale": delta_colorscale(),
            "cmin": 0,
            "cmax": 1,
        },
        hovertemplate="%{text}<br>%{x:.2f} and %{y:.2f}<extra></extra>",
    )
    titles = [bundle.model(model).title for model in (first, second)]
    made = go.Figure(points)
    made.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"width": 1, "color": "#888"})
    made.update_layout(**plain_layout(f"relative δ, {titles[0]}", f"relative δ, {titles[1]}"))
    made.update_layout(xaxis_range=[0, 1], yaxis_range=[0, 1], height=420)
    return made


COLUMNS = (
    *columns_of_models(2),
    Column("measure", pa.string(), "", "what is correlated: " + ", ".join(MEASURES)),
    Column("pearson", pa.float64(), "", "Pearson's r over concepts; null where too few"),
    Column("pearson_low", pa.float64(), "", "lower end of its 95% interval (Fisher)"),
    Column("pearson_high", pa.float64(), "", "upper end of that interval"),
    Column("spearman", pa.float64(), "", "Spearman's rank correlation"),
    Column("spearman_low", pa.float64(), "", "lower end of its 95% interval (Bonett, Wright)"),
    Column("spearman_high", pa.float64(), "", "upper end of that interval"),
    Column("concepts", pa.int64(), "concepts", "concepts that both models judge"),
    Column("ceiling", pa.float64(), "", "Pearson's r that two runs differing by noise would reach"),
    Column("disattenuated", pa.float64(), "", "Pearson's r over that ceiling, 1 at most"),
)

ANALYSIS = Analysis(
    name="model_agreement",
    title="Model against model",
    section="5.2, Fig. 8",
    about="two models",
    needs=("tables", "energies"),
    row="one measure, correlated over the concepts that two models judge",
    columns=COLUMNS,
    find=find,
)
