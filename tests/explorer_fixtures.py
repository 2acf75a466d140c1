"""The real page on a synthetic bundle, and a real browser to look at it."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright
    from playwright.sync_api import Page as BrowserPage

    from blindspots_hub.artifacts.bundle import Bundle, Redraw
    from blindspots_hub.explorer.page.page import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
WEBGL = "--enable-unsafe-swiftshader"
FLAT = "--disable-3d-apis"
CUT_OFF = re.compile("AbortError: signal is aborted|^(Unexpected error )?Connection errored out")
"""What Gradio's client tells of requests that it ends itself, when its page is left."""

PAGE = Synthetic(
    models={"plain-a": "Plain A", "own": "Own images"},
    unpaired=("own",),
    hostile=True,
    missing=0.2,
)
"""A bundle with all that a page has to bear: two designs, hostile words, missing images."""


def write_another(folder: Path, **changes: Any) -> Path:
    """Write the bundle of an evaluation beside `PAGE`, in its concepts unless `changes` say."""
    spec = replace(PAGE, models={"mine": "Mine"}, unpaired=(), name="mine-200-pairs", **changes)
    return write_synthetic(folder / "mine", spec)


def page_on(bundle: Bundle, evaluations: Path = Path("none"), **options: Any) -> Page:
    """The page on a bundle with all of its tabs, as `build_app` puts it together."""
    import gradio as gr

    from blindspots_hub.explorer.page.catalog import Catalog
    from blindspots_hub.explorer.page.page import Page, PageOptions
    from blindspots_hub.explorer.tabs.registry import TABS

    with gr.Blocks():
        return Page(Catalog(bundle), PageOptions(evaluations, **options), TABS)


@contextmanager
def playwright() -> Iterator[Playwright]:
    """The driver of browsers, one at a time; without a Chromium the tier fails, not skips."""
    if CHROMIUM is None:
        pytest.fail("The browser tier needs a Chromium: apt install chromium.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@contextmanager
def browser(driver: Playwright, flag: str = WEBGL) -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    opened = driver.chromium.launch(
        executable_path=CHROMIUM, args=[flag, "--disable-background-networking"]
    )
    try:
        yield opened
    finally:
        opened.close()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(
    root: Path,
    evaluations: Path,
    known: tuple[str, str] = ("Known", "known/model"),
    redraw: Redraw | None = None,
) -> Iterator[str]:
    """The app on the bundle `root`, as `app.py` serves it; yields its address."""
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.explorer.page.app import build_app, serve

    page = build_app(load_bundle(root), evaluations, [known], redraw=redraw)
    port = free_port()
    serve(page, port=port, block=False)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        page.close(verbose=False)


class Watched:
    """A page of the browser that keeps what it asked for, and every fault it met."""

    def __init__(self, page: BrowserPage) -> None:
        self.page = page
        self.faults: list[str] = []
        self.outside: list[str] = []
        self.received = 0
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._console)
        page.on("request", self._request)
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", self._loaded)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            self.outside.append(request.url)

    def _loaded(self, event: dict[str, Any]) -> None:
        self.received += int(event.get("encodedDataLength", 0))

    def open(self, address: str) -> Watched:
        """Go to `address` and wait until map and card stand, behind another tab if it names one."""
        self.page.goto(address)
        self.page.wait_for_selector(".card", state="attached" if "tab=" in address else "visible")
        self.page.wait_for_selector("#map .loading[data-done]", state="attached")
        return self

    def reload(self) -> None:
        """Leave the page and open it anew.

        What is under way is cut off by Gradio as a page is left, and told on the console: that is
        no fault of the page. Whatever else it tells is kept.
        """
        before = len(self.faults)
        self.page.reload()
        met = self.faults[before:]
        self.faults[before:] = [fault for fault in met if not CUT_OFF.search(fault)]


def wait_until(page: BrowserPage, is_so: Callable[[], bool], what: str, seconds: int = 30) -> None:
    """Let the page go on until `is_so`: for what this side sees of it, however busy the machine."""
    for _ in range(seconds * 20):
        if is_so():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{seconds} s passed, and not yet: {what}.")


def said(page: BrowserPage, name: str) -> str | None:
    """What the address says of `name`."""
    return next(iter(parse_qs(urlsplit(page.url).query).get(name, [])), None)


def wait_said(page: BrowserPage, name: str, value: str | None) -> None:
    """Until the address says so: it follows the server's answer, which may come after the card."""
    wait_until(page, lambda: said(page, name) == value, f"the address’s {name} is {value}")


def shown_concept(page: BrowserPage) -> str | None:
    """The concept whose card is open."""
    return page.locator(".card").get_attribute("data-concept")


def walk_to_a_point(page: BrowserPage) -> None:
    """Press a key on Compare's plot until it names a point: none is there while others come."""
    page.locator("#compare-scatter canvas").focus()

    def is_named() -> bool:
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        return page.locator("#compare-scatter .tip").is_visible()

    wait_until(page, is_named, "a point of the plot is named")


def axe_findings(page: BrowserPage) -> list[str]:
    """What axe calls serious or critical on what the page shows now: rule, element, why.

    The rules are a file of the package axe-playwright-python: no network is asked.
    """
    from importlib.resources import files

    rules = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(rules)
    found: list[str] = page.evaluate(
        """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
          .filter(rule => ["serious", "critical"].includes(rule.impact))
          .flatMap(rule => rule.nodes.map(node =>
            `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`))"""
    )
    return found
