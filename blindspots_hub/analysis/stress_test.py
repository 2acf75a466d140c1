"""Stress tests: are blindspots some too when they are put to the test (appendix G)?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import STRESS_TESTS, STRESS_VERDICTS, Column
from blindspots_hub.measure.delta import BLINDSPOTS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_TOLD = 5
"""Verdicts that the sentence tells one by one."""

SHOWN = ("share", "share_against", "share_natural")

_OF_TESTS = ("concept", "direction", "verdict", "against", *(
    f"{name}{end}" for name in SHOWN for end in ("", "_low", "_high")
), "fold", "p_holm")  # fmt: skip


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """The verdicts on one model's concepts, and how many of its blindspots were not tested."""
    (model,) = models
    rows = [row for (_, of), row in sorted(bundle.stress_tests().items()) if of == model]
    title = bundle.model(model).title
    counts = {
        verdict: sum(row["verdict"] == verdict for row in rows) for verdict in STRESS_VERDICTS
    }
    deltas = ModelDeltas.of(bundle.deltas(model), "relative")
    blindspots = {state: set(deltas.blindspots(state).tolist()) for state in BLINDSPOTS}
    tested = {int(row["concept"]) for row in rows}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    rest = "".join(
        f"; {len(of - tested):,} of its {len(of):,} {state} concepts were not tested"
        for state, of in blindspots.items()
        if of - tested
    )
    sentence = (
        f"{title}, put to the test with {len(rows):,} concepts: {told}{rest}. "
        + " ".join(str(row["sentence"]) for row in rows[:MOST_TOLD])
    ).rstrip()
    if len(rows) > MOST_TOLD:
        sentence += f" And {len(rows) - MOST_TOLD:,} more in the table."
    table = {
        "model": [model] * len(rows),
        **{name: [row[name] for row in rows] for name in _OF_TESTS},
    }
    named = [bundle.labels[row["concept"]] or f"#{row['concept']}" for row in rows]
    return Finding(table, sentence, partial(figure, rows, named, title))


def figure(rows: Sequence[Mapping[str, Any]], named: Sequence[str], title: str) -> Figure:
    """Share of images that show each concept, with its interval, beside its references."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, SUPPRESSED, plain_layout

    made = go.Figure()
    sides = (
        ("share", title, SUPPRESSED[1]),
        ("share_against", "second model", EXAGGERATED[0]),
        ("share_natural", "natural images of such captions", "#808080"),
    )
    for name, words, colour in sides:
        known = [i for i, row in enumerate(rows) if row[name] is not None]
        if not known:
            continue
        shares = [rows[i][name] for i in known]
        made.add_trace(
            go.Bar(
                name=words,
                x=[named[i] for i in known],
                y=shares,
                marker={"color": colour},
                error_y={
                    "type": "data",
                    "array": [rows[i][f"{name}_high"] - rows[i][name] for i in known],
                    "arrayminus": [rows[i][name] - rows[i][f"{name}_low"] for i in known],
                },
            )
        )
    made.update_layout(**plain_layout("", "share of images that show it"))
    made.update_layout(barmode="group", showlegend=True, yaxis_range=[0, 1])
    return made


_COLUMNS = {column.name: column for column in STRESS_TESTS.columns}

COLUMNS = (
    *columns_of_models(1),
    *(
        Column(one.name, pa.int64() if name == "concept" else one.type, one.unit, one.meaning, True)
        for name in _OF_TESTS
        for one in (_COLUMNS[name],)
    ),
)

ANALYSIS = Analysis(
    name="stress_test",
    title="Stress tests of blindspots",
    section="G",
    about="one model",
    needs=("tables", "stress tests"),
    row="one concept that a model was put to the test with",
    columns=COLUMNS,
    find=find,
)
