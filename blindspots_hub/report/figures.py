"""Figures as the page embeds them: small, and without WebGL, of which a browser gives few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_POINTS = 2_500
"""Points of a cloud that the page draws; of more, an even share by place in the list."""

MOST_CELLS = 150
"""Rows and columns of a heatmap that the page draws; larger ones are averaged."""


def embedded(figure: Figure) -> tuple[str, int]:
    """(Plotly's JSON of the figure, points that were left out); `</` is escaped for a script."""
    import plotly.graph_objects as go
    import plotly.io as pio

    left_out = 0
    traces: list[Any] = []
    for trace in figure.data:
        told = trace.to_plotly_json()
        if told["type"] == "scattergl":
            told["type"] = "scatter"
            left_out += _thin(told)
        if told["type"] == "heatmap":
            _shrink(told)
        traces.append(told)
    layout = figure.layout.to_plotly_json()
    layout.pop("template", None)  # half of a small figure's size, and the page has colours
    made = go.Figure(traces, layout, skip_invalid=False)
    made.layout.template = None
    return pio.to_json(made, validate=False).replace("</", "<\\/"), left_out


def _thin(trace: dict[str, Any]) -> int:
    """Keep `MOST_POINTS` of a cloud, in place; how many were left out."""
    n = len(trace.get("x", ()))
    if n <= MOST_POINTS:
        return 0
    kept = np.linspace(0, n - 1, MOST_POINTS).astype(np.int64)

    def thinned(value: Any) -> Any:
        long = isinstance(value, (np.ndarray, list, tuple)) and len(value) == n
        return [value[i] for i in kept] if long else value

    for key, value in list(trace.items()):
        trace[key] = thinned(value)
    if isinstance(trace.get("marker"), dict):
        trace["marker"] = {key: thinned(value) for key, value in trace["marker"].items()}
    return n - MOST_POINTS


def _shrink(trace: dict[str, Any]) -> None:
    z = np.asarray(trace["z"], np.float64)
    if z.ndim == 2 and min(z.shape) > MOST_CELLS and "x" not in trace:
        step = -(-max(z.shape) // MOST_CELLS)
        rows, columns = (size // step * step for size in z.shape)
        blocks = z[:rows, :columns].reshape(rows // step, step, columns // step, step)
        trace["z"] = blocks.mean(axis=(1, 3))
    trace["z"] = np.round(np.asarray(trace["z"], np.float64), 4).tolist()
