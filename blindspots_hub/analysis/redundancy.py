"""How redundant are concepts? Near-duplicate atoms, and the blindspots once they are merged.

Asked by a reviewer: if several concepts are one thing, one fault is counted several times, or
energy that moves from one to the other looks like two. Atoms whose cosine reaches a bound, directly
or through others, are merged: their energies are added image by image and measured anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import scipy

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.caption_noise import wilson
from blindspots_hub.analysis.groups import blind, live_atoms, nearest_pairs
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BOUNDS = (0.95, 0.9, 0.8)
"""Cosines from which on two atoms are near-duplicates."""

SAID = 0.9
"""The one that the sentence is about."""


def duplicates(bundle: Bundle, bound: float) -> np.ndarray:
    """Group (n,) of every concept, numbered from 0: near-duplicates of live atoms have one."""
    rows, near, cosine = nearest_pairs(bundle)
    close = cosine >= bound
    n = bundle.n_concepts
    links = scipy.sparse.coo_matrix((np.ones(int(close.sum())), (rows[close], near[close])), (n, n))
    from scipy.sparse.csgraph import connected_components

    return np.asarray(connected_components(links, directed=False)[1])


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Near-duplicates at each bound, and what a model's blindspots become when they are merged."""
    (model,) = models
    live = live_atoms(bundle)
    single = blind(bundle, model)
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    told: dict[float, tuple[int, int, int]] = {}
    for bound in BOUNDS:
        group = duplicates(bundle, bound)
        size = np.bincount(group)[group]
        many = int((size[live] > 1).sum())
        after = blind(bundle, model, group) if many else single
        row = (
            model, bound, len(live), many, len(np.unique(group[live])), single.judged,
            single.changed, after.judged, after.changed,
        )  # fmt: skip
        for name, value in zip(table, row, strict=True):
            table[name].append(value)
        told[bound] = (many, after.judged, after.changed)
    many, judged, changed = told[SAID]
    low, high = wilson(many, len(live))
    share = many / len(live) if len(live) else 0.0
    sentence = (
        f"{bundle.model(model).title}: {share:.1%} [{low:.1%}, {high:.1%}] of {len(live):,} live "
        f"concepts have a near-duplicate (cosine of atoms ≥ {SAID:g}); merged, {changed} of "
        f"{judged:,} judged are changed two-fold or more, singly {single.changed} of "
        f"{single.judged:,}."
        if len(live)
        else f"{bundle.model(model).title}: no concept fires in a natural image."
    )
    return Finding(table, sentence, partial(figure, bundle))


def figure(bundle: Bundle) -> Figure:
    """Histogram of the cosine of every live atom with its nearest."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import SUPPRESSED, plain_layout

    rows, _, cosine = nearest_pairs(bundle)
    first = np.unique(rows, return_index=True)[1]
    counts, edges = np.histogram(cosine[first], bins=50, range=(-0.02, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    made = go.Figure(go.Bar(x=middles, y=counts, marker={"color": SUPPRESSED[1]}))
    made.update_layout(**plain_layout("cosine with the nearest atom", "live concepts"), bargap=0)
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("bound", pa.float64(), "cosine", "of atoms, from which on concepts are merged"),
    Column("live", pa.int64(), "concepts", "that fire in a natural image"),
    Column("duplicated", pa.int64(), "concepts", "of those, with a near-duplicate"),
    Column("merged", pa.int64(), "concepts", "what the live ones become"),
    Column("judged", pa.int64(), "concepts", "that are judged singly"),
    Column("changed", pa.int64(), "concepts", "of those, two-fold or more for sure"),
    Column("merged_judged", pa.int64(), "concepts", "that are judged when merged"),
    Column("merged_changed", pa.int64(), "concepts", "of those, two-fold or more for sure"),
)

ANALYSIS = Analysis(
    name="redundancy",
    title="Redundant concepts",
    section="reviewers",
    about="one model",
    needs=("tables", "energies"),
    row="one model at one bound",
    columns=COLUMNS,
    find=find,
)
