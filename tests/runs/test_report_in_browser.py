"""The report as a reader opens it: from a file, without a network, light, dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from explorer_fixtures import Watched, axe_findings, browser, playwright

from blindspots_hub import planted
from blindspots_hub.progress import drive
from blindspots_hub.runs.report import report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
DRAWN = "[...document.querySelectorAll('.figure')].filter(one => one.querySelector('.main-svg'))"
LUMINANCE = """colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drive(report.stream(planted.BUNDLE, tmp_path_factory.mktemp("report") / "r.html"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with playwright() as driver, browser(driver) as opened:
        yield opened


def scrolled(page: Page) -> None:
    """Come past every figure, as a reader does."""
    page.evaluate(
        """async () => {
        for (let y = 0; y < document.body.scrollHeight; y += innerHeight / 2) {
          scrollTo(0, y);
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        }
      }"""
    )
    page.wait_for_function(f"{DRAWN}.length === document.querySelectorAll('.figure').length")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_every_figure_is_drawn_without_a_network(
    written: Path, chromium: Browser, scheme: str, width: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
    )
    watched = Watched(context.new_page())
    page = watched.page
    page.goto(written.as_uri())
    scrolled(page)
    assert page.locator(".figure").count() >= 10
    assert watched.faults == []
    assert [one for one in watched.outside if not one.startswith("file:")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    # Words of a figure are read on the page behind them.
    behind = page.evaluate(f"({LUMINANCE})(getComputedStyle(document.body).backgroundColor)")
    words = page.evaluate(
        f"""() => [...document.querySelectorAll('.xtick text, .ytick text, .xtitle, .ytitle')]
        .map(one => ({LUMINANCE})(getComputedStyle(one).fill))"""
    )
    assert words
    assert all(abs(one - behind) > 0.4 for one in words)
    assert axe_findings(page) == []
    context.close()


def test_paper_has_every_figure(written: Path, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1000, "height": 900})
    page.goto(written.as_uri())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(f"{DRAWN}.length === document.querySelectorAll('.figure').length")
    assert not page.locator("nav").is_visible()
    assert len(page.pdf()) > 100_000
