"""Do other metrics agree? Distances, fidelity and diversity on DINOv2 features, beside δ.

Class tokens of the images that the bundle keeps features of. Errors are by leaving out groups of
pairs: a bootstrap draws images twice, and distances between distributions take copies for
likeness.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, NotAnswerable
from blindspots_hub.analysis.chosen_images import Chosen
from blindspots_hub.analysis.correlation import rank_correlation
from blindspots_hub.analysis.deltas import CHANGED_STATES
from blindspots_hub.analysis.distribution_metrics import LOWER_IS_BETTER, Reference, all_metrics
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import IMAGE_TEXT, Column
from blindspots_hub.utils.numerals import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 2_000
"""Images of a side in every metric: they depend on their number."""

LEAST = 20
"""Images of a side below which nothing is told."""

GROUPS = 5
"""Groups of pairs (of images of each side, where unpaired) left out one after the other."""

OURS = ("changed concepts", "mean |r|")
"""From δ: share of the judged concepts that surely changed two-fold, and their mean |r|."""

IMAGE_TEXT_SCORE = "image-text score"
_LOWER = {*LOWER_IS_BETTER, *OURS}


References = dict[tuple[tuple[str, ...], int | None], Reference]
"""Natural images that models are held against: by their ids, and which group is left out."""


def scored(bundle: Bundle, model: str, known: References) -> dict[str, tuple[float, float]]:
    """(value, standard error) of every metric of a model, by name.

    What models share of the natural images is kept in `known`.
    """
    chosen = Chosen.of(bundle, model, MOST)
    sides = []
    for name, rows in ((NATURAL, chosen.natural), (model, chosen.generated)):
        features = bundle.features(name)
        assert features is not None  # what the analysis needs was asked for
        sides.append(np.asarray(features.class_token[rows], np.float64))
    size = min(map(len, sides))
    if size < LEAST:
        raise NotAnswerable(
            f"{ANALYSIS.title}: this needs {LEAST} images of each side, not {size}."
        )
    x, y = sides
    ids = chosen.natural_ids
    whole = all_metrics(known.setdefault((ids, None), Reference(x)), y)
    # Where models are paired, row i of both sides is one pair, which is left out with both images.
    x_group, y_group = (np.arange(len(side)) % GROUPS for side in sides)
    part = []
    for one in range(GROUPS):
        natural = known.setdefault((ids, one), Reference(x[x_group != one]))
        part.append(all_metrics(natural, y[y_group != one]))
    found = {
        name: (value, float(np.sqrt((GROUPS - 1) * np.var([one[name] for one in part]))))
        for name, value in whole.items()
    }
    return found | _from_delta(bundle, model) | _from_scores(bundle, model)


def _from_delta(bundle: Bundle, model: str) -> dict[str, tuple[float, float]]:
    table = bundle.deltas(model)
    judged = np.isfinite(table["relative_gap_low"].to_numpy())
    n = int(judged.sum())
    if n < 2:
        return dict.fromkeys(OURS, (float("nan"), float("nan")))
    state = table["relative_state"].to_numpy(zero_copy_only=False)
    share = float(np.isin(state, CHANGED_STATES).sum() / n)
    gaps = np.abs(table["relative_gap"].to_numpy()[judged])
    return {
        OURS[0]: (share, float(np.sqrt(share * (1 - share) / n))),
        OURS[1]: (float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(n))),
    }


def _from_scores(bundle: Bundle, model: str) -> dict[str, tuple[float, float]]:
    table = bundle.optional(IMAGE_TEXT, model)
    if table is None:
        return {}
    scores = table["generated"].to_numpy()
    scores = scores[np.isfinite(scores)]
    if len(scores) < 2:
        return {}
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    return {IMAGE_TEXT_SCORE: (float(scores.mean()), float(error))}


def goodness(name: str, values: np.ndarray) -> np.ndarray:
    """Values turned so that more is better."""
    return -values if name in _LOWER else values


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Every metric of every model, and how they rank the models, each against each."""
    known: References = {}
    by_model = {model: scored(bundle, model, known) for model in models}
    names = [
        name for name in next(iter(by_model.values())) if all(name in by_model[m] for m in models)
    ]
    values = {name: np.array([by_model[m][name][0] for m in models]) for name in names}
    ranks = {
        name: [
            rank_correlation(goodness(name, values[name]), goodness(other, values[other])).value
            for other in names
        ]
        for name in names
    }
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    for model in models:
        for name in names:
            value, error = by_model[model][name]
            row = (
                model, name, "lower" if name in _LOWER else "higher", value,
                value - 1.96 * error, value + 1.96 * error, names, ranks[name],
            )  # fmt: skip
            for column, cell in zip(table, row, strict=True):
                table[column].append(cell)
    return Finding(table, words(bundle, by_model, ranks, names), partial(figure, names, ranks))


def words(
    bundle: Bundle,
    by_model: dict[str, dict[str, tuple[float, float]]],
    ranks: dict[str, list[float]],
    names: list[str],
) -> str:
    """Distances of every model, and which metrics rank models as δ does."""
    told = [
        f"{bundle.model(model).title} {digits(one['Fréchet distance'][0], 3)} ± "
        f"{digits(1.96 * one['Fréchet distance'][1])}"
        for model, one in by_model.items()
    ]
    start = f"Fréchet distance on DINOv2 class tokens: {', '.join(told)}."
    ours = ranks[OURS[0]]
    known = {n: r for n, r in zip(names, ours, strict=True) if n not in OURS and np.isfinite(r)}
    if not known:
        return (
            f"{start} Fewer than four models, or none judged, say nothing about how metrics rank."
        )
    listed = ", ".join(f"{name} {value:+.2f}" for name, value in known.items())
    return (
        f"{start} Ranks of {len(by_model)} models by the share of concepts changed two-fold "
        f"correlate with those by {listed} (Spearman, better models first; with so few models only "
        "extremes mean anything)."
    )


def figure(names: list[str], ranks: dict[str, list[float]]) -> Figure:
    """Rank correlation of models between every two metrics."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    cells = go.Heatmap(
        z=[ranks[name] for name in names], x=names, y=names, zmin=-1, zmax=1,
        colorscale=[[0, SUPPRESSED[1]], [0.5, MIDDLE], [1, EXAGGERATED[1]]],
    )  # fmt: skip
    made = go.Figure(cells)
    made.update_layout(**plain_layout("", ""), yaxis_autorange="reversed")
    made.update_layout(height=420, margin_l=140)
    return made


COLUMNS = (
    Column("model", pa.string(), "", "name of the model"),
    Column("metric", pa.string(), "", "its name"),
    Column("better", pa.string(), "", "lower or higher"),
    Column("value", pa.float64(), "", f"of class tokens, {MOST:,} images of a side at most"),
    Column("low", pa.float64(), "", "lower end of its 95% interval, leaving out fifths of pairs"),
    Column("high", pa.float64(), "", "upper end of that interval"),
    Column("others", pa.list_(pa.string()), "", "the metrics that `agreement` is with"),
    Column("agreement", pa.list_(pa.float64()), "", "Spearman's ρ over models, better first"),
)

ANALYSIS = Analysis(
    name="other_metrics",
    title="Other metrics",
    section="reviewers",
    about="all models",
    needs=("tables", "features"),
    row="one metric of one model",
    columns=COLUMNS,
    find=find,
)
