"""A page with nothing but the map on 32,000 concepts, and a visitor of it."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from blindspots_hub import paper
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.concept_map import (
    REGION_LIMIT,
    concept_map,
    update_map,
)
from blindspots_hub.explorer.map.map_data import Hover, MapData, colour_bytes

N = paper.CONCEPTS
NASTY = "<img src=x onerror='window.hacked=1'>"
NO_MODEL = "This bundle has no model bad: choose another."
POINTS_ALONE = (
    "body * { visibility: hidden !important } canvas.points { visibility: visible !important }"
)
PIXEL = "data:image/png;base64," + (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def sample_world(n: int) -> MapData:
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 60, n)
    centres, spread = rng.normal(size=(60, 2)) * 6, rng.uniform(0.25, 1.2, 60)
    xy = centres[cluster] + rng.normal(size=(n, 2)) * spread[cluster][:, None]
    size = np.clip(rng.gamma(2, 40, n), 0, 255).astype(np.uint8)
    return MapData(xy, size, [NASTY if i % 5 == 0 else f"concept {i}" for i in range(n)])


def half_placed(world: MapData) -> MapData:
    """The same with every second concept nowhere, as those that never fire."""
    xy = world.xy.copy()
    xy[1::2] = np.nan
    return MapData(xy, world.size, world.labels)


def sample_colours(n: int, key: str) -> bytes:
    if key == "bad":
        raise BlindspotsError(NO_MODEL)
    rng = np.random.default_rng(sum(key.encode()))
    delta = 1 / (1 + np.exp(-1.2 * rng.normal(size=n)))
    state = np.where(delta < 0.1, 4, np.where(delta > 0.9, 5, 2))
    rare = rng.random(n) < 0.06
    return colour_bytes(np.where(rare, np.nan, delta), np.where(rare, 1, state))


def sample_map(world: MapData) -> Any:
    n = len(world.xy)
    return concept_map(
        lambda key: world if key == "world" else half_placed(sample_world(500)),
        lambda key: sample_colours(500 if key.startswith("small") else n, key),
        lambda i, key: Hover(value=f"δ of {i} in {key}", state=NASTY, image=PIXEL),
        data_key="world",
        colour_key="A",
        link="concept",
        elem_id="map",
    )


def map_page() -> gr.Blocks:
    world = sample_world(N)
    with gr.Blocks() as page:
        with gr.Row():
            keys = [gr.Button(key, elem_id=f"key-{key}") for key in ("A", "B", "C", "bad")]
            narrow = gr.Button("suppressed", elem_id="narrow")
            swap = gr.Button("another bundle", elem_id="swap")
            search = gr.Textbox(elem_id="search", label="Search")
        with gr.Row():
            with gr.Column(scale=3, min_width=340):
                the_map = sample_map(world)
            with gr.Column(scale=2, min_width=300):
                card = gr.HTML("", elem_id="card")
        quick = {"queue": False, "show_progress": "hidden"}
        for key in keys:
            key.click(lambda key: update_map(colour_key=key), key, the_map, **quick)
        narrow.click(lambda: update_map(show=[4]), None, the_map, **quick)
        swap.click(
            lambda: update_map(data_key="small", colour_key="small A"), None, the_map, **quick
        )
        search.submit(lambda text: update_map(selected=int(text)), search, the_map, **quick)
        the_map.point(_card, None, card, **quick)
        the_map.region(_region, None, card, **quick)
        the_map.close(lambda: "closed", None, card, **quick)
    return page


def _card(event: gr.EventData) -> str:
    return f"#{int(event.i)}"


def _region(event: gr.EventData) -> str:
    assert len(event.ids) == len(set(event.ids)) == min(event.total, REGION_LIMIT)
    return f"region {len(event.ids)} of {event.total}"


# Notes when the map was painted, when the mouse was released and when the card changed.
STOPWATCH = """
window.times = {};
const wait = () => {
  const canvas = document.querySelector('#map canvas'), card = document.querySelector('#card');
  if (!canvas?.dataset.ready || !card) return requestAnimationFrame(wait);
  times.ready = performance.now();
  new MutationObserver(() => { times.painted = performance.now(); })
    .observe(canvas, { attributes: true, attributeFilter: ['data-painted'] });
  new MutationObserver(() => { times.card = performance.now(); })
    .observe(card, { childList: true, characterData: true, subtree: true });
};
addEventListener('pointerup', () => { times.up = performance.now(); }, true);
wait();
"""


class Visit:
    """A page with the map open, in the words of a visitor."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
        self.faults: list[str] = []
        self.calls: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.calls.append(request.url))
        self.page.add_init_script(STOPWATCH)
        self.page.goto(address)
        self.canvas = self.page.locator("#map canvas.points")
        self.page.wait_for_function("window.times?.ready && document.querySelector('#key-A')")
        box = self.canvas.bounding_box()
        self.left, self.top, self.width, self.height = (
            box[side] for side in ("x", "y", "width", "height")
        )

    def where(self, concept: int) -> tuple[float, float]:
        x, y = self.canvas.evaluate("(canvas, i) => canvas.project(i)", concept)
        return self.left + x, self.top + y

    def all_places(self) -> np.ndarray:
        script = "(canvas, n) => Array.from({ length: n }, (_, i) => canvas.project(i))"
        return np.array(self.canvas.evaluate(script, N))

    def painted(self) -> int:
        return int(self.canvas.get_attribute("data-painted"))

    def recolour(self, button: str) -> float:
        before = self.painted()
        self.page.click(f"#{button}")
        self.page.wait_for_function(
            "n => +document.querySelector('#map canvas').dataset.painted > n", arg=before
        )
        return float(self.page.evaluate("times.painted - times.up"))

    def card(self, text: str) -> None:
        self.page.wait_for_function(
            "text => document.querySelector('#card').innerText.trim() === text", arg=text
        )

    def settle(self) -> None:
        self.page.wait_for_timeout(260)

    def points(self) -> bytes:
        """The points as a picture, without names and controls, which come when they come."""
        picture: bytes = self.canvas.screenshot(style=POINTS_ALONE)
        return picture

    def ink(self) -> int:
        """How many distinct colours the map shows: one or two where nothing is drawn."""
        from io import BytesIO

        from PIL import Image

        picture = Image.open(BytesIO(self.canvas.screenshot())).convert("RGB")
        return len(picture.getcolors(1 << 24) or [])
