"""The search box in a real browser: Enter opens what is typed, and what is marked is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from explorer_fixtures import Watched, axe_findings, served, shown_concept, wait_until
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.browser
HITS = "#search-hits [role=option]"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = write_synthetic(tmp_path_factory.mktemp("search") / "bundle", Synthetic())
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def page(site: str, chromium: Browser) -> Iterator[Page]:
    watched = Watched(chromium.new_page(viewport={"width": 1400, "height": 1000})).open(site)
    yield watched.page
    assert watched.faults == []
    watched.page.close()


def search(page: Page, text: str) -> None:
    """Type `text` and wait for what it finds."""
    page.fill("#concept-search", text)
    page.wait_for_selector(f"{HITS} b >> text={text}")


def test_enter_in_an_empty_box_opens_nothing(page: Page) -> None:
    before = shown_concept(page)
    search(page, "#217")
    with page.expect_event("request", lambda asked: "component_server" in asked.url):
        page.fill("#concept-search", "#21")
    page.fill("#concept-search", "")
    wait_until(page, lambda: not page.locator("#search-hits").is_visible(), "the list is closed")
    page.keyboard.press("Enter")
    search(page, "#33")  # by then whatever Enter had opened would be there
    assert shown_concept(page) == before


def test_enter_opens_what_is_typed_and_not_what_was(page: Page) -> None:
    search(page, "#217")
    page.evaluate(  # at once: before the box asks for the new text
        """() => {
          const box = document.querySelector("#concept-search");
          box.value = "#33";
          box.dispatchEvent(new Event("input", { bubbles: true }));
          box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        }"""
    )
    page.wait_for_selector(".card[data-concept='33']")

    search(page, "#217")
    kept: list[Route] = []
    page.route("**/component_server**", lambda route: kept.append(route))
    page.fill("#concept-search", "#44")
    wait_until(page, lambda: bool(kept), "the new text is asked for")
    page.keyboard.press("Enter")  # while the list shows the old one
    wait_until(page, lambda: len(kept) > 1, "it is asked for again at once")
    for route in kept:
        route.continue_()
    page.unroute("**/component_server**")
    page.wait_for_selector(".card[data-concept='44']")


def test_states_are_of_the_delta_that_is_shown(page: Page) -> None:
    asked: list[Any] = []
    page.on(
        "request", lambda one: asked.append(one.post_data) if "component_server" in one.url else 0
    )
    page.click("#delta label:has-text('absolute')")
    page.wait_for_function("location.search.includes('delta=absolute')")
    search(page, "#217")
    assert any('"#217"' in (one or "") and "/absolute/" in one for one in asked)


def test_what_is_marked_is_told_to_a_screen_reader(page: Page) -> None:
    page.fill("#concept-search", "a")
    page.wait_for_selector(HITS)
    box = page.get_by_role("combobox", name="Search")
    assert box.get_attribute("aria-expanded") == "true"
    assert page.locator(f"#{box.get_attribute('aria-controls')}").is_visible()
    found = page.locator(HITS).count()
    assert page.inner_text("#search [role=status]") == f"{found} found"
    for at in (0, 1 % found):
        marked = page.locator(f"#{box.get_attribute('aria-activedescendant')}")
        assert marked.get_attribute("aria-selected") == "true"
        assert marked.inner_text() == page.locator(HITS).nth(at).inner_text()
        box.press("ArrowDown")
    assert [one for one in axe_findings(page) if "search" in one] == []
    box.press("Escape")
    assert box.get_attribute("aria-expanded") == "false"
    assert box.get_attribute("aria-activedescendant") is None
    box.fill("a zebra that nobody drew")
    page.locator("#search [role=status]").get_by_text("No concept").wait_for()
