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

import base64
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

import gradio as gr
import numpy as np

from blindspots_hub.errors import BlindspotsError
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

ROUND = 32_767
NOWHERE = -32_768
"""Both coordinates, as the scripts read them, of a concept that is not on the map."""


@dataclass(frozen=True)
class Cluster:
    """A name that stands over a part of the map: its middle in the units of `MapData.xy`."""

    x: float
    y: float
    name: str
    size: int


POINTS, COLOURS = "map_points", "map_colours"
"""Names of the functions that answer the map, and of their addresses."""

AS_IN_SCRIPTS = "!'()*"
"""What `encodeURIComponent` leaves as it is: both have to write the same address."""


@dataclass(frozen=True)
class MapData:
    """What stays the same for every model of a bundle; row i is concept i.

    `xy` (N, 2), any unit, y upwards, NaN for a concept that is not on the map; `size` (N,) uint8,
    how often a concept fires from 0 (never) to 255 (most often), best on a logarithmic scale;
    `labels` (N,) short names, "" where a concept has none; `clusters` the names of parts of the
    map, the largest first.
    """

    xy: np.ndarray
    size: np.ndarray
    labels: Sequence[str]
    clusters: Sequence[Cluster] = ()

    def __post_init__(self) -> None:
        n = len(self.xy)
        if self.xy.shape != (n, 2) or self.size.shape != (n,) or len(self.labels) != n:
            raise ValueError(
                f"a map needs xy (N, 2), size (N,) and N labels, not {self.xy.shape}, "
                f"{self.size.shape} and {len(self.labels)}"
            )
        if self.size.dtype != np.uint8 or np.isinf(self.xy).any():
            raise ValueError("a map needs size as uint8 and coordinates that are finite or NaN")


class Hover(TypedDict, total=False):
    """What the tooltip says of one concept, already worded; every part may be left out.

    `value` is δ with its interval ("δ 0.06 [0.04, 0.09]"), `state` the words for it, `image` a
    `data:image/…` URL or a path on this server, `caption` stands for the image where it is missing.
    """

    label: str
    value: str
    state: str
    image: str
    caption: str


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
    search: str = "",
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
    (less on a phone); `search` is the CSS selector of the box that "/" focuses; `link` the query
    parameter kept at the selected concept ("" for none).

    `addressed`: whoever serves the page answers the addresses of `map_answers` too, and the map
    asks those for its points and colours.

    Put it into a `gr.Column`, which gives it its width (a `gr.HTML` ignores `scale`).

    Events, each with a `gr.EventData`: `.point` (`i`, the concept clicked or entered), `.region`
    (`ids` of at most `REGION_LIMIT` concepts drawn around with shift-drag, `total` inside), and
    `.close` (Esc; no data).
    """

    by_key = map_answers(data, colours)

    def map_points(key: str) -> dict[str, Any]:
        return _told(lambda: by_key[POINTS]({"key": key}))

    def map_labels(key: str) -> dict[str, Any]:
        return _told(lambda: _names(data(_key(key))))

    def map_colours(key: str) -> dict[str, Any]:
        return _told(lambda: by_key[COLOURS]({"key": key}))

    def map_hover(asked: list[Any]) -> dict[str, Any]:
        concept, key = int(asked[0]), _key(asked[1])
        return _told(lambda: dict(hover(concept, key)))

    def map_pictures(asked: list[Any]) -> dict[str, Any]:
        concepts, key = [int(k) for k in asked[0]][:MOST_PICTURES], _key(asked[1])
        return _told(lambda: {str(k): url for k, url in pictures(concepts, key).items()})

    return gr.HTML(
        value="",
        html_template=_html(height),
        css_template=_css(),
        js_on_load=_script(),
        apply_default_css=False,
        server_functions=[map_points, map_labels, map_colours, map_hover, map_pictures],
        elem_id=elem_id,
        search=search,
        link=link,
        unjudged=unjudged,
        companions=weighted(companions),
        around=around,
        addressed=addressed,
        names_key=names_key,
        **_props(data_key=data_key, colour_key=colour_key, show=show, selected=selected),
    )


def map_answers(
    data: Callable[[str], MapData], colours: Callable[[str], bytes]
) -> dict[str, Callable[[Mapping[str, str]], dict[str, Any]]]:
    """Points and colours by the names of their addresses, each of a query with its `key`.

    One key has one answer for ever.
    """
    return {
        POINTS: lambda query: _points(data(_key(query.get("key")))),
        COLOURS: lambda query: {"bytes": _text(colours(_key(query.get("key"))))},
    }


def map_addresses(data_key: str, colour_key: str) -> list[str]:
    """The addresses that a map asks for when it is first shown."""
    return [
        f"{name}?key={quote(key, safe=AS_IN_SCRIPTS)}"
        for name, key in ((POINTS, data_key), (COLOURS, colour_key))
    ]


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


def colour_bytes(
    delta: np.ndarray, state: np.ndarray | None = None, size: np.ndarray | None = None
) -> bytes:
    """The bytes of one colouring: N of colour, then N of state, then N of size where it is given.

    `delta` (N,) in [0, 1], NaN where a concept is dead or undetermined; `state` (N,) uint8, in
    whatever code the page filters by with `show` (all 0 where it is None); `size` (N,) uint8 takes
    the place of that of `MapData`.
    """
    states = np.zeros(len(delta), np.uint8) if state is None else np.asarray(state, np.uint8)
    if states.shape != delta.shape:
        raise ValueError(f"δ {delta.shape} and state {states.shape} differ in length")
    sizes = b"" if size is None else np.asarray(size, np.uint8).tobytes()
    return palette.delta_bytes(delta).tobytes() + states.tobytes() + sizes


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


def weighted(companions: Sequence[tuple[int, float]]) -> list[list[float]]:
    """Concepts with their weights as the script of the map takes them."""
    return [[int(concept), round(float(weight), 3)] for concept, weight in companions]


def _names(points: MapData) -> dict[str, Any]:
    """Names of concepts and of parts of the map, the latter where the scripts have their points."""
    middle, factor = _frame(points.xy)
    clusters = [
        [round((one.x - middle[0]) * factor), round((one.y - middle[1]) * factor), one.name]
        for one in points.clusters
    ]
    return {"labels": list(points.labels), "clusters": clusters}


def _points(points: MapData) -> dict[str, Any]:
    return {"xy": _text(_quantised(points.xy).tobytes()), "size": _text(points.size.tobytes())}


def _quantised(xy: np.ndarray) -> np.ndarray:
    """Coordinates as little-endian int16 (N, 2), centred, one factor for both; or `NOWHERE`."""
    placed = np.isfinite(xy).all(1)
    middle, factor = _frame(xy)
    whole = np.full(xy.shape, NOWHERE, "<i2")
    whole[placed] = np.round((xy[placed] - middle) * factor)
    return whole


def _frame(xy: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle of the points that are placed, and what brings them within `ROUND` of it."""
    placed = np.isfinite(xy).all(1)
    low, high = (
        (xy[placed].min(0), xy[placed].max(0)) if placed.any() else (np.zeros(2), np.ones(2))
    )
    middle = low / 2.0 + high / 2.0
    reach = float(np.abs(xy[placed] - middle).max(initial=0)) or 1.0
    return middle, ROUND / reach


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _key(key: object) -> str:
    if not isinstance(key, str) or len(key) > 512:
        raise ValueError("the map asked with a key that this page never gave it")
    return key


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
        "PALETTES": {theme: _text(palette.palette(theme).tobytes()) for theme in palette.THEMES},
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
