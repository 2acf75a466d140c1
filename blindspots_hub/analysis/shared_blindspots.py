"""Blindspots of all models, and blindspots of one model alone (section 5.3, Fig. 9 and 10).

A concept is specific to a model when that model changes it at least two-fold for sure *and* differs
significantly from each other model on the same captions. One that crosses a threshold where another
just does not is neither shared nor specific: it is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Example, Finding
from blindspots_hub.analysis.deltas import CODE, SIDES, ModelDeltas
from blindspots_hub.analysis.shared_pairs import compared
from blindspots_hub.analysis.words import are
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.delta import differs
from blindspots_hub.measure.significance import benjamini_hochberg

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHARED, OPEN = "all models", "open"
"""What a row is about where it is not about one model."""

SHOWN = 12
"""Concepts of each kind in the figure, and three of them as examples."""


@dataclass(frozen=True)
class Blindspots:
    """Concepts (indices) by whose they are, then by side: "suppressed" or "exaggerated".

    `alpha` bounds q of the differences between models.
    """

    found: dict[str, dict[str, np.ndarray]]
    judged: int
    alpha: float

    def count(self, whose: str) -> int:
        """How many concepts of both sides."""
        return sum(len(concepts) for concepts in self.found[whose].values())


def blindspots(bundle: Bundle, models: Sequence[str]) -> Blindspots:
    """Shared, specific and open blindspots, by relative δ.

    Models differ in a concept as everywhere (`measure.delta.differs`), by q-values that are
    Benjamini and Hochberg's over all concepts and pairs of models at once.
    """
    tables = {name: ModelDeltas.of(bundle.deltas(name), "relative") for name in models}
    alpha = min(bundle.model(name).measured_with.alpha for name in models)
    drawn = _differences(bundle, models, alpha)
    whose = (SHARED, *models, OPEN)
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in whose}
    for side, states in SIDES.items():
        codes = [CODE[state] for state in states]
        on_side = {name: np.isin(table.state, codes) for name, table in tables.items()}
        everywhere = np.logical_and.reduce(list(on_side.values()))
        taken = everywhere.copy()
        direction = -1 if side == "suppressed" else 1
        for name in models:
            alone = on_side[name].copy()
            for other in models:
                if other != name:
                    alone &= drawn[name, other] == direction
            found[name][side] = np.flatnonzero(alone & ~everywhere)
            taken |= alone
        found[SHARED][side] = np.flatnonzero(everywhere)
        found[OPEN][side] = np.flatnonzero(np.logical_or.reduce(list(on_side.values())) & ~taken)
    judged = np.logical_and.reduce([table.determined for table in tables.values()])
    return Blindspots(found, int(judged.sum()), alpha)


Differences = dict[tuple[str, str], np.ndarray]
"""1 where a model draws a concept more than the other, -1 where less, 0 where they do not differ;
(n,) for both orders of every two models."""


def _differences(bundle: Bundle, models: Sequence[str], alpha: float) -> Differences:
    pairs = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
    results = [compared(bundle, a, b) for a, b in pairs]
    p = np.stack([one.p for one in results])
    q = benjamini_hochberg(p.ravel(), np.stack([one.judged for one in results]).ravel())
    q = q.reshape(p.shape)
    found: Differences = {}
    for (a, b), values, one in zip(pairs, q, results, strict=True):
        flagged = differs(values, (one.gap.low, one.gap.high), alpha)
        found[b, a] = np.where(flagged, np.sign(one.second - one.first), 0.0)
        found[a, b] = -found[b, a]
    return found


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Rows: what all share, what is specific to each, what is open; a sentence with examples."""
    result = blindspots(bundle, models)
    table = {
        "whose": list(result.found),
        "suppressed": [sides["suppressed"].tolist() for sides in result.found.values()],
        "exaggerated": [sides["exaggerated"].tolist() for sides in result.found.values()],
        "judged": [result.judged] * len(result.found),
    }
    return Finding(
        table,
        words(bundle, models, result),
        partial(figure, bundle, models, result),
        examples(bundle, models, result),
    )


def words(bundle: Bundle, models: Sequence[str], result: Blindspots) -> str:
    """How many are whose, with a name each."""
    if not result.judged:
        return "No concept is judged for every model, so that none can be called shared."

    def named(whose: str) -> str:
        sides = result.found[whose]
        first = [int(concepts[0]) for concepts in sides.values() if len(concepts)]
        names = [bundle.labels[k] or f"concept {k}" for k in first]
        return f" ({', '.join(names)})" if names else ""

    shared, left = result.count(SHARED), result.count(OPEN)
    specific = [
        f"{result.count(name)} to {bundle.model(name).title}{named(name)}" for name in models
    ]
    return (
        f"Of {result.judged:,} concepts that all {len(models)} models are judged by, "
        f"{shared} {are(shared)} changed two-fold or more by all of them{named(SHARED)}; "
        f"specific, differing from every other model with q < {result.alpha:g} over all "
        f"comparisons, are {', '.join(specific)}; {left} more {are(left)} changed by some, without "
        "a significant difference from all the others."
    )


def examples(bundle: Bundle, models: Sequence[str], result: Blindspots) -> tuple[Example, ...]:
    """An image of the first concepts of each kind: natural where suppressed, else the model's."""
    found = []
    for whose in (SHARED, *models):
        for side, concepts in result.found[whose].items():
            for concept in concepts[:3].tolist():
                model = models[0] if whose == SHARED else whose
                source = "natural" if side == "suppressed" else model
                column = "top_natural" if side == "suppressed" else "top_generated"
                top = bundle.deltas(model)[column][concept].as_py()
                if top:
                    name = bundle.labels[concept] or f"concept {concept}"
                    found.append(Example(source, top[0], f"{name}: {side} by {whose}", concept))
    return tuple(found)


def figure(bundle: Bundle, models: Sequence[str], result: Blindspots) -> Figure:
    """The relative gap of shared and specific concepts, a column a model."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    rows = [
        (whose, int(concept))
        for whose in (SHARED, *models)
        for concepts in result.found[whose].values()
        for concept in concepts[:SHOWN]
    ]
    gaps = [bundle.deltas(name)["relative_gap"].to_numpy() for name in models]
    titles = [bundle.model(name).title for name in models]
    names = [f"{bundle.labels[k] or 'concept'} #{k} ({whose})" for whose, k in rows]
    cells = go.Heatmap(
        z=[[gap[k] for gap in gaps] for _, k in rows],
        x=titles, y=names, zmin=-1, zmax=1,
        colorscale=[[0, SUPPRESSED[0]], [0.5, MIDDLE], [1, EXAGGERATED[1]]],
    )  # fmt: skip
    made = go.Figure(cells)
    made.update_layout(**plain_layout("", ""), yaxis_autorange="reversed")
    made.update_layout(height=160 + 18 * len(rows), margin_l=220)
    return made


COLUMNS = (
    Column("whose", pa.string(), "", f"{SHARED!r}, the model it is specific to, or {OPEN!r}"),
    Column("suppressed", pa.list_(pa.int64()), "", "concepts drawn at most half as much, for sure"),
    Column("exaggerated", pa.list_(pa.int64()), "", "concepts drawn twice as much, for sure"),
    Column("judged", pa.int64(), "concepts", "concepts that every model is judged by"),
)

ANALYSIS = Analysis(
    name="shared_blindspots",
    title="Shared and specific blindspots",
    section="5.3, Fig. 9 and 10",
    about="all models",
    needs=("tables", "energies", "same pairs"),
    row="the blindspots of all models, of one alone, or of some",
    columns=COLUMNS,
    find=find,
    least=2,
)
