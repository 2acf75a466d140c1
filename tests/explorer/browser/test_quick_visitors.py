"""Visitors who are quicker than the page's answers, in a real browser: nothing they do is lost.

Every test holds the page's answers back, lets the visitor go on, and then lets the answers come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from explorer_fixtures import Watched, said, served, shown_concept, wait_said, wait_until
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.browser
SPEC = Synthetic(models={"plain-a": "Plain A", "plain-b": "Plain B", "plain-c": "Plain C"})
EVENTS = "**/gradio_api/run/predict**"
ROW = "#concepts-table tbody tr"
PAIR = "#pairs-table .pair-block"
Visit = Callable[[str, str], "Page"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("quick") / "bundle", SPEC)


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def visit(site: str, chromium: Browser) -> Iterator[Visit]:
    """Opens a link's query, and waits for what it shows and for the page's own answer to it."""
    opened: list[Watched] = []

    def new(query: str, selector: str) -> Page:
        watched = Watched(chromium.new_page(viewport={"width": 1400, "height": 1000}))
        opened.append(watched)
        with watched.page.expect_response(EVENTS):
            watched.page.goto(f"{site}/?{query}")
        watched.page.wait_for_selector(selector)
        return watched.page

    yield new
    for watched in opened:
        assert watched.faults == []
        watched.page.close()


@contextmanager
def held(page: Page, most: int = 100) -> Iterator[list[Route]]:
    """The next `most` events of the page stay unanswered until the end of this block.

    Then they come in their order.
    """
    kept: list[Route] = []

    def late(route: Route) -> None:
        if len(kept) < most:
            kept.append(route)
        else:
            route.continue_()

    page.route(EVENTS, late)
    yield kept
    for route in kept:
        with page.expect_response(lambda answer, held=route: answer.request == held.request):
            route.continue_()
    page.unroute(EVENTS)


def rows(page: Page) -> list[str]:
    """Concepts of the rankings, none of them open."""
    every = page.locator("#rankings tr[data-open]").evaluate_all("r => r.map(x => x.dataset.open)")
    return [k for k in dict.fromkeys(every) if k != shown_concept(page)]


def open_row(page: Page, concept: str) -> None:
    page.locator(f"#rankings tr[data-open='{concept}']").first.click()
    page.wait_for_selector(f".card[data-concept='{concept}']")


def test_the_last_card_is_what_link_and_history_say(visit: Visit) -> None:
    page = visit("", ".card[data-concept]")
    first, second, third = rows(page)[:3]
    with held(page) as kept:
        open_row(page, first)
        open_row(page, second)
        open_row(page, third)
        wait_until(page, lambda: len(kept) == 3, "every card is told to the server")
    wait_said(page, "concept", third)
    page.go_back()
    wait_until(page, lambda: shown_concept(page) != third, "back is a card before", 10)


def test_a_card_opened_while_the_page_changes_stays_open(visit: Visit) -> None:
    """What was made before the card was opened knows nothing of it, and comes after it."""
    page = visit("", ".card[data-concept]")
    first, second = rows(page)[:2]
    for change, concept in (("#delta label >> text=absolute", first), ("#model", second)):
        with held(page) as kept:
            page.locator(change).first.click()
            if change == "#model":
                page.get_by_role("option").nth(1).click()
            open_row(page, concept)
            wait_until(page, lambda: len(kept) == 2, "both are told to the server")
        wait_said(page, "concept", concept)
        wait_until(page, lambda c=concept: shown_concept(page) == c, "the card is shown", 10)
    wait_said(page, "delta", "absolute")
    wait_said(page, "model", "plain-b")
    assert shown_concept(page) == second
    visit(urlsplit(page.url).query, f".card[data-concept='{second}']")


def test_controls_of_two_kinds_both_hold(visit: Visit) -> None:
    page = visit("", ".card[data-concept]")
    with held(page) as kept:
        page.locator("#delta label >> text=absolute").click()
        page.locator("#show label >> text=suppressed").click()
        wait_until(page, lambda: len(kept) == 2, "both are told to the server")
    wait_said(page, "delta", "absolute")
    wait_said(page, "show", "suppressed")
    checked = page.locator("#show input:checked")
    wait_until(page, lambda: checked.input_value() == "suppressed", "so says the control")


def test_a_page_of_a_table_that_was_sorted_meanwhile_is_not_turned(visit: Visit) -> None:
    page = visit("tab=concepts", ROW)
    with held(page) as kept:
        page.locator("#concepts-table [data-sort]").nth(2).click()
        page.locator("#concepts-table [aria-label='Next page']").first.click()
        wait_until(page, lambda: len(kept) == 2, "both are told to the server")
    wait_until(page, lambda: said(page, "concepts-sort") is not None, "the order is kept", 10)
    page.wait_for_selector("#concepts-table .pager >> text=page 1 of")
    assert said(page, "concepts-page") is None


def test_a_name_is_given_to_the_card_that_is_shown(visit: Visit, root: Path) -> None:
    page = visit("", ".card[data-concept]")
    first, second = rows(page)[:2]
    open_row(page, first)
    wait_said(page, "concept", first)
    with held(page, most=1) as kept:  # what is told of the second card arrives last
        open_row(page, second)
        wait_until(page, lambda: len(kept) == 1, "the second card is told")
        page.locator(".rename summary").click()
        page.locator(".card [data-name]").fill("given quickly")
        page.locator("[data-rename]").click()
        page.locator(".card h2").get_by_text("given quickly").wait_for()
    labels = load_bundle(root).labels
    assert labels[int(second)] == "given quickly"
    assert labels[int(first)] != "given quickly"
    wait_said(page, "concept", second)
    assert shown_concept(page) == second


def test_neighbours_are_those_of_the_card_that_is_shown(visit: Visit) -> None:
    page = visit("", ".card[data-concept]")
    first, second, third = rows(page)[:3]
    open_row(page, first)
    wait_said(page, "concept", first)
    with held(page) as kept:
        open_row(page, second)
        page.locator("[data-around='6']").click()
        page.wait_for_selector(".around .facts")
        assert shown_concept(page) == second
        open_row(page, third)
        assert page.locator("[data-around='6'][aria-pressed=true]").count() == 1
        page.locator(".card [data-close]").click()
        page.wait_for_selector(".card.empty")
        open_row(page, third)
        wait_until(page, lambda: len(kept) == 5, "all of it is told to the server")
    wait_said(page, "around", "6")
    wait_said(page, "concept", third)
    assert shown_concept(page) == third


@pytest.mark.parametrize(("tab", "row"), [("concepts", ROW), ("pairs", PAIR)])
def test_a_pager_is_as_quick_as_its_visitor(visit: Visit, tab: str, row: str) -> None:
    page = visit(f"tab={tab}", row)
    step = page.locator(f"#{tab}-table [aria-label='Next page']").first
    with held(page) as kept:
        step.click()
        page.wait_for_selector(f"#{tab}-table .pager >> text=page 2 of")
        step.click()
        page.wait_for_selector(f"#{tab}-table .pager >> text=page 3 of")
        wait_until(page, lambda: len(kept) == 2, "both pages are told to the server")
    wait_said(page, f"{tab}-page", "3")
    page.locator(f"#{tab}-table [aria-label='First page']").first.click()
    page.wait_for_selector(f"#{tab}-table .pager >> text=page 1 of")
    kept: list[Route] = []
    rows_at = f"**/{tab}_rows**"
    page.route(rows_at, lambda route: kept.append(route))
    for clicks in (1, 2, 3):  # before the rows of the first step are there
        step.click()
        wait_until(page, lambda wanted=clicks: len(kept) == wanted, "the page is asked for")
    for route in kept:
        route.continue_()
    page.unroute(rows_at)
    page.wait_for_selector(f"#{tab}-table .pager >> text=page 4 of")
    wait_said(page, f"{tab}-page", "4")


@pytest.mark.parametrize(
    ("tab", "field", "row"), [("concepts", "label", ROW), ("pairs", "words", PAIR)]
)
def test_a_filter_that_was_typed_on_is_the_one_that_is_shown(
    visit: Visit, tab: str, field: str, row: str
) -> None:
    page = visit(f"tab={tab}", row)
    box = page.locator(f"#{tab}-filters [name={field}]")
    with held(page) as kept:
        box.press_sequentially("zz")
        wait_until(page, lambda: len(kept) == 1, "the first letters are asked for")
        box.press_sequentially("zz")
        page.wait_for_timeout(600)  # longer than the form waits for another letter
    page.wait_for_selector(f"#{tab}-table .notice")
    wait_said(page, f"{tab}-{field}", "zzzz")
    box.fill("")
    page.wait_for_selector(row)
    assert page.evaluate("document.activeElement.name") == field, "typing goes on"


def test_a_filter_goes_on_after_one_that_cannot_be(visit: Visit) -> None:
    page = visit("tab=concepts", ROW)
    box = page.locator("#concepts-filters [name=q]")
    box.fill("many")
    page.locator("#fault").get_by_text("no number above 0").wait_for()
    box.fill("0.5")
    wait_until(page, lambda: said(page, "concepts-q") == "0.5", "the next one is asked for", 4)


def test_a_form_follows_what_is_shown(visit: Visit) -> None:
    """A menu that a visitor has touched is changed by the page all the same."""
    page = visit("tab=concepts&concepts-page=2", ROW)
    page.select_option("#concepts-filters [name=state]", "judged")
    page.locator("#concepts-filters [name=label]").fill("palm")
    wait_said(page, "concepts-label", "palm")
    page.go_back()
    wait_said(page, "concepts-page", "2")
    page.wait_for_selector("#concepts-table .pager >> text=page 2 of")
    wait_until(
        page,
        lambda: (
            page.input_value("#concepts-filters [name=state]") == "all"
            and page.input_value("#concepts-filters [name=label]") == ""
        ),
        "the form says what the table shows",
        10,
    )


def test_the_last_tab_and_the_last_model_are_shown(visit: Visit) -> None:
    page = visit("", ".card[data-concept]")
    with held(page) as kept:
        page.get_by_role("tab", name="Concepts").click()
        wait_until(page, lambda: len(kept) == 1, "the first tab is asked for")
        page.get_by_role("tab", name="Pairs").click()
        wait_until(page, lambda: len(kept) == 2, "the second tab is asked for")
    page.wait_for_selector(PAIR)
    wait_said(page, "tab", "pairs")
    with held(page) as kept:
        for model in ("Plain B", "Plain C"):
            page.locator("#model input").click()
            page.locator("[role=option]", has_text=model).click()
            wait_until(page, lambda: len(kept) > 0, "the first model is asked for")
    wait_said(page, "model", "plain-c")
    page.locator("#finding").get_by_text("Plain C").first.wait_for()
