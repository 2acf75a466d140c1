"""Groups of concepts at several levels: δ of a group, and whether groups reproduce better.

Reviewers asked for a hierarchy; later work found groups of concepts more reproducible than single
ones (arXiv 2606.12138). Atoms are joined by Ward's linkage along their nearest neighbours, so that
levels are nested. Adding energies makes anything repeat better; so each level stands beside random
groups of the same sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import scipy

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.correlation import pearson
from blindspots_hub.analysis.groups import blind, live_atoms, merged, nearest_pairs
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.delta import relative_gap

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LEVELS = (1, 4, 16)
"""Concepts a group on average, at each level; the first is single concepts."""

MOST = 8_000
"""Live concepts that are grouped, those that fire in most natural images."""

WIDTH = 48
"""Numbers that an atom is projected to before atoms are joined."""

SPLITS = 3
"""Random halves of the pairs between which δ is correlated."""


def grouped(bundle: Bundle) -> np.ndarray:
    """The concepts that are grouped, ascending."""
    live, images = live_atoms(bundle), bundle.concepts["images"].to_numpy()
    return np.sort(live[np.argsort(-images[live], kind="stable")[:MOST]])


@lru_cache(maxsize=4)
def tree(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """(live concepts (m,), Ward's merges (m - 1, 2)) of their atoms, of length 1."""
    from sklearn.cluster import ward_tree

    live = grouped(bundle)
    atoms = bundle.atoms()[live]
    atoms = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-9)
    if atoms.shape[1] > WIDTH:
        rng = np.random.default_rng(0)
        atoms = atoms @ rng.normal(size=(atoms.shape[1], WIDTH)) / np.sqrt(WIDTH)
    place = np.full(bundle.n_concepts, -1)
    place[live] = np.arange(len(live))
    rows, near, _ = nearest_pairs(bundle)
    known = (place[rows] >= 0) & (place[near] >= 0)
    ones = np.ones(int(known.sum()))
    shape = (len(live), len(live))
    links = scipy.sparse.coo_matrix((ones, (place[rows[known]], place[near[known]])), shape)
    # A chain in the order of their first direction joins what neighbours leave apart.
    order = np.argsort(atoms[:, 0], kind="stable")
    chain = scipy.sparse.coo_matrix((np.ones(len(live) - 1), (order[:-1], order[1:])), shape)
    links = (links + links.T + chain + chain.T).tocsr()
    return live, np.asarray(ward_tree(atoms, connectivity=links)[0])


def groups(bundle: Bundle, level: int) -> np.ndarray:
    """Group (n,) of every concept with `level` of them a group on average; -1 where not live."""
    live, merges = tree(bundle)
    m = len(live)
    count = max(2, m // level) if level > 1 else m
    parent = np.arange(2 * m - 1)
    for step, (a, b) in enumerate(merges[: m - count]):
        parent[a] = parent[b] = m + step
    for node in range(2 * m - 2, -1, -1):  # parents come after their children
        parent[node] = parent[parent[node]]
    group = np.full(bundle.n_concepts, -1)
    group[live] = np.unique(parent[:m], return_inverse=True)[1]
    return group


def repeats(bundle: Bundle, model: str, group: np.ndarray) -> float:
    """Correlation of r of groups between halves of the pairs, mean over splits; NaN of too few."""
    natural, generated = (merged(side, group) for side in bundle.compared(model))
    shown = np.maximum(natural.fires, generated.fires)
    judged = shown >= bundle.model(model).measured_with.min_support
    rng = np.random.default_rng(0)
    n = min(natural.n_images, generated.n_images)
    found = []
    for _ in range(SPLITS):
        half = np.zeros(n)
        half[rng.permutation(n)[: n // 2]] = 1
        x, y = natural.matrix[:n], generated.matrix[:n]
        first = relative_gap(half @ x, half @ y)
        second = relative_gap((1 - half) @ x, (1 - half) @ y)
        found.append(pearson(first[judged], second[judged]).value)
    return float(np.mean(found))


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Every level: what is judged and changed, and how well r repeats, beside random groups."""
    (model,) = models
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    if len(grouped(bundle)) < LEVELS[1] * 2:
        levels: tuple[int, ...] = LEVELS[:1]
    else:
        levels = LEVELS
    for level in levels:
        group = groups(bundle, level)
        found = blind(bundle, model, group)
        own = repeats(bundle, model, group)
        dealt = group.copy()
        live = np.flatnonzero(group >= 0)
        dealt[live] = np.random.default_rng(0).permutation(group[live])
        chance = own if level == 1 else repeats(bundle, model, dealt)
        row = (model, level, len(np.unique(group[live])), found.judged, found.changed, own, chance)
        for name, value in zip(table, row, strict=True):
            table[name].append(value)
    return Finding(table, words(bundle.model(model).title, table), partial(figure, table))


def words(title: str, table: dict[str, list[Any]]) -> str:
    """Whether r of groups repeats better than of single concepts, and than of random groups."""
    own, chance = np.array(table["repeats"]), np.array(table["repeats_random"])
    if len(own) < 2 or not np.isfinite(own[:2]).all():
        return f"{title}: too few concepts are judged to say whether groups reproduce better."
    told = [
        f"{value:.2f} in groups of {level} (random groups {random:.2f})"
        for level, value, random in zip(table["level"][1:], own[1:], chance[1:], strict=True)
        if np.isfinite([value, random]).all()
    ]
    changed = ", ".join(
        f"{c} of {j:,}" for c, j in zip(table["changed"][1:], table["judged"][1:], strict=True)
    )
    return (
        f"{title}: between halves of the pairs r correlates by {own[0]:.2f} of single concepts, "
        f"{', '.join(told)}; changed two-fold or more are {table['changed'][0]} of "
        f"{table['judged'][0]:,} single concepts, and {changed} groups."
    )


def figure(table: dict[str, list[Any]]) -> Figure:
    """How well r repeats at each level, beside random groups."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, plain_layout

    made = go.Figure()
    for name, column, colour in (
        ("nearest atoms", "repeats", EXAGGERATED[1]),
        ("random groups", "repeats_random", MIDDLE),
    ):
        made.add_scatter(x=table["level"], y=table[column], name=name, line={"color": colour})
    made.update_layout(**plain_layout("concepts a group", "r between halves"), xaxis_type="log")
    made.update_layout(showlegend=True)
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("level", pa.int64(), "concepts", "a group on average; 1 is single concepts"),
    Column("groups", pa.int64(), "groups", f"of live concepts, the {MOST:,} most frequent at most"),
    Column("judged", pa.int64(), "groups", "that are judged"),
    Column("changed", pa.int64(), "groups", "of those, two-fold or more for sure"),
    Column("repeats", pa.float64(), "", "Pearson's r of relative gaps between halves of the pairs"),
    Column("repeats_random", pa.float64(), "", "the same of random groups of the same sizes"),
)

ANALYSIS = Analysis(
    name="hierarchy",
    title="Groups of concepts",
    section="reviewers",
    about="one model",
    needs=("tables", "energies", "atoms", "paired"),
    row="one model at one level",
    columns=COLUMNS,
    find=find,
)
