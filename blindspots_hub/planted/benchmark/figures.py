"""The benchmark's two figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from blindspots_hub.planted.benchmark.points import Point
from blindspots_hub.planted.benchmark.power import BANDS, Row


def calibration_figure(points: Sequence[Point]) -> Any:
    """Measured against true relative change, a point a factor and model, with intervals."""
    figure = go.Figure()
    for model in dict.fromkeys(point.model for point in points):
        own = [point for point in points if point.model == model]
        figure.add_scatter(
            x=[p.true for p in own],
            y=[p.measured for p in own],
            error_y={
                "array": [p.high - p.measured for p in own],
                "arrayminus": [p.measured - p.low for p in own],
                "thickness": 0.8,
            },
            text=[p.factor for p in own],
            mode="markers",
            name=model,
        )
    figure.add_scatter(x=[-1, 1], y=[-1, 1], mode="lines", name="true = measured")
    figure.update_layout(
        title="Calibration: what the method measures against what the models do",
        xaxis_title="true relative change r of the factor",
        yaxis_title="measured relative gap r of its concept, 95% interval",
    )
    return figure


def power_figure(rows: Sequence[Row]) -> Any:
    """Share of changes found against the number of pairs, measured and predicted."""
    figure = go.Figure()
    for low, _ in BANDS:
        band = [row for row in rows if row.low == low]
        if not band:
            continue
        name = f"|r| {band[0].low:.1f} to {band[0].high:.1f}"
        pairs = [row.pairs for row in band]
        figure.add_scatter(x=pairs, y=[row.found for row in band], name=name)
        figure.add_scatter(
            x=pairs,
            y=[row.predicted for row in band],
            name=f"{name}, predicted",
            line={"dash": "dot"},
        )
    figure.update_layout(
        title="How many pairs find a change",
        xaxis={"title": "pairs", "type": "log"},
        yaxis={"title": "share of changes found", "range": [0, 1.02]},
    )
    return figure
