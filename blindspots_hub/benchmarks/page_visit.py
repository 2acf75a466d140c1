"""One visitor of the page in a real browser, with a stopwatch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Page

WEBGL = "--enable-unsafe-swiftshader"
"""WebGL in a browser without a graphics card."""

# Notes when the map was ready, when the mouse was released, when card, map and hits changed.
STOPWATCH = """
window.times = {};
const wait = () => {
  const canvas = document.querySelector('#map canvas.points');
  const card = document.querySelector('#card');
  const done = document.querySelector('#map .loading[data-done]');
  if (!canvas?.dataset.ready || !card || !done) return requestAnimationFrame(wait);
  times.ready = performance.now();
  const note = (name, node, options) =>
    new MutationObserver(() => { times[name] = performance.now(); }).observe(node, options);
  note('painted', canvas, { attributes: true, attributeFilter: ['data-painted'] });
  // A card of the same build as the last one changes in its attributes and texts only.
  const concept = { attributes: true, attributeFilter: ['data-concept'] };
  note('card', card, { childList: true, subtree: true, ...concept });
  note('hits', document.querySelector('#search-hits'), { childList: true, attributes: true });
};
addEventListener('pointerup', () => { times.up = performance.now(); }, true);
addEventListener('keydown', () => { times.key = performance.now(); }, true);
addEventListener('DOMContentLoaded', wait);
"""


CARD_BYTES = "new Blob([document.querySelector('#card .card').outerHTML]).size"


@dataclass
class Traffic:
    """What was received: compressed bytes and requests."""

    bytes: int = 0
    requests: int = 0


@dataclass
class Visit:
    """A page that stands, and what it received so far."""

    page: Page
    traffic: Traffic = field(default_factory=Traffic)
    card: str | None = None
    """Path and query of the card that was opened last."""
    event: dict[str, Any] | None = None
    """The request that told the server of it: its path, and its body."""

    def times(self, name: str) -> float:
        """When something last happened, in milliseconds of the page."""
        return float(self.page.evaluate(f"times.{name} ?? NaN"))

    def wait_card(self, concept: int) -> None:
        """Until the card of a concept stands."""
        self.page.wait_for_selector(f".card[data-concept='{concept}']", timeout=20_000)

    def click(self, concept: int) -> tuple[float, int, bool]:
        """Click a concept: milliseconds until its card, bytes of the card, whether it was right."""
        x, y = self.page.evaluate(
            """i => { const canvas = document.querySelector('#map canvas.points');
            const at = canvas.project(i), box = canvas.getBoundingClientRect();
            return [at[0] + box.left, at[1] + box.top]; }""",
            concept,
        )
        was = self.page.locator(".card").get_attribute("data-concept")
        self.page.mouse.click(x, y)
        self.page.wait_for_function(
            "was => document.querySelector('.card')?.dataset.concept !== was", arg=was
        )
        shown = self.page.locator(".card").get_attribute("data-concept")
        size = int(self.page.evaluate(CARD_BYTES))
        self.page.mouse.move(2, 2)
        return self.times("card") - self.times("up"), size, shown == str(concept)

    def switch(self, number: int) -> tuple[float, int]:
        """Choose another model: milliseconds until map and card have it, and bytes received."""
        self.page.locator("#model").click()
        option = self.page.get_by_role("option").nth(number)
        option.wait_for()
        self.page.wait_for_timeout(150)
        received = self.traffic.bytes
        painted = self.page.evaluate("times.painted ?? 0")
        option.click()
        self.page.wait_for_function("was => (times.painted ?? 0) > was", arg=painted)
        took = max(self.times("painted"), self.times("card")) - self.times("up")
        self.page.wait_for_timeout(400)
        return took, self.traffic.bytes - received

    def search(self, words: str) -> float:
        """Milliseconds from the last key to suggestions."""
        box = self.page.locator("#search input")
        box.fill("")
        box.type(words[:-1])
        self.page.wait_for_timeout(600)
        before = self.page.evaluate("times.hits ?? 0")
        box.press(words[-1])
        self.page.wait_for_function("was => (times.hits ?? 0) > was", arg=before)
        took = self.times("hits") - self.times("key")
        box.press("Escape")
        return took


@contextmanager
def visiting(chromium: str, address: str) -> Iterator[Visit]:
    """A headless browser on the page, with the map ready."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=[WEBGL, "--disable-background-networking"]
        )
        try:
            warm = browser.new_page()  # the first navigation also starts the renderer
            warm.goto("about:blank")
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            visit = Visit(page)
            wire = page.context.new_cdp_session(page)
            wire.send("Network.enable")
            wire.on("Network.loadingFinished", lambda event: _count(visit.traffic, event))
            page.on("request", lambda request: _keep(visit, request))
            page.add_init_script(STOPWATCH)
            page.goto(address)
            page.wait_for_function("window.times?.ready", timeout=60_000)
            page.wait_for_selector(".card")
            yield visit
        finally:
            browser.close()


def _count(traffic: Traffic, event: dict[str, Any]) -> None:
    traffic.bytes += int(event.get("encodedDataLength", 0))
    traffic.requests += 1


def _keep(visit: Visit, request: Any) -> None:
    """The two requests that open a card, to be sent again by many."""
    place = urlsplit(request.url)
    path = f"{place.path}?{place.query}" if place.query else place.path
    if place.path == "/cards":
        visit.card = path
        return
    if request.method != "POST" or "/gradio_api/" not in place.path:
        return
    try:
        body = json.loads(request.post_data or "")
    except ValueError:
        return
    event = body.get("event_data") if isinstance(body, dict) else None
    if isinstance(event, dict) and set(event) == {"i"}:
        visit.event = {"path": path, "body": body}


def reachable(visit: Visit, n_concepts: int, wanted: int, seed: int = 0) -> list[int]:
    """Concepts on the map whose place no other one takes, in the order of chance."""
    places = visit.page.evaluate(
        """n => { const canvas = document.querySelector('#map canvas.points');
        return Array.from({ length: n }, (_, i) => canvas.project(i) || [-1, -1]); }""",
        n_concepts,
    )
    shown = visit.page.evaluate("document.querySelector('#map canvas.points').shown()")
    xy = np.array(places)
    judged = np.isin(np.arange(len(xy)), shown)
    inside = judged & (xy[:, 0] > 20) & (xy[:, 1] > 60) & (xy[:, 1] < 500)
    found: list[int] = []
    for concept in np.random.default_rng(seed).permutation(np.flatnonzero(inside)):
        far = np.hypot(*(xy[inside] - xy[concept]).T)
        if (far < 0.8).sum() == 1:
            found.append(int(concept))
        if len(found) == wanted:
            break
    return found
