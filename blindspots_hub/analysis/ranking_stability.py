"""How stable is the top 100? The rankings that fewer pairs, or other pairs, would have found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import measured_table
from blindspots_hub.analysis.stability import TOP, Stability, stability
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.progress import drive

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SIZES = (100, 1_000, 3_000)
"""Pairs that are held against all of them; the command `stability` takes more, and more draws."""

DRAWS = 2


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Overlap of the top of each size with that of all pairs, and with that of other pairs."""
    (model,) = models
    natural, generated = bundle.compared(model)
    settings = bundle.model(model).measured_with
    known = measured_table(bundle, model)
    found = drive(stability(natural, generated, settings, sizes=SIZES, draws=DRAWS, table=known))
    table: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    for one in found:
        row = (model, one.side, one.pairs, one.ranked, one.with_all, one.with_others)
        for name, value in zip(table, row, strict=True):
            table[name].append(value)
    return Finding(table, f"{bundle.model(model).title}: {words(found)}", partial(figure, found))


def words(found: list[Stability]) -> str:
    """What the largest size that leaves other pairs over shares with another draw."""
    told = []
    for side in ("suppressed", "exaggerated"):
        own = [one for one in found if one.side == side and one.with_others is not None]
        if own:
            last = own[-1]
            told.append(
                f"{last.with_others:.0%} of the {last.ranked:.0f} {side} that {last.pairs:,} pairs "
                f"rank in their top {TOP} are also ranked there by as many other pairs"
            )
    if not told:
        return "no concept is ranked by samples small enough to draw two of them."
    return f"{'; '.join(told)} (mean of {DRAWS} draws)."


def figure(found: list[Stability]) -> Figure:
    """Overlaps by number of pairs, a line a side."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, SUPPRESSED, plain_layout

    made = go.Figure()
    for side, colour in (("suppressed", SUPPRESSED[1]), ("exaggerated", EXAGGERATED[1])):
        own = [one for one in found if one.side == side]
        sizes = [one.pairs for one in own]
        for name, dash in (("with_all", "dot"), ("with_others", "solid")):
            made.add_scatter(
                x=sizes,
                y=[getattr(one, name) for one in own],
                name=f"{side}, {'all pairs' if dash == 'dot' else 'other pairs'}",
                line={"color": colour, "dash": dash},
            )
    made.update_layout(**plain_layout("pairs", "share of the top found again"), xaxis_type="log")
    made.update_layout(showlegend=True)
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("side", pa.string(), "", "suppressed or exaggerated"),
    Column("pairs", pa.int64(), "pairs", "that rank"),
    Column("ranked", pa.float64(), "concepts", f"in that ranking, {TOP} at most"),
    Column("with_all", pa.float64(), "share", "of all pairs' top that is in it; null for none"),
    Column("with_others", pa.float64(), "share", "of it that other pairs rank too; null for none"),
)

ANALYSIS = Analysis(
    name="ranking_stability",
    title="Stability of the top 100",
    section="reviewers",
    about="one model",
    needs=("tables", "energies", "paired"),
    row="one side of the ranking of one number of pairs",
    columns=COLUMNS,
    find=find,
)
