"""Do blindspots cluster? Spatial autocorrelation of δ over concepts (section 5.2, Fig. 7).

Moran’s I of δ on three graphs of concepts: neighbours on the map of atoms, neighbours on the map of
codes, and nearest atoms (which no map distorts). Held against δ dealt to the concepts at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import scipy

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import KINDS, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NEIGHBOURS = 8
"""Neighbours of a concept on a map."""

PERMUTATIONS = 499
"""Random deals of δ; the smallest p-value is 1 / 500."""

SHOWN = 4_000
"""Concepts in the figure's map, chosen at random where more are judged."""

GRAPHS = ("map of atoms", "map of codes", "nearest atoms")


@dataclass(frozen=True)
class Autocorrelation:
    """Moran’s I over `concepts` with neighbours, its mean and 95% range where nothing clusters.

    `p` is one-sided: the share of random deals that reach `moran`. NaN where there is no graph.
    """

    moran: float
    expected: float
    null_low: float
    null_high: float
    p: float
    concepts: int


NOTHING = Autocorrelation(*(float("nan"),) * 5, 0)


def moran(graph: scipy.sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    """Moran’s I of each column of `values` (n, m) on a graph (n, n) of non-negative weights.

    I = n / Σw · Σ_ij w_ij z_i z_j / Σ z_i², z the values less their mean (Moran 1950).
    """
    z = values - values.mean(axis=0)
    between = (z * (graph @ z)).sum(axis=0)
    return np.asarray(len(z) / graph.sum() * between / (z**2).sum(axis=0))


def autocorrelation(
    graph: scipy.sparse.csr_matrix, values: np.ndarray, permutations: int = PERMUTATIONS
) -> Autocorrelation:
    """Of `values` (n,) on `graph` (n, n); concepts without a neighbour take no part."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    kept = np.flatnonzero(degree > 0)
    values = values[kept]
    if len(kept) < 4 or np.ptp(values) == 0:
        return NOTHING
    # Every concept counts alike, however many neighbours it has.
    linked = (
        (scipy.sparse.diags(1 / degree[kept]) @ graph[kept][:, kept]).tocsr().astype(np.float32)
    )
    found = float(moran(linked, values[:, None].astype(np.float64))[0])
    rng = np.random.default_rng(0)
    null: list[np.ndarray] = []
    for start in range(0, permutations, 32):
        width = min(32, permutations - start)
        dealt = np.stack([rng.permutation(values) for _ in range(width)], axis=1)
        null.append(moran(linked, dealt.astype(np.float32)))
    dealt_out = np.concatenate(null)
    low, high = np.quantile(dealt_out, [0.025, 0.975])
    p = float((1 + (dealt_out >= found).sum()) / (permutations + 1))
    return Autocorrelation(found, -1 / (len(kept) - 1), float(low), float(high), p, len(kept))


def map_graph(xy: np.ndarray, count: int = NEIGHBOURS) -> scipy.sparse.csr_matrix:
    """The `count` nearest of every point (n, 2) on a map; points at NaN have and are none."""
    from scipy.spatial import cKDTree

    placed = np.flatnonzero(np.isfinite(xy).all(axis=1))
    n, count = len(xy), min(count, len(placed) - 1)
    if count < 1:
        return scipy.sparse.csr_matrix((n, n))
    near = cKDTree(xy[placed]).query(xy[placed], count + 1)[1]
    rows = np.repeat(placed, count + 1)
    columns = placed[near.ravel()]
    other = rows != columns
    ones = np.ones(int(other.sum()))
    return scipy.sparse.csr_matrix((ones, (rows[other], columns[other])), shape=(n, n))


def atom_graph(bundle: Bundle) -> scipy.sparse.csr_matrix:
    """The nearest live atoms of every concept (n, n), as the table `concepts` keeps them."""
    nearest = bundle.concepts["nearest"].combine_chunks()
    lengths = np.diff(nearest.offsets.to_numpy())
    rows = np.repeat(np.arange(bundle.n_concepts), lengths)
    columns = nearest.flatten().to_numpy()
    shape = (bundle.n_concepts, bundle.n_concepts)
    return scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def graphs(bundle: Bundle, judged: np.ndarray) -> dict[str, scipy.sparse.csr_matrix]:
    """The graphs among the `judged` concepts (indices), each (judged, judged)."""
    found = {}
    for name, (x, y) in zip(GRAPHS, (("x", "y"), ("x_codes", "y_codes")), strict=False):
        xy = np.column_stack(
            [np.asarray(bundle.concepts[c].to_numpy(), np.float64)[judged] for c in (x, y)]
        )
        found[name] = map_graph(xy)
    found[GRAPHS[2]] = atom_graph(bundle)[judged][:, judged]
    return found


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Moran’s I of both δ on each graph, over the judged concepts."""
    (model,) = models
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    found: dict[tuple[str, str], Autocorrelation] = {}
    of_kind = {kind: ModelDeltas.of(bundle.deltas(model), kind) for kind in KINDS}
    judged = np.flatnonzero(of_kind[KINDS[0]].determined)
    for graph, linked in graphs(bundle, judged).items():
        for kind in KINDS:
            one = found[kind, graph] = autocorrelation(linked, of_kind[kind].delta[judged])
            row = (
                model, kind, graph, one.moran, one.expected, one.null_low, one.null_high, one.p,
                one.concepts,
            )  # fmt: skip
            for name, value in zip(table, row, strict=True):
                table[name].append(value)
    shown = {graph: found["relative", graph] for graph in GRAPHS}
    sentence = f"{bundle.model(model).title}: {words(shown)}"
    return Finding(table, sentence, partial(figure, shown, on_map(bundle, model, judged)))


def words(found: dict[str, Autocorrelation]) -> str:
    """Whether relative δ clusters, on each graph."""
    told = [
        f"{one.moran:.2f} on the {graph} ({one.null_low:.2f} to {one.null_high:.2f} by chance, "
        f"p = {one.p:.2g})"
        for graph, one in found.items()
        if one.concepts
    ]
    if not told:
        return "too few judged concepts are neighbours to see whether δ clusters."
    known = [one for one in found.values() if one.concepts]
    sure = sum(one.p < 0.05 for one in known)
    how = (
        "clusters: neighbours misalign alike"
        if sure == len(known)
        else "clusters on some graphs, not on every one"
        if sure
        else "is not shown to cluster beyond chance"
    )
    return f"relative δ {how}; Moran’s I is {', '.join(told)}."


@dataclass(frozen=True)
class OnMap:
    """Judged concepts on the map of atoms: places (m, 2), relative δ (m,) and names."""

    xy: np.ndarray
    delta: np.ndarray
    names: list[str]


def on_map(bundle: Bundle, model: str, judged: np.ndarray) -> OnMap:
    """Of the `judged` concepts (indices) those that have a place, `SHOWN` of them at most."""
    xy = np.column_stack([bundle.concepts[c].to_numpy()[judged] for c in ("x", "y")])
    placed = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if len(placed) > SHOWN:
        placed = np.sort(np.random.default_rng(0).choice(placed, SHOWN, replace=False))
    kept = judged[placed]
    delta = ModelDeltas.of(bundle.deltas(model), "relative").delta[kept]
    return OnMap(xy[placed], delta, [f"#{k} {bundle.labels[k]}" for k in kept.tolist()])


def figure(found: dict[str, Autocorrelation], place: OnMap) -> Figure:
    """The map in the colours of δ, and Moran’s I on each graph over the range that chance gives."""
    from plotly.subplots import make_subplots

    from blindspots_hub.analysis.figures import (
        EXAGGERATED,
        MIDDLE,
        delta_colorscale,
        plain_layout,
    )

    names = list(found)
    made = make_subplots(rows=2, cols=1, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    made.add_scatter(
        x=place.xy[:, 0], y=place.xy[:, 1], mode="markers", text=place.names,
        customdata=place.delta,
        marker={
            "size": 7, "color": place.delta, "colorscale": delta_colorscale(), "cmin": 0, "cmax": 1,
            "showscale": True,
            "colorbar": {"title": "δ", "thickness": 10, "len": 0.6, "y": 1, "yanchor": "top"},
        },
        hovertemplate="%{text}: δ %{customdata:.2f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    for name in names:
        ends = [found[name].null_low, found[name].null_high]
        bar = {"width": 10, "color": MIDDLE}
        made.add_scatter(x=ends, y=[name] * 2, mode="lines", line=bar, row=2, col=1)
    made.add_scatter(
        x=[found[name].moran for name in names],
        y=names,
        mode="markers",
        marker={"size": 11, "color": EXAGGERATED[1]},
        row=2,
        col=1,
    )
    made.update_layout({**plain_layout("", ""), "height": 560})
    made.update_xaxes(visible=False, row=1, col=1)
    made.update_yaxes(visible=False, scaleanchor="x", row=1, col=1)
    said = "Moran’s I of relative δ (grey: by chance)"
    made.update_xaxes(title=said, showgrid=False, zeroline=False, row=2, col=1)
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("kind", pa.string(), "", "which δ: relative or absolute"),
    Column("graph", pa.string(), "", "whose neighbours: " + ", ".join(GRAPHS)),
    Column("moran", pa.float64(), "", "Moran’s I of δ over judged concepts with a neighbour"),
    Column("expected", pa.float64(), "", "its mean where nothing clusters, -1 / (concepts - 1)"),
    Column("null_low", pa.float64(), "", "2.5% quantile over random deals of δ"),
    Column("null_high", pa.float64(), "", "97.5% quantile over random deals"),
    Column("p", pa.float64(), "probability", "share of random deals that reach it, one-sided"),
    Column("concepts", pa.int64(), "concepts", "judged concepts with a judged neighbour"),
)

ANALYSIS = Analysis(
    name="delta_clustering",
    title="Does δ cluster",
    section="5.2, Fig. 7",
    about="one model",
    needs=("tables",),
    row="one δ of one model on one graph of concepts",
    columns=COLUMNS,
    find=find,
)
