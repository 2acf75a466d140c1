"""The concept map: one point is one concept, its colour is δ, its size how often it fires.

`concept_map` builds a plain `gr.HTML` around the scripts beside it: WebGL2, or Canvas2D where there
is none. Coordinates travel once for a bundle; another model or another δ sends one byte of colour
and one of state a concept. All of it goes through the component's server functions, so nothing has
to be a public file, and nothing is fetched from anywhere else.

    the_map = concept_map(data, colours, hover, data_key="bundle", colour_key="bundle/A/relative")
    model.change(lambda m: update_map(colour_key=f"bundle/{m}/relative"), model, the_map)
    the_map.point(lambda event: card(event.i), None, card_html)   # event: gr.EventData

Keys are opaque to the map, come back from the browser, and may therefore be forged: `data`,
`colours` and `hover` look them up and raise `BlindspotsError` for one they do not know. A key names
content that never changes (the browser keeps what it has seen); content that grows, such as a
running evaluation, carries a version in its key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.map_data import (
    COLOURS,
    NOWHERE,
    POINTS,
    Hover,
    MapData,
    as_text,
    checked_key,
    map_answers,
    names,
    weighted,
)
from blindspots_hub.explorer.map.template import TEMPLATE
from blindspots_hub.explorer.page import colours as palette

HERE = Path(__file__).parent
SCRIPTS = (
    "map_view.js",
    "map_draw.js",
    "map_curves.js",
    "map_overlay.js",
    "map_tip.js",
    "map_input.js",
    "map_export.js",
    "concept_map.js",
)
REGION_LIMIT = 500
"""A selected region reports at most this many concepts, those farthest from δ = 0.5 first."""

MOST_PICTURES = 40
"""Concepts whose pictures the map asks for at once."""


def concept_map(
    data: Callable[[str], MapData],
    colours: Callable[[str], bytes],
    hover: Callable[[int, str], Hover],
    *,
    pictures: Callable[[list[int], str], dict[int, str]] = lambda concepts, key: {},
    companions: Sequence[tuple[int, float]] = (),
    around: int = 0,
    data_key: str = "",
    names_key: str = "",
    colour_key: str = "",
    show: Collection[int] | None = None,
    selected: int | None = None,
    unjudged: bool = True,
    height: int = 560,
    link: str = "",
    addressed: bool = False,
    elem_id: str | None = None,
) -> gr.HTML:
    """Build the map; change it afterwards with `update_map`.

    `data(data_key)` gives the points, `colours(colour_key)` their bytes (see `colour_bytes`), and
    `hover(concept, colour_key)` the tooltip; all three are called outside the queue and should
    answer within milliseconds; names are asked for again where `names_key` changes.
    `pictures(concepts, colour_key)` gives addresses of small pictures on this server, which are
    drawn where few concepts are in sight. An empty `data_key` shows the loading face until a key
    arrives.

    `show` lists the state bytes to keep, others fade (None keeps all); `selected` is the concept to
    ring, `companions` (concept, weight from 0 to 1) those that curves lead to from it, `around` the
    radius of a circle about it in percent of the map's width; without `unjudged` the concepts
    without a δ fade too, and neither pointer, region nor keys meet them; `height` is in CSS pixels
    (less on a phone); `link` is the query parameter kept at the selected concept ("" for none).

    `addressed`: whoever serves the page answers the addresses of `map_answers` too, and the map
    asks those for its points and colours.

    Put it into a `gr.Column`, which gives it its width (a `gr.HTML` ignores `scale`).

    Events, each with a `gr.EventData`: `.point` (`i`, the concept clicked or entered), `.region`
    (`ids` of at most `REGION_LIMIT` concepts drawn around with shift-drag, `total` inside), and
    `.close` (Esc; no data).
    """

    by_key = map_answers(data, colours)

    def map_places(key: str) -> dict[str, Any]:
        return _told(lambda: by_key[POINTS]({"key": key}))

    def map_labels(key: str) -> dict[str, Any]:
        return _told(lambda: names(data(checked_key(key))))

    def map_colours(key: str) -> dict[str, Any]:
        return _told(lambda: by_key[COLOURS]({"key": key}))

    def map_hover(asked: list[Any]) -> dict[str, Any]:
        concept, key = int(asked[0]), checked_key(asked[1])
        return _told(lambda: dict(hover(concept, key)))

    def map_pictures(asked: list[Any]) -> dict[str, Any]:
        concepts, key = [int(k) for k in asked[0]][:MOST_PICTURES], checked_key(asked[1])
        return _told(lambda: {str(k): url for k, url in pictures(concepts, key).items()})

    return gr.HTML(
        value="",
        html_template=_html(height),
        css_template=_css(),
        js_on_load=_script(),
        apply_default_css=False,
        server_functions=[map_places, map_labels, map_colours, map_hover, map_pictures],
        elem_id=elem_id,
        link=link,
        unjudged=unjudged,
        companions=weighted(companions),
        around=around,
        addressed=addressed,
        names_key=names_key,
        **_props(data_key=data_key, colour_key=colour_key, show=show, selected=selected),
    )


_SAME = object()


def update_map(
    *,
    data_key: Any = _SAME,
    names_key: Any = _SAME,
    colour_key: Any = _SAME,
    show: Any = _SAME,
    selected: Any = _SAME,
    unjudged: Any = _SAME,
    companions: Any = _SAME,
    around: Any = _SAME,
    anew: bool = True,
) -> gr.HTML:
    """An update of the map for an event's return; what is not named stays as it is.

    Zoom, selection and listeners survive everything but a new `data_key`. `selected` may be given
    again after the visitor went elsewhere: every update rings, and brings into view, anew; with
    `anew` False only a concept that is not the ringed one. `selected=None` takes the ring away,
    `show=None` the filter.
    """
    named = {
        "data_key": data_key,
        "names_key": names_key,
        "colour_key": colour_key,
        "show": show,
        "selected": selected,
        "unjudged": unjudged,
        "companions": companions,
        "around": around,
    }
    given = {name: value for name, value in named.items() if value is not _SAME}
    return gr.HTML(**_props(anew, **given))


def _props(anew: bool = True, **named: Any) -> dict[str, Any]:
    """Properties as the script reads them: JSON, and a selection with a number of its own.

    The number is negative where the ringed concept is to stay as it is.
    """
    if "show" in named and named["show"] is not None:
        named["show"] = sorted(int(state) for state in named["show"])
    if "companions" in named:
        named["companions"] = weighted(named["companions"])
    if "selected" in named:
        concept = -1 if named["selected"] is None else int(named["selected"])
        named["selected"] = [concept, time.monotonic_ns() // (1000 if anew else -1000)]
    return named


def _told(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or the sentence that the page shows in its place."""
    try:
        return answer()
    except BlindspotsError as error:
        return {"error": str(error)}


def _script() -> str:
    constants = {
        "LEVELS": palette.LEVELS,
        "FILTERED": palette.FILTERED,
        "UNKNOWN": palette.UNKNOWN,
        "REGION_LIMIT": REGION_LIMIT,
        "NOWHERE": NOWHERE,
        "PALETTES": {theme: as_text(palette.palette(theme).tobytes()) for theme in palette.THEMES},
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in constants.items())
    body = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return head + body


def _css() -> str:
    light, dark = (palette.css_variables(theme) for theme in ("light", "dark"))
    themes = f".concept-map {{ {light} }}\n.dark & .concept-map {{ {dark} }}\n"
    return themes + (HERE / "concept_map.css").read_text(encoding="utf-8")


def _html(height: int) -> str:
    return TEMPLATE.replace("HEIGHT", str(int(height)))
