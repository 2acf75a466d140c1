"""The real page in a real browser: what a visitor does, how fast it answers, what it never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from explorer_fixtures import (
    FLAT,
    Watched,
    browser,
    said,
    served,
    shown_concept,
    wait_said,
    wait_until,
)
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.explorer.page.catalog import Entry, bundle_id

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]
WIDE = {"width": 1440, "height": 1000}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = Synthetic(n_concepts=32_000, fires_per_image=700)
    return write_synthetic(tmp_path_factory.mktemp("large") / "bundle", spec)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = Synthetic(
        models={"plain-a": "Plain <A>", "own": "Own images"},
        unpaired=("own",),
        hostile=True,
        missing=0.3,
    )
    return write_synthetic(tmp_path_factory.mktemp("hostile") / "bundle", spec)


@pytest.fixture(scope="module")
def site(large: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(large, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture(scope="module")
def hostile_site(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(hostile, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    contexts = []

    def new(address: str, viewport: dict[str, int] | None = None, **options: Any) -> Watched:
        context = chromium.new_context(viewport=viewport or WIDE, **options)
        contexts.append(context)
        return Watched(context.new_page()).open(address)

    yield new
    for context in contexts:
        context.close()


def place(page: Page, concept: int) -> tuple[float, float]:
    """Where a concept stands, in CSS pixels of the window."""
    return tuple(
        page.evaluate(
            """k => { const c = document.querySelector('#map .points'),
                 [x, y] = c.project(k), box = c.getBoundingClientRect();
                 return [box.left + x, box.top + y]; }""",
            concept,
        )
    )


def view_of(page: Page) -> list[float]:
    """Places of two concepts: they change with pan and zoom, and with nothing else."""
    return [*place(page, 3), *place(page, 4)]


def painted(page: Page) -> int:
    return int(page.locator("#map .points").get_attribute("data-painted") or 0)


def lonely(root: Path, count: int, judged: bool = True) -> list[int]:
    """Concepts, judged or not, with no other one within reach of the pointer."""
    bundle = load_bundle(root)
    table = bundle.concepts
    xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    reading = Entry(bundle, next(iter(bundle.models))).reading("relative")
    wanted = np.flatnonzero((reading.determined == judged) & np.isfinite(xy).all(1))
    sample = np.random.default_rng(1).permutation(wanted)[:2000]
    near = [np.sort(((xy - xy[k]) ** 2).sum(1))[1] for k in sample]
    return sample[np.argsort(near)[::-1][:count]].tolist()


def wait_card(page: Page, concept: int) -> None:
    page.wait_for_selector(f'.card[data-concept="{concept}"]')


def test_the_page_stands_and_asks_nobody_else(site: str, visit: Visit) -> None:
    watched = visit(site)
    assert watched.outside == []
    assert watched.faults == []
    assert "32,000 concepts" in watched.page.locator("#counts").inner_text()
    assert shown_concept(watched.page) is not None  # it opens with a blindspot, not with a blank


def test_a_click_opens_the_card_of_its_point(site: str, large: Path, visit: Visit) -> None:
    page = visit(site).page
    right = 0
    for concept in lonely(large, 40):
        before = shown_concept(page)
        page.mouse.click(*place(page, concept))
        page.wait_for_function(
            "old => document.querySelector('.card').dataset.concept !== old", arg=before
        )
        right += shown_concept(page) == str(concept)
    assert right == 40
    wait_said(page, "concept", shown_concept(page))


def test_recolouring_is_small_and_moves_nothing(site: str, large: Path, visit: Visit) -> None:
    watched = visit(f"{site}/?concept={lonely(large, 1)[0]}")
    page = watched.page
    x, y = place(page, lonely(large, 1)[0])
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(600)
    looked, concept = view_of(page), shown_concept(page)

    page.get_by_role("button", name="Close the card").click()
    page.wait_for_selector(".card.empty")
    page.wait_for_timeout(300)
    for kind in ("absolute", "relative", "absolute"):
        received, was = watched.received, painted(page)
        page.locator("#delta").get_by_text(kind).click()
        page.wait_for_function(
            "n => Number(document.querySelector('#map .points').dataset.painted) > n", arg=was
        )
        page.wait_for_timeout(500)
        assert watched.received - received < 100_000
    assert view_of(page) == pytest.approx(looked)

    page.goto(f"{site}/?concept={concept}")
    page.wait_for_selector(f'.card[data-concept="{concept}"]')
    page.locator("#model").click()
    page.get_by_role("option", name="Plain B").click()
    page.wait_for_selector('.models a[aria-current]:has-text("Plain B")')
    assert shown_concept(page) == concept  # another model keeps the card
    wait_said(page, "model", "plain-b")
    assert watched.faults == []


def test_search_rankings_links_and_keys(site: str, visit: Visit) -> None:
    page = visit(site).page
    page.keyboard.press("/")
    page.keyboard.type("#217")
    page.wait_for_selector("#search-hits li[aria-selected=true] b")
    page.keyboard.press("Enter")
    wait_card(page, 217)
    row = page.locator(".ranking").nth(0).locator("tr[data-open]").nth(2)
    concept = int(row.get_attribute("data-open"))
    row.click()
    wait_card(page, concept)
    page.locator(".ranking [data-rows='300']").first.click()
    page.wait_for_function("document.querySelectorAll('.ranking tr[data-open]').length > 300")
    wait_said(page, "rows", "300")
    link = page.locator(".relations a").first
    beside = int(link.get_attribute("data-open"))
    link.click()
    wait_card(page, beside)
    page.keyboard.press("Escape")
    page.wait_for_selector(".card.empty")
    page.wait_for_function("!location.search.includes('concept=')")
    page.locator("#search input").fill("a zebra that nobody drew")
    page.wait_for_selector("#search-hits:has-text('No concept')")


def test_a_link_restores_what_was_copied(site: str, large: Path, visit: Visit) -> None:
    watched = visit(f"{site}/?concept=40&delta=absolute&model=plain-c")
    page = watched.page
    wait_card(page, 40)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_selector("[data-copy]:has-text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(copied).query) == {
        "bundle": [bundle_id(load_bundle(large))],
        "model": ["plain-c"],
        "delta": ["absolute"],
        "concept": ["40"],
    }
    again = visit(copied).page
    wait_card(again, 40)
    assert again.locator("#delta label.selected").inner_text() == "absolute"
    assert again.locator("#model input").input_value() == "Plain C"
    assert "absolute δ" in again.locator(".card .value").inner_text()


@pytest.mark.parametrize("query", ["concept=99999999", "concept=x", "model=none", "bundle=0123"])
def test_a_link_to_nothing_says_so_and_shows_the_page(site: str, visit: Visit, query: str) -> None:
    watched = visit(f"{site}/?{query}")
    watched.page.wait_for_selector("text=This link leads nowhere")
    assert watched.page.locator(".card").count() == 1
    assert watched.faults == []


def test_the_filter_keeps_only_what_is_asked_for(site: str, visit: Visit) -> None:
    page = visit(site).page
    page.locator("#show").get_by_text("certain", exact=True).click()
    page.wait_for_function(
        "[...document.querySelectorAll('.ranking td:nth-child(5)')]"
        ".every(cell => cell.textContent.endsWith(' certain'))"
    )
    assert page.locator(".ranking tr[data-open]").count() > 0
    with page.expect_download() as saved:
        page.locator("[data-file=csv][data-side=suppressed]").click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("rank,concept,label,state,certain,fold,delta")
    assert all(line.split(",")[4] == "True" for line in lines[1:])


def test_drawing_around_points_lists_them(site: str, visit: Visit) -> None:
    page = visit(site).page
    box = page.locator("#map .points").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 20, box["y"] + 60)
    page.mouse.down()
    for x, y in ((0.9, 0.12), (0.9, 0.9), (0.05, 0.9)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_selector(".card.region")
    page.locator(".card.region tr[data-open]").first.click()
    page.wait_for_selector(".card[data-concept]")


def test_bundle_text_is_text(hostile_site: str, visit: Visit) -> None:
    watched = visit(f"{hostile_site}/?concept=0")
    page = watched.page
    wait_card(page, 0)
    assert "onerror" in page.locator(".card h2").inner_text()
    assert "${window.hacked=2}" in page.locator(".card figcaption").first.inner_text()
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    page.wait_for_selector("#search-hits li b")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".card h2 img, figcaption img, #search-hits :not(li) > img").count() == 0
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(".picture.missing").count() > 0  # 30% of the thumbnails are not there


def test_unpaired_models_show_no_counterparts(hostile_site: str, visit: Visit) -> None:
    page = visit(f"{hostile_site}/?model=own").page
    page.locator("tr[data-open]").first.click()
    page.wait_for_selector(".strip.rows-1")
    assert page.locator(".strip.rows-2").count() == 0


def test_dark_is_kept_and_a_phone_gets_a_sheet(hostile_site: str, visit: Visit) -> None:
    watched = visit(hostile_site, PHONE)
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator(".card").evaluate("c => getComputedStyle(c).position") == "static"
    page.locator("tr[data-open]").nth(1).click()
    page.wait_for_selector(".card[data-sheet]")
    assert page.locator(".card").evaluate("c => getComputedStyle(c).position") == "fixed"
    page.get_by_role("button", name="Close the card").click()
    page.wait_for_selector(".card.empty")
    page.locator("[data-theme]").click()
    watched.reload()
    page.wait_for_selector("body.dark .card")
    assert watched.faults == []


def test_findings_are_words_at_once_and_figures_when_opened(
    hostile_site: str, visit: Visit
) -> None:
    watched = visit(hostile_site)
    page = watched.page
    page.get_by_role("tab", name="Findings").click()
    page.wait_for_selector("#findings-list:has-text('skewness')")
    assert page.locator(".js-plotly-plot").count() == 0
    page.locator("#findings-list [data-answer=delta_histogram]").click()
    page.wait_for_selector("#findings-figure .js-plotly-plot")
    page.locator("#model").click()
    page.get_by_role("option", name="Own images").click()
    page.wait_for_selector("#findings-list:has-text('Own images:')")
    page.wait_for_selector("#findings-head:has-text('Own images')")
    wait_said(page, "model", "own")
    assert said(page, "tab") == "findings"
    again = visit(page.url).page
    again.wait_for_selector("#findings-list:has-text('Own images:')")
    assert again.get_by_role("tab", name="Findings").get_attribute("aria-selected") == "true"
    again.get_by_role("tab", name="Explore").click()
    again.wait_for_selector("#finding:has-text('Own images')")
    assert watched.outside == []
    assert watched.faults == []


def test_back_and_forward_walk_through_what_was_opened(site: str, visit: Visit) -> None:
    watched = visit(site)
    page = watched.page
    first = shown_concept(page)
    rows = page.locator(".ranking").nth(0).locator("tr[data-open]")
    opened = [rows.nth(n).get_attribute("data-open") for n in (2, 3)]
    for n, concept in zip((2, 3), opened, strict=True):
        rows.nth(n).click()
        wait_card(page, int(concept or -1))
        page.wait_for_function(f"location.search.includes('concept={concept}')")
    page.locator("#delta").get_by_text("absolute").click()  # the same place, seen otherwise
    page.wait_for_function("location.search.includes('delta=absolute')")
    page.locator("#model").click()
    page.get_by_role("option", name="Plain B").click()
    page.wait_for_function("location.search.includes('model=plain-b')")
    page.go_back()
    page.wait_for_selector('.models a[aria-current]:has-text("Plain A")')
    assert shown_concept(page) == opened[1]
    page.go_back()
    wait_card(page, int(opened[0] or -1))
    page.wait_for_function("document.querySelector('#delta .selected').innerText === 'relative'")
    page.go_back()
    wait_card(page, int(first or -1))
    wait_until(page, lambda: not urlsplit(page.url).query, "the first address is there again")
    page.go_forward()
    wait_card(page, int(opened[0] or -1))
    page.evaluate("history.go(2)")
    page.wait_for_selector('.models a[aria-current]:has-text("Plain B")')
    page.evaluate("history.back(); setTimeout(() => history.back(), 30)")  # faster than answers
    wait_card(page, int(opened[0] or -1))
    page.wait_for_timeout(1000)
    assert shown_concept(page) == opened[0] == said(page, "concept")
    assert watched.faults == []


def test_what_was_not_judged_is_met_only_when_asked_for(
    hostile: Path, hostile_site: str, visit: Visit
) -> None:
    reading = Entry(load_bundle(hostile), "plain-a").reading("relative")
    page = visit(hostile_site).page
    count = page.locator("#map .count")
    assert count.inner_text() == f"{int(reading.determined.sum())} of 300 concepts are judged"
    before = shown_concept(page)
    (alone,) = lonely(hostile, 1, judged=False)
    page.mouse.click(*place(page, alone))
    page.wait_for_timeout(500)
    assert shown_concept(page) == before
    page.locator("#unjudged input").check()
    page.wait_for_function("document.querySelector('#map .count').innerText === '300 concepts'")
    page.mouse.click(*place(page, alone))
    wait_card(page, alone)
    wait_said(page, "unjudged", "1")
    assert page.locator(".card .value .delta b").inner_text() == "–"


def test_without_webgl_the_page_works_alike(site: str, large: Path, driver: Playwright) -> None:
    with browser(driver, FLAT) as flat:
        watched = Watched(flat.new_page(viewport=WIDE)).open(site)
        assert watched.page.locator("#map .points").get_attribute("data-ready") != "webgl2"
        concept = lonely(large, 1)[0]
        watched.page.mouse.click(*place(watched.page, concept))
        wait_card(watched.page, concept)


def test_an_unknown_model_is_told_in_one_sentence(hostile_site: str, visit: Visit) -> None:
    page = visit(hostile_site).page
    page.get_by_role("tab", name="Evaluate my model").click()
    box = page.locator("#eval-model input")
    box.fill("/no/such/folder")
    box.press("Tab")
    page.locator("#run").click()
    page.wait_for_selector("#status .notice.is-error", timeout=60_000)
    told = page.locator("#status .notice.is-error").inner_text()
    assert "/no/such/folder" in told
    assert "Traceback" not in told
    assert page.locator("#run").is_enabled()
    assert page.locator("#cancel").is_disabled()


def test_titles_of_models_are_text(hostile: Path, hostile_site: str, visit: Visit) -> None:
    assert Entry(load_bundle(hostile), "plain-a").title == "Plain <A>"
    page = visit(hostile_site).page
    assert "Plain <A>" in page.locator(".models").inner_text()
