"""Words that explain themselves, dialogs and the header, in a real browser: keys, fingers, Esc."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from explorer_fixtures import PAGE, Watched, served, wait_until, write_another
from synthetic_bundle import write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1400, "height": 1000}
Visit = Callable[..., "Page"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("words")
    root = write_synthetic(folder / "bundle", PAGE)
    (folder / "evaluations").mkdir()
    write_another(folder / "evaluations")
    with served(root, folder / "evaluations") as address:
        yield address


@pytest.fixture
def visit(site: str, chromium: Browser) -> Iterator[Visit]:
    opened: list[Watched] = []

    def new(query: str = "", viewport: dict[str, int] = WIDE, **options: Any) -> Page:
        context = chromium.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        opened.append(Watched(context.new_page()))
        return opened[-1].open(f"{site}/{query}").page

    yield new
    for watched in opened:
        assert [fault for fault in watched.faults if "ERR_FAILED" not in fault] == []
        watched.page.context.close()


def told(page: Page) -> str:
    """What the bubble of a definition says; "" while there is none."""
    box = page.locator("#definition")
    return box.inner_text() if box.is_visible() else ""


EXPLAINED = (".card .facts abbr", ".counts span[title]", ".relations dt", ".ranking th abbr")


@pytest.mark.parametrize("where", EXPLAINED)
def test_a_word_explains_itself_to_keys(visit: Visit, where: str) -> None:
    page = visit()
    word = page.locator(where).first
    word.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.title") == word.get_attribute("title")
    assert told(page) == " ".join((word.get_attribute("title") or "").split())
    page.keyboard.press("Escape")
    assert told(page) == ""
    assert page.locator(".card[data-concept]").count() == 1, "Esc has closed the bubble alone"


def test_a_word_explains_itself_to_a_finger_and_stays_on_the_page(visit: Visit) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    for word in page.locator(".counts [title]").all()[-3:]:
        word.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        word.tap()
        assert told(page) == word.get_attribute("title")
        box = page.locator("#definition").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    page.locator("#finding").tap()
    assert told(page) == ""


@pytest.mark.parametrize("opener", ["[data-help]", ".strip figure.pair"])
def test_esc_closes_what_is_in_front_and_the_keyboard_is_back(visit: Visit, opener: str) -> None:
    page = visit()
    page.locator(opener).first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    assert page.evaluate("one => document.activeElement.matches(one)", opener)
    page.wait_for_timeout(400)
    assert page.locator(".card[data-concept]").count() == 1, "the card is behind, and stays"


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_the_header_names_the_bundle_that_is_shown(visit: Visit, viewport: dict[str, int]) -> None:
    page = visit(viewport=viewport)
    header = page.locator(".top .bundle")
    assert header.is_visible()
    assert "synthetic" in header.inner_text()
    page.locator("#model").click()
    page.get_by_role("option", name="Mine", exact=True).click()
    page.wait_for_selector(".top .bundle:has-text('mine-200')")
    digits = header.locator("code").inner_text()
    wait_until(page, lambda: f"bundle={digits}" in page.url, "the address names it too")
    again = visit(f"?{urlsplit(page.url).query}")
    again.wait_for_selector(".top .bundle:has-text('mine-200')")


def test_the_report_is_one_file(visit: Visit) -> None:
    page = visit("?tab=findings")
    with page.expect_download(timeout=120_000) as saved:
        page.locator("[data-report]").click()
    assert saved.value.suggested_filename == "synthetic-report.html"
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert "The histogram of δ" in text
    assert 'src="http' not in text


def test_what_does_not_arrive_is_one_sentence(visit: Visit) -> None:
    page = visit()
    page.route(re.compile("component_server"), lambda route: route.abort())
    button = page.locator(".ranking [data-file=csv]").first
    button.click()
    page.wait_for_function("document.querySelector('.ranking [data-file=csv]').innerText != 'CSV'")
    assert "try again" in button.inner_text()
    page.wait_for_function("document.querySelector('.ranking [data-file=csv]').innerText == 'CSV'")
    page.keyboard.press("/")
    page.keyboard.type("dog")
    page.wait_for_selector("#search-hits:has-text('did not arrive')")


@pytest.mark.parametrize("width", [390, 768, 1400, 1920])
def test_a_ranking_shows_its_pictures_whole_and_states_where_there_is_room(
    visit: Visit, width: int
) -> None:
    page = visit(viewport={"width": width, "height": 900}, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == (
        "dark" if page.evaluate("document.body.classList.contains('dark')") else "normal"
    )
    cut = page.locator(".ranking tr[data-open] td:first-child").evaluate_all(
        "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).length"
    )
    assert cut == 0
    state = page.locator(".ranking tr[data-open] td:nth-child(5)").first.bounding_box()
    assert state is not None
    assert (state["width"] > 60) == (width > 600)


def test_a_long_title_ends_before_the_arrow_of_its_menu(visit: Visit) -> None:
    page = visit()
    style = "getComputedStyle(document.querySelector('#model input'))"
    assert page.evaluate(f"{style}.textOverflow") == "ellipsis"
    assert float(page.evaluate(f"parseFloat({style}.paddingRight)")) >= 24
