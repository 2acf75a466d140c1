"""δ of one model against δ of another, a point a concept that both judge."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np

from blindspots_hub.analysis.model_agreement import shared
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog, Entry, check_concept
from blindspots_hub.explorer.page.colours import THEMES, scale
from blindspots_hub.explorer.page.format import probability

HERE = Path(__file__).parent
POINT = np.dtype([("concept", "<u4"), ("x", "<u2"), ("y", "<u2")])
"""A point as the browser gets it: δ in steps of 1 / 65,535."""


def scatter(catalog: Catalog, elem_id: str) -> gr.HTML:
    """The component, empty: change it with `show_models`. Its event `.open` has `i`, a concept."""
    stops = {
        theme: [[at, list(bytes.fromhex(colour[1:]))] for at, colour in scale(theme)]
        for theme in THEMES
    }
    # In the HTML, for an update that comes before the tab is mounted takes the place of properties.
    said = "δ of two models, a point a concept; arrows walk, Enter opens"
    html = (
        f'<div class="scatter" data-stops="{escape(json.dumps(stops))}"><canvas tabindex="0" '
        f'role="application" aria-roledescription="scatter plot" aria-label="{said}"></canvas>'
        '<div class="tip" hidden></div><span class="sr" role="status"></span></div>'
    )
    return gr.HTML(
        html,
        js_on_load=(HERE / "scatter.js").read_text(encoding="utf-8"),
        server_functions=[_points_of(catalog), _name_of(catalog)],
        elem_id=elem_id,
        asked="",
        titles=["", ""],
    )


def show_models(first: Entry, other: str) -> gr.HTML:
    """The update that shows two models of a bundle."""
    titles = [f"relative δ, {first.bundle.model(m).title or m}" for m in (first.model, other)]
    return gr.HTML(asked=f"{first.key}/{other}", titles=titles)


def points(bundle: Bundle, first: str, other: str) -> np.ndarray:
    """Concepts that both judge, with both relative δ: `POINT` (n,)."""
    concepts, (x, y) = shared(bundle, (first, other))
    found = np.zeros(len(concepts), POINT)
    found["concept"] = concepts
    for name, table in (("x", x), ("y", y)):
        found[name] = np.round(65_535 * np.clip(table.delta[concepts], 0, 1))
    return found


def _models(catalog: Catalog, asked: str) -> tuple[Entry, str]:
    """The entry and the other model of what `show_models` has asked for."""
    try:
        identity, model, other = str(asked).split("/")
    except ValueError:
        raise BlindspotsError(
            "The page asked for models that it does not show: reload it."
        ) from None
    entry = catalog.entry(f"{identity}/{model}")
    entry.bundle.model(other)
    return entry, other


def _points_of(catalog: Catalog) -> Callable[[str], dict[str, str]]:
    def points_of(asked: str) -> dict[str, str]:
        try:
            entry, other = _models(catalog, asked)
        except BlindspotsError as error:
            return {"error": catalog.said(error)}
        found = points(entry.bundle, entry.model, other)
        return {"data": base64.b64encode(found.tobytes()).decode("ascii")}

    return points_of


def _name_of(catalog: Catalog) -> Callable[[list[object]], dict[str, str]]:
    def name_of(asked: list[object]) -> dict[str, str]:
        try:
            place, concept = asked
            entry, other = _models(catalog, str(place))
            k = check_concept(entry.bundle, int(str(concept)))
        except BlindspotsError as error:
            return {"error": catalog.said(error)}
        except (ValueError, TypeError):
            return {"error": "The page asked for a point that it does not show: reload it."}
        _, tables = shared(entry.bundle, (entry.model, other))
        told = [
            f"{entry.bundle.model(m).title or m} δ {probability(float(table.delta[k]))}"
            for m, table in zip((entry.model, other), tables, strict=True)
        ]
        found = entry.bundle.label_of(k)
        label = "" if found is None else f" {found.label} ({found.by})"
        return {"said": f"#{k}{label}: {', '.join(told)}"}

    return name_of
