"""How the whole model leans: the histogram of δ over its concepts (section 5.1, Fig. 6)."""

from __future__ import annotations

from typing import Any

import numpy as np

from blindspots_hub import paper
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.colours import plotly_colorscale
from blindspots_hub.explorer.page.format import count, number, probability

BINS = 100


def histogram_words(entry: Entry, kind: str) -> str:
    """Median and skewness of δ over the concepts that can be judged, as one sentence."""
    reading = entry.reading(kind)
    values = reading.delta[reading.determined]
    if not len(values):
        return "No concept of this model is seen often enough for a judgement."
    spread = values.std()
    skewness = float(((values - values.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0
    side = "suppressed" if skewness < 0 else "exaggerated"
    return (
        f"{count(len(values))} concepts can be judged: median {kind} δ "
        f"{probability(float(np.median(values)))}, skewness {number(skewness)} (the longer tail is "
        f"on the {side} side)."
    )


def histogram_figure(entry: Entry, kind: str) -> Any:
    """Histogram of the chosen δ with the two thresholds, density on a logarithmic axis."""
    import plotly.graph_objects as go

    reading = entry.reading(kind)
    density, edges = np.histogram(
        reading.delta[reading.determined], bins=BINS, range=(0.0, 1.0), density=True
    )
    middle = (edges[:-1] + edges[1:]) / 2
    bars = go.Bar(
        x=middle,
        y=np.where(density > 0, density, np.nan),
        width=1 / BINS,
        marker={
            "color": middle,
            "colorscale": plotly_colorscale(),
            "cmin": 0,
            "cmax": 1,
            "line": {"width": 0},
        },
        hovertemplate="δ %{x:.2f}<br>density %{y:.2g}<extra></extra>",
    )
    figure = go.Figure(bars)
    for threshold in (paper.SUPPRESSED_BELOW, paper.EXAGGERATED_ABOVE):
        figure.add_vline(
            x=threshold,
            line={"dash": "dot", "width": 1, "color": "#888"},
            annotation={"text": f"{threshold:g}", "font": {"size": 11}},
        )
    figure.update_layout(
        height=280,
        margin={"l": 56, "r": 16, "t": 24, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#888"},
        bargap=0,
        xaxis={"title": f"{kind} δ", "range": [0, 1], "showgrid": False, "zeroline": False},
        yaxis={"title": "density", "type": "log", "gridcolor": "rgba(128,128,128,.25)"},
    )
    return figure
