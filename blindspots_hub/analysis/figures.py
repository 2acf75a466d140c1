"""What figures of analyses share: the diverging scale of δ, and a layout without ornament."""

from __future__ import annotations

from typing import Any

SUPPRESSED = ("#65c7de", "#5776b4")
"""δ = 0 and δ = 0.25, the paper's blues."""

EXAGGERATED = ("#b16243", "#e8b548")
"""δ = 0.75 and δ = 1, the paper's oranges."""

MIDDLE = "#9a9aa4"
"""δ = 0.5: a neutral grey in the place of the paper's #582949, which would dominate."""


def delta_colorscale() -> list[list[float | str]]:
    """The scale as Plotly's `colorscale`; give the trace `cmin=0, cmax=1`."""
    return [
        [0.0, SUPPRESSED[0]],
        [0.25, SUPPRESSED[1]],
        [0.5, MIDDLE],
        [0.75, EXAGGERATED[0]],
        [1.0, EXAGGERATED[1]],
    ]


def plain_layout(x: str, y: str) -> dict[str, Any]:
    """Layout that is readable on a light and on a dark page; `x` and `y` name the axes."""
    return {
        "height": 280,
        "margin": {"l": 56, "r": 16, "t": 24, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#888"},
        "showlegend": False,
        "xaxis": {"title": x, "showgrid": False, "zeroline": False},
        "yaxis": {"title": y, "gridcolor": "rgba(128,128,128,.25)"},
    }
