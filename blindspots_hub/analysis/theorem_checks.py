"""Theorems 4 and 5 held against a bundle: what the bound says, and that rankings agree (I, J).

What stands for the bound of Theorem 4 is the largest energy that was seen: the paper's form, and no
guarantee (`measure.delta.mcdiarmid_epsilon`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.comparison import Clusters
from blindspots_hub.measure.delta import delta, mcdiarmid_epsilon
from blindspots_hub.measure.energies import columns
from blindspots_hub.utils.numerals import digits, percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

USEFUL = 0.1
"""A bound on δ's error that says something: the distance of a threshold from its end."""


def disordered(gap: np.ndarray, tau: float) -> tuple[int, int]:
    """(concepts out of order, concepts that δ cannot tell apart) of a ranking by gap (n,).

    Theorem 5: δ and the odds ratio exp(g) rank as g does. Far from 0 different gaps have δ = 0 or 1
    to rounding: those are not out of order, but δ shows no order among them.
    """
    ordered = np.unique(gap)
    values = delta(ordered, tau)
    odds = np.exp(np.clip(ordered, -700, 700))
    wrong = (np.diff(values) < 0) | (np.diff(odds) < 0)
    return int(wrong.sum()), int((np.diff(values) == 0).sum())


def halves_agree(bundle: Bundle, model: str, concepts: np.ndarray) -> tuple[int, np.ndarray]:
    """Concepts whose δ of two random halves differ by no more than both bounds, and their mean.

    B is the largest energy seen, which is no bound of what could be seen: the check can only fail.
    """
    settings = bundle.model(model).measured_with
    natural, generated = bundle.compared(model)
    n = min(natural.n_images, generated.n_images)
    order = np.random.default_rng(0).permutation(n)
    largest = np.maximum(natural.largest, generated.largest)[concepts]
    found, bounds = [], []
    for rows in (order[: n // 2], order[n // 2 : n // 2 * 2]):
        sides = natural.take(rows), generated.take(rows)
        x, y = (columns(side.matrix)[concepts] / len(rows) for side in sides)
        found.append(delta(y - x, settings.tau))
        independent = Clusters.of(*sides, bundle.model(model).paired).fewest
        bounds.append(mcdiarmid_epsilon(largest, independent, settings.tau, settings.confidence))
    agree = int((np.abs(found[0] - found[1]) <= bounds[0] + bounds[1]).sum())
    return agree, (bounds[0] + bounds[1]) / 2


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Both theorems, over the judged concepts."""
    (model,) = models
    deltas = ModelDeltas.of(bundle.deltas(model), "absolute")
    judged = np.flatnonzero(deltas.determined)
    settings = bundle.model(model).measured_with
    bound = bundle.deltas(model)["delta_bound"].to_numpy()[judged]
    half_width = (deltas.high - deltas.low)[judged] / 2
    agree, _ = halves_agree(bundle, model, judged)
    wrong, tied = disordered(deltas.gap[judged], settings.tau)
    useful = int((bound <= USEFUL).sum())
    ratio = float(np.median(bound / np.maximum(half_width, 1e-9))) if len(judged) else np.nan
    title = bundle.model(model).title
    if not len(judged):
        sentence = f"{title}: no concept is judged, so that there is nothing to hold a bound to."
    else:
        sentence = (
            f"{title}: in the form of Theorem 4, with the largest energy seen for its bound B, the "
            f"error of δ is {USEFUL:g} or less for {useful:,} of {len(judged):,} judged concepts: "
            f"no guarantee, as larger energies may be unseen. The {percent(settings.confidence)} "
            f"interval is {digits(ratio, 3)} times as tight in the median, and δ of two halves of "
            f"the pairs stays within both halves' figures for {agree:,}. "
            f"Theorem 5: {wrong} concepts rank otherwise by δ or the odds ratio than by "
            f"the gap ({tied:,} neighbours are equal in δ to rounding)."
        )
    table = {
        "model": [model],
        "judged": [len(judged)],
        "useful": [useful],
        "bound_median": [float(np.median(bound)) if len(judged) else np.nan],
        "interval_median": [float(np.median(half_width)) if len(judged) else np.nan],
        "halves_agree": [agree],
        "disordered": [wrong],
        "tied": [tied],
    }
    return Finding(table, sentence, partial(figure, half_width, bound))


def figure(half_width: np.ndarray, bound: np.ndarray) -> Figure:
    """Theorem 4's figure against the interval's half-width, a point a judged concept."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import SUPPRESSED, plain_layout

    made = go.Figure(
        go.Scattergl(
            x=half_width, y=bound, mode="markers", marker={"size": 6, "color": SUPPRESSED[1]}
        )
    )
    other = "by Theorem 4, B the largest energy seen"
    made.update_layout(**plain_layout("half-width of δ's interval", other))
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("judged", pa.int64(), "concepts", "concepts that are judged"),
    Column("useful", pa.int64(), "concepts", f"whose figure by Theorem 4 is {USEFUL:g} or less"),
    Column("bound_median", pa.float64(), "probability", "median over them of `delta_bound`"),
    Column("interval_median", pa.float64(), "probability", "median half-width of δ's interval"),
    Column("halves_agree", pa.int64(), "concepts", "whose halves' δ differ within both figures"),
    Column("disordered", pa.int64(), "concepts", "that rank otherwise by δ or exp(g) than by g"),
    Column("tied", pa.int64(), "concepts", "neighbours in g that δ cannot tell apart, by rounding"),
)

ANALYSIS = Analysis(
    name="theorem_checks",
    title="Theorems 4 and 5",
    section="I and J",
    about="one model",
    needs=("tables", "energies"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
