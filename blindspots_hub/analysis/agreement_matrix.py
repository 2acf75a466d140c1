"""All models against all: the matrix of correlations of relative δ (section 5.2, Fig. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.analysis.model_agreement import Agreement, agreement
from blindspots_hub.analysis.reliability import MEASURES
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHOWN = "relative_delta"
"""What sentence and figure are about."""


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Every pair of models under every measure, each over the concepts that both judge."""
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    shown: dict[tuple[str, str], Agreement] = {}
    for i, first in enumerate(models):
        for second in models[i + 1 :]:
            for measure in MEASURES:
                one = agreement(bundle, first, second, measure)
                row = (first, second, measure, *one.pearson, *one.spearman, one.ceiling)
                for name, value in zip(table, row, strict=True):
                    table[name].append(value)
                if measure == SHOWN:
                    shown[first, second] = one
    return Finding(table, words(bundle, shown), partial(figure, bundle, models, shown))


def words(bundle: Bundle, shown: dict[tuple[str, str], Agreement]) -> str:
    """Which two models agree most and which least."""
    known = {pair: one for pair, one in shown.items() if np.isfinite(one.pearson.value)}
    if not known:
        return "No two models judge enough of the same concepts to compare."
    ranked = sorted(known, key=lambda pair: known[pair].pearson.value)

    def one(pair: tuple[str, str]) -> str:
        titles = " and ".join(bundle.model(name).title for name in pair)
        r = known[pair].pearson
        return f"{titles} (r = {r.value:.2f} [{r.low:.2f}, {r.high:.2f}])"

    told = f"Of {len(known)} pairs of models, relative δ agrees most between {one(ranked[-1])}"
    return told + (f", least between {one(ranked[0])}." if len(known) > 1 else ".")


def figure(
    bundle: Bundle, models: Sequence[str], shown: dict[tuple[str, str], Agreement]
) -> Figure:
    """The matrix of Pearson's r of relative δ."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    square = np.eye(len(models))
    for (first, second), one in shown.items():
        i, j = models.index(first), models.index(second)
        square[i, j] = square[j, i] = one.pearson.value
    titles = [bundle.model(name).title for name in models]
    cells = go.Heatmap(
        z=square, x=titles, y=titles, zmin=-1, zmax=1, texttemplate="%{z:.2f}",
        colorscale=[[0, SUPPRESSED[1]], [0.5, MIDDLE], [1, EXAGGERATED[1]]],
    )  # fmt: skip
    made = go.Figure(cells)
    made.update_layout(**plain_layout("", ""), yaxis_autorange="reversed")
    made.update_layout(height=360)
    return made


COLUMNS = (
    Column("model", pa.string(), "", "name of the model"),
    Column("other", pa.string(), "", "name of the other"),
    Column("measure", pa.string(), "", "what is correlated: " + ", ".join(MEASURES)),
    Column("pearson", pa.float64(), "", "Pearson's r over concepts that both judge"),
    Column("pearson_low", pa.float64(), "", "lower end of its 95% interval (Fisher)"),
    Column("pearson_high", pa.float64(), "", "upper end of that interval"),
    Column("spearman", pa.float64(), "", "Spearman's rank correlation"),
    Column("spearman_low", pa.float64(), "", "lower end of its 95% interval (Bonett and Wright)"),
    Column("spearman_high", pa.float64(), "", "upper end of that interval"),
    Column("ceiling", pa.float64(), "", "Pearson's r that two runs differing by noise would reach"),
)

ANALYSIS = Analysis(
    name="agreement_matrix",
    title="The matrix of agreement",
    section="5.2, Fig. 8",
    about="all models",
    needs=("tables", "energies"),
    row="one measure, correlated between two models",
    columns=COLUMNS,
    find=find,
    least=2,
)
