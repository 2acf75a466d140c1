"""Explore in a real browser: what is beside the map and the card, on screen and on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from explorer_fixtures import Watched, served, shown_concept
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]
SIZES = {"wide": {"width": 1400, "height": 1000}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    spec = Synthetic(n_concepts=800, pairs=300, fires_per_image=90, missing=0.1)
    root = write_synthetic(tmp_path_factory.mktemp("explore") / "bundle", spec)
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    contexts = []

    def new(address: str, size: str = "wide", dark: bool = False, **options: Any) -> Watched:
        context = chromium.new_context(
            viewport=SIZES[size], has_touch=size == "phone", accept_downloads=True, **options
        )
        if dark:
            context.add_init_script("localStorage.setItem('blindspots-theme', 'dark')")
        contexts.append(context)
        return Watched(context.new_page()).open(address)

    yield new
    for context in contexts:
        context.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_every_state_is_quiet_and_fits(site: str, visit: Visit, size: str, dark: bool) -> None:
    watched = visit(site, size, dark)
    page = watched.page
    page.locator("tr[data-open]").nth(2).click()
    page.wait_for_selector(".card[data-sheet]")
    page.locator(".spread summary").click()
    page.wait_for_selector(".histogram")
    page.locator("[data-all=natural]").click()
    page.wait_for_selector(".every .sheet figure")
    page.locator("[data-around='6']").click()
    page.wait_for_selector(".around .facts")
    page.locator("figure.pair").first.click()
    page.wait_for_selector("dialog.lightbox[open] .picture img")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.lightbox:not([open])", state="attached")
    page.locator(".card [data-close]").click()
    page.locator("[data-help]").click()
    page.wait_for_selector("dialog.help[open]")
    page.locator("dialog.help [data-close]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert page.evaluate("document.body.classList.contains('dark')") is dark
    assert watched.faults == []
    assert watched.outside == []


def test_pictures_come_by_address_and_once(site: str, visit: Visit) -> None:
    watched = visit(site)
    page = watched.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    first, second = (page.locator("tr[data-open]").nth(n) for n in (3, 4))
    for row in (first, second, first):
        row.click()
        page.wait_for_selector(f".card[data-concept='{row.get_attribute('data-open')}']")
        page.wait_for_timeout(900)
    card = page.locator("#card").inner_html()
    assert "data:image" not in card
    assert len(card.encode()) < 15_000
    pictures = [url for url in asked if "/pictures/" in url]
    assert pictures
    responses = page.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.name.includes('/pictures/'))"
        ".map(one => [one.name, one.transferSize])"
    )
    from_network = [name for name, size in responses if size > 0]
    assert len(from_network) == len(set(from_network)), "a picture was fetched twice"


def test_all_images_are_paged_to_the_end(site: str, visit: Visit) -> None:
    page = visit(site).page
    page.locator("[data-all=generated], [data-all=natural]").first.click()
    page.wait_for_selector(".every .sheet")
    while page.locator(".way-on button").count():
        shown = page.locator(".every figure").count()
        page.locator(".way-on button").click()
        page.wait_for_function(
            "was => document.querySelectorAll('.every figure').length > was", arg=shown
        )
    told = page.locator(".way-on").last.inner_text()
    assert told.startswith(f"{page.locator('.every figure').count()} of ")
    assert "all of them" in told


def test_every_control_is_in_the_link(site: str, visit: Visit) -> None:
    page = visit(site).page
    concept = shown_concept(page)
    page.locator("#size").get_by_text("energy").click()
    page.wait_for_function("location.search.includes('size=energy')")
    page.locator("#companions input").uncheck()
    page.wait_for_function("location.search.includes('companions=0')")
    page.locator("[data-rows='20']").first.click()
    page.wait_for_function("location.search.includes('rows=20')")
    page.locator("[data-around='12']").click()
    page.wait_for_function("location.search.includes('around=12')")
    page.locator(".card [data-heat]").fill("80")
    page.wait_for_function("location.search.includes('heat=80')")
    again = visit(page.url).page
    again.wait_for_selector("[data-around='12'][aria-pressed=true]")
    assert shown_concept(again) == concept
    assert again.locator("#size .selected").inner_text() == "energy"
    assert not again.locator("#companions input").is_checked()
    assert again.locator("[data-rows='20'][aria-pressed=true]").count() >= 1
    again.wait_for_function(
        "Math.abs(getComputedStyle(document.querySelector('.heat'), '::before').opacity - 5 / 7)"
        " < 0.01"
    )


def test_the_map_and_tables_are_files(site: str, visit: Visit) -> None:
    page = visit(site).page
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as saved:
            page.locator(f"#map [data-file={kind}]").click()
        content = Path(saved.value.path()).read_bytes()
        assert content.startswith(begins)
        assert len(content) > 5_000
    with page.expect_download() as saved:
        page.locator("[data-file=parquet][data-side=suppressed]").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"PAR1")


def test_paper_has_map_and_bars(site: str, visit: Visit) -> None:
    page = visit(site).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    source = page.locator("#map .paper").get_attribute("src") or ""
    assert source.startswith("data:image/png")
    assert len(source) > 10_000, "it is not empty"
    assert page.locator("#map .paper").is_visible()
    assert page.locator("#map .points").is_hidden()
    bar = page.locator("#counts .share i").first
    assert bar.evaluate("one => getComputedStyle(one).printColorAdjust") == "exact"
    assert page.locator(".card").evaluate("one => getComputedStyle(one).maxHeight") == "none"
    assert len(page.pdf()) > 20_000


def test_search_says_what_it_searched(site: str, visit: Visit) -> None:
    page = visit(site).page
    page.keyboard.press("/")
    page.keyboard.type("kettle")
    page.wait_for_selector("#search-hits .searched")
    assert "300 captions" in page.locator("#search-hits .searched").inner_text()
    assert page.locator("#search-hits li[role=option] em").first.inner_text().strip()
    assert page.locator("#search-hits li[role=option] img").count() > 0


def test_a_histogram_is_saved_as_a_drawing_and_as_pixels(site: str, visit: Visit) -> None:
    watched = visit(site, "wide", False)
    page = watched.page
    page.locator(".spread summary").click()
    page.wait_for_selector(".histogram")
    starts = {"svg": b"<svg", "png": b"\x89PNG"}
    for kind, start in starts.items():
        with page.expect_download() as saving:
            page.locator(f"[data-drawing={kind}]").click()
        content = saving.value.path().read_bytes()
        assert content.startswith(start)
        assert saving.value.suggested_filename.endswith(f".{kind}")
        assert len(content) > 1_500
    assert watched.faults == []
