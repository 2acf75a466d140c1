"""The tabs Concepts and Pairs in a real browser: read, filtered, sorted, paged, walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from explorer_fixtures import Watched, said, served, wait_said, wait_until
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WIDE = {"width": 1400, "height": 1000}
PHONE = {"width": 390, "height": 844}
SPEC = Synthetic(
    models={"plain-a": "Plain A", "plain-b": "Plain <B>", "own": "Own images"},
    unpaired=("own",),
    hostile=True,
    missing=0.2,
)
ROW = "#concepts-table tbody tr"
PAIR = "#pairs-table .pair-block"
Visit = Callable[..., Watched]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = write_synthetic(tmp_path_factory.mktemp("tables") / "bundle", SPEC)
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def visit(site: str, chromium: Browser) -> Iterator[Visit]:
    """Opens a link's query and waits for `selector`; at the end nothing may have gone wrong."""
    opened = []

    def new(query: str, selector: str, viewport: dict[str, int] | None = None) -> Watched:
        context = chromium.new_context(viewport=viewport or WIDE, accept_downloads=True)
        watched = Watched(context.new_page())
        opened.append(watched)
        watched.page.goto(f"{site}/?{query}")
        watched.page.wait_for_selector(selector)
        return watched

    yield new
    for watched in opened:
        assert watched.faults == []
        assert watched.outside == []
        assert not watched.page.evaluate("Boolean(window.hacked)")
        watched.page.context.close()


def first(page: Page, selector: str) -> str:
    return str(page.locator(selector).first.inner_text())


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("tab", "row"), [("concepts", ROW), ("pairs", PAIR)])
def test_a_tab_stands_and_never_moves_the_page_sideways(
    visit: Visit, tab: str, row: str, theme: str, viewport: dict[str, int]
) -> None:
    page = visit(f"__theme={theme}&tab={tab}", row, viewport).page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator(row).count() == (50 if tab == "concepts" else 24)
    nameless = page.evaluate(
        """tab => [...document.querySelectorAll(`#${tab}-filters :is(input, select), `
             + `#${tab}-table :is(button, a)`)]
             .filter(e => !(e.labels?.length || e.getAttribute("aria-label") || e.innerText.trim()))
             .map(e => e.outerHTML)""",
        tab,
    )
    assert nameless == []
    unnamed = page.locator(f"#{tab}-table img:not([alt])").count()
    assert unnamed == 0
    if viewport is PHONE:
        wider = page.evaluate(
            """row => [...document.querySelectorAll(row)]
                 .filter(e => e.getBoundingClientRect().right > innerWidth + 1).length""",
            row,
        )
        assert wider == 0, "a row is readable without scrolling sideways"


def test_concepts_are_filtered_sorted_and_paged_and_the_link_says_so(visit: Visit) -> None:
    watched = visit("tab=concepts", ROW)
    page = watched.page
    page.select_option("#concepts-filters [name=state]", "judged")
    wait_said(page, "concepts-state", "judged")
    page.fill("#concepts-filters [name=label]", "palm")
    wait_said(page, "concepts-label", "palm")
    page.wait_for_function(
        "row => [...document.querySelectorAll(row)].every(e => e.innerText.includes('palm tree'))",
        arg=ROW,
    )
    assert page.evaluate("document.activeElement.name") == "label", "typing goes on"
    page.click("#concepts-filters [data-clear]")
    wait_said(page, "concepts-label", None)
    wait_said(page, "concepts-state", None)
    page.click("#concepts-table [data-column=support]")
    wait_said(page, "concepts-sort", "support")
    page.wait_for_selector("#concepts-table th.support[aria-sort=ascending]")
    assert page.evaluate("document.activeElement.dataset.column") == "support"
    page.keyboard.press("Enter")
    wait_said(page, "concepts-sort", "-support")
    page.wait_for_selector("#concepts-table th.support[aria-sort=descending]")
    page.locator("#concepts-table [aria-label='Next page']").first.click()
    wait_said(page, "concepts-page", "2")
    page.wait_for_selector("#concepts-table .pager >> text=51–100 of 300")
    there = first(page, f"{ROW} td.concept")
    again = visit(urlsplit(page.url).query, ROW).page
    assert first(again, f"{ROW} td.concept") == there, "a link is what is on the screen"
    assert again.input_value("#concepts-filters [name=sort]") == "-support"


def test_a_row_opens_its_card_and_back_is_the_table_again(visit: Visit) -> None:
    page = visit("tab=concepts&concepts-state=judged&concepts-page=2", ROW).page
    name = first(page, f"{ROW} td.concept").removeprefix("#")
    page.locator(f"{ROW} td.label a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f'.card[data-concept="{name}"]')
    wait_said(page, "tab", None)
    wait_said(page, "concept", name)
    page.go_back()
    page.wait_for_selector(ROW)
    assert said(page, "tab") == "concepts"
    page.wait_for_selector("#concepts-table .pager >> text=page 2")
    page.go_forward()
    page.wait_for_selector(f'.card[data-concept="{name}"]')


def test_the_open_table_follows_the_model_and_one_that_is_not_open_costs_nothing(
    visit: Visit,
) -> None:
    watched = visit("tab=concepts", ROW)
    page = watched.page
    page.click("#model input")
    page.click("[role=option]:has-text('Plain <B>')")
    wait_said(page, "model", "plain-b")
    page.wait_for_selector("#concepts-table th.of-model >> text=δ of Plain A")
    page.click("[role=tab]:has-text('Explore')")
    page.wait_for_selector(".card")
    sent: list[str] = []
    page.on("response", lambda answer: sent.append(answer.text() if "/api/" in answer.url else ""))
    page.click("#delta label:has-text('absolute')")
    wait_said(page, "delta", "absolute")
    page.wait_for_timeout(300)
    assert not any("wide-table" in text or "pair-block" in text for text in sent)
    page.click("[role=tab]:has-text('Concepts')")
    page.wait_for_selector("#concepts-table th.delta >> text=absolute δ")


def test_pairs_are_opened_searched_and_walked_back_to(visit: Visit) -> None:
    page = visit("tab=pairs", PAIR).page
    page.locator(f"{PAIR} .caption a").nth(3).click()
    page.wait_for_selector(".open-pair tbody tr")
    wait_until(page, lambda: said(page, "pair") is not None, "the address names the pair")
    pair = said(page, "pair")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Close the pair"
    page.locator(".open-pair tbody a").first.click()
    page.wait_for_selector(".card[data-concept]")
    page.go_back()
    page.wait_for_selector(".open-pair")
    assert said(page, "pair") == pair
    page.click(".open-pair [data-close]")
    page.wait_for_selector(".open-pair", state="detached")
    wait_said(page, "pair", None)
    page.fill("#pairs-filters [name=words]", "no such caption")
    page.wait_for_selector("#pairs-table .notice >> text=No pair is like that.")
    page.click("#pairs-filters [data-clear]")
    page.wait_for_selector(PAIR)
    page.locator("#pairs-table [aria-label='Last page']").first.click()
    wait_said(page, "pairs-page", "9")
    page.wait_for_function("row => document.querySelectorAll(row).length === 8", arg=PAIR)


def test_an_open_pair_has_overlays_a_slider_and_opens_large(visit: Visit, tmp_path: Path) -> None:
    watched = visit("tab=pairs", PAIR)
    page = watched.page
    both = f"{PAIR}:not(:has(.missing))"
    page.locator(both).first.locator(".caption a").click()
    page.wait_for_selector(".open-pair [data-over][aria-pressed=true]")
    assert page.locator(".open-pair figure.pair").count() == 1
    before = page.locator(".open-pair .heat").first.get_attribute("style")
    page.locator(".open-pair [data-over][aria-pressed=false]").nth(1).click()
    page.wait_for_function(
        "before => document.querySelector('.open-pair .heat').getAttribute('style') !== before",
        arg=before,
    )
    chosen = page.locator(".open-pair [data-over][aria-pressed=true]").get_attribute("data-over")
    wait_said(page, "pairs-concept", chosen)
    assert page.evaluate("document.activeElement.dataset.over") == chosen
    page.locator(".open-pair [data-heat]").fill("80")
    wait_said(page, "heat", "80")
    page.locator(".open-pair figure.pair img").first.click()
    page.wait_for_selector("dialog.lightbox[open]")
    assert page.locator("dialog.lightbox .picture img").count() >= 1
    assert page.locator("dialog.lightbox .heat").count() >= 1
    assert page.input_value("dialog.lightbox .heat-switch input") == "80"
    assert page.inner_text("dialog.lightbox header p").strip() not in ("", "natural image")
    with page.expect_download() as waiting:
        page.locator("dialog.lightbox button >> text=Download with overlay").first.click()
    saved: Any = waiting.value
    saved.save_as(tmp_path / "overlay.png")
    assert (tmp_path / "overlay.png").read_bytes().startswith(b"\x89PNG")
    page.fill("dialog.lightbox .heat-switch input", "20")
    wait_said(page, "heat", "20")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.lightbox[open]", state="detached")
    assert page.locator(".open-pair").count() == 1, "Escape closes the picture, not the pair"
    again = visit(urlsplit(page.url).query, ".open-pair").page
    pressed = again.locator(".open-pair [data-over][aria-pressed=true]")
    assert pressed.get_attribute("data-over") == chosen
    again.locator(f"{PAIR} figure.pair").first.press("Enter")
    again.wait_for_selector("dialog.lightbox[open]")
    assert said(page, "pair") is not None
    assert said(again, "pair") == said(page, "pair"), "a picture of the list opens no pair"


def test_kinds_of_pairs_are_chosen_and_memorised_ones_by_their_cause(visit: Visit) -> None:
    page = visit("tab=pairs", PAIR).page
    assert page.locator("#pairs-filters [name=why]").count() == 0
    page.select_option("#pairs-filters [name=which]", "memorised")
    page.wait_for_selector("#pairs-filters [name=why]")
    wait_said(page, "pairs-which", "memorised")
    page.select_option("#pairs-filters [name=which]", "incongruent")
    page.wait_for_selector("#pairs-table .told >> text=Incongruent")
    assert page.locator(PAIR).count() == 20


def test_what_is_filtered_is_saved(visit: Visit, tmp_path: Path) -> None:
    for asked, ending, magic in (
        ("tab=concepts&concepts-state=judged", "csv", b"rank,concept,label"),
        ("tab=pairs&pairs-which=incongruent", "parquet", b"PAR1"),
    ):
        tab = asked[4:].partition("&")[0]
        page = visit(asked, ROW if tab == "concepts" else PAIR).page
        with page.expect_download() as waiting:
            page.click(f"#{tab}-table [data-file={ending}]")
        saved: Any = waiting.value
        saved.save_as(tmp_path / saved.suggested_filename)
        assert saved.suggested_filename.endswith(f".{ending}")
        assert (tmp_path / saved.suggested_filename).read_bytes().startswith(magic)


def test_concepts_of_every_model_are_saved(visit: Visit, tmp_path: Path) -> None:
    page = visit("tab=concepts&concepts-state=judged", ROW).page
    with page.expect_download() as waiting:
        page.click("#concepts-table [data-file=csv][data-every]")
    saved: Any = waiting.value
    assert saved.suggested_filename == "synthetic-concepts-relative-all-models.csv"
    saved.save_as(tmp_path / "all.csv")
    lines = (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("bundle,model,rank,concept")
    assert {line.split(",")[1] for line in lines[1:]} == set(SPEC.models)


def test_an_unpaired_model_has_one_sentence_in_place_of_pairs(visit: Visit) -> None:
    page = visit("tab=pairs&model=own", "#pairs-table .notice").page
    assert "There are no pairs to show." in page.inner_text("#pairs-table")
    assert page.locator("#pairs-filters form").count() == 0
