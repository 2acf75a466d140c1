"""Every tab on the embedded example: light, dark, wide, narrow, on paper, back and forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from explorer_fixtures import Watched, axe_findings, served

from blindspots_hub import planted
from blindspots_hub.explorer.tabs.registry import TABS
from blindspots_hub.planted.redraw import Redraw

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
SIZES = {"wide": {"width": 1400, "height": 1000}, "phone": {"width": 390, "height": 844}}
STANDS = {
    "explore": "#card .card",
    "concepts": "#concepts-table tbody tr",
    "compare": "#compare-body .scatter, #compare-body table",
    "pairs": "#pairs-table .pair-block",
    "structure": "#structure-body .finding-section",
    "findings": "#findings-body .finding-section",
    "stress": "#stress-body #stress-tests .notice, #stress-body #stress-intro",
    "evaluate": "#evaluate-body #form, #evaluate-body button",
}
"""What shows that a tab has arrived."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    evaluations = tmp_path_factory.mktemp("evaluations")
    with served(planted.BUNDLE, evaluations, redraw=Redraw()) as address:
        yield address


@pytest.fixture
def visit(site: str, chromium: Browser) -> Iterator[Any]:
    """Opens a tab; at the end no script may have failed and nothing been asked for outside."""
    opened: list[Watched] = []

    def new(tab: str, size: str = "wide", scheme: str = "light") -> Any:
        context = chromium.new_context(viewport=SIZES[size], color_scheme=scheme)  # type: ignore[arg-type]
        watched = Watched(context.new_page())
        opened.append(watched)
        watched.page.goto(f"{site}/?tab={tab}&__theme={scheme}")
        watched.page.wait_for_selector(STANDS[tab])
        # The link was followed: what it names is in the address, with the bundle.
        watched.page.wait_for_function("new URLSearchParams(location.search).has('bundle')")
        return watched.page

    yield new
    for watched in opened:
        assert watched.faults == []
        assert watched.outside == []
        watched.page.context.close()


def test_every_tab_is_visited() -> None:
    assert set(STANDS) == {tab.id for tab in TABS}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", STANDS)
def test_a_tab_is_accessible_and_fits(visit: Any, tab: str, scheme: str, size: str) -> None:
    page = visit(tab, size, scheme)
    assert page.locator("#finding .finding").is_visible()  # the verdict stands above every tab
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert dark == (scheme == "dark")
    assert axe_findings(page) == []


@pytest.mark.parametrize("tab", STANDS)
def test_a_tab_can_be_printed(visit: Any, tab: str) -> None:
    page = visit(tab)
    page.emulate_media(media="print")
    assert page.locator(STANDS[tab]).first.is_visible()
    assert page.locator("#finding .finding").is_visible()
    assert not page.get_by_role("tablist").first.is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_back_and_forward_walk_through_the_tabs(visit: Any) -> None:
    page, names = visit("explore"), [tab.id for tab in TABS]
    titles = {tab.id: tab.title for tab in TABS}
    for name in names[1:]:
        page.get_by_role("tab", name=titles[name], exact=True).click()
        page.wait_for_selector(STANDS[name])
        page.wait_for_function("name => location.search.includes(`tab=${name}`)", arg=name)
    for name in names[-2:0:-1]:
        page.go_back()
        page.wait_for_function("name => location.search.includes(`tab=${name}`)", arg=name)
        page.locator(STANDS[name]).first.wait_for(state="visible")
    page.go_forward()
    page.locator(STANDS[names[2]]).first.wait_for(state="visible")


def test_no_picture_of_the_example_is_missing(visit: Any) -> None:
    page = visit("pairs")
    for place in page.locator("#pairs-table .pair-block").all():
        place.scroll_into_view_if_needed()
    page.wait_for_function(
        """() => [...document.querySelectorAll('#pairs-table .picture img')]
        .every(one => one.complete && one.naturalWidth)"""
    )
    assert page.locator("#pairs-table .picture.missing").count() == 0
