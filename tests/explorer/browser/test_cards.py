"""Cards that come by their address, in a real browser: the latest wish wins, faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from explorer_fixtures import Watched, browser, playwright, served, shown_concept, wait_until
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import APIResponse, Page, Route

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    spec = Synthetic(n_concepts=200, pairs=120, fires_per_image=40)
    root = write_synthetic(tmp_path_factory.mktemp("cards") / "bundle", spec)
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def watched(site: str) -> Iterator[Watched]:
    with playwright() as driver, browser(driver) as opened:
        context = opened.new_context(viewport={"width": 1400, "height": 1000})
        yield Watched(context.new_page()).open(site)


def rows(page: Page) -> list[str]:
    """Concepts of the rankings, none of them open."""
    every = page.locator("#rankings tr[data-open]").evaluate_all("r => r.map(x => x.dataset.open)")
    return [k for k in dict.fromkeys(every) if k != shown_concept(page)]


def open_row(page: Page, concept: str) -> None:
    page.locator(f"#rankings tr[data-open='{concept}']").first.click()


def hold(page: Page, concept: str) -> list[Any]:
    """Keep the answer of one card back; what is returned can let it go on."""
    kept: list[Route] = []

    def late(route: Route) -> None:
        kept.append(route)

    page.route(lambda url: "/cards?" in url and f"concept={concept}&" in f"{url}&", late)
    return kept


def open_slowly(page: Page) -> tuple[str, list[Any]]:
    """Open a concept whose card is kept back, and wait until the page has noted it."""
    slow = rows(page)[0]
    kept = hold(page, slow)
    open_row(page, slow)
    page.wait_for_function(f"location.search.includes('concept={slow}')")
    return slow, kept


def test_a_card_is_there_before_the_pages_event_is_answered(watched: Watched) -> None:
    page, kept = watched.page, []
    page.route("**/gradio_api/run/predict**", lambda route: kept.append(route))
    first = rows(page)[0]
    open_row(page, first)
    page.wait_for_selector(f".card[data-concept='{first}']")
    assert f"concept={first}" not in page.url
    for route in kept:
        route.continue_()
    page.unroute("**/gradio_api/run/predict**")
    page.wait_for_function(f"location.search.includes('concept={first}')")
    assert watched.faults == []


def test_of_quick_wishes_the_last_one_stays(watched: Watched) -> None:
    page = watched.page
    slow, quick = rows(page)[:2]
    kept = hold(page, slow)
    open_row(page, slow)
    open_row(page, quick)
    page.wait_for_selector(f".card[data-concept='{quick}']")
    kept[0].continue_()
    page.wait_for_timeout(500)
    assert shown_concept(page) == quick
    page.wait_for_function(f"location.search.includes('concept={quick}')")


def test_what_was_closed_meanwhile_stays_closed(watched: Watched) -> None:
    page = watched.page
    _, kept = open_slowly(page)
    page.locator(".card [data-close]").click()
    page.wait_for_selector(".card.empty")
    kept[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator(".card.empty").count() == 1


def test_another_model_is_not_overtaken_by_a_card_of_the_last(watched: Watched) -> None:
    page = watched.page
    slow, kept = open_slowly(page)
    page.locator("#model").click()
    page.get_by_role("option").nth(1).click()
    page.wait_for_function("location.search.includes('model=plain-b')")
    page.wait_for_selector(f".card[data-concept='{slow}'][data-link*='plain-b']")
    kept[0].continue_()
    page.wait_for_timeout(500)
    assert "plain-b" in (page.locator(".card").get_attribute("data-link") or "")


def test_a_card_that_does_not_arrive_says_so_and_the_next_one_comes(watched: Watched) -> None:
    page = watched.page
    lost, next_one = rows(page)[:2]
    page.route("**/cards?**", lambda route: route.abort())
    open_row(page, lost)
    page.locator(".card.empty").get_by_text("check the connection").wait_for()
    page.unroute("**/cards?**")
    open_row(page, next_one)
    page.wait_for_selector(f".card[data-concept='{next_one}']")


def test_curves_lead_from_what_is_open_and_go_with_it(watched: Watched) -> None:
    page = watched.page
    switch = page.locator("#companions input")
    assert switch.is_checked()
    with page.expect_response("**/cards?**") as answered:
        open_row(page, rows(page)[0])
    assert answered.value.json()["companions"]
    switch.uncheck()
    page.wait_for_function("location.search.includes('companions=0')")
    with page.expect_response("**/cards?**") as answered:
        open_row(page, rows(page)[1])
    assert answered.value.json()["companions"] == []


def test_scripts_points_and_colours_are_kept_by_the_browser(watched: Watched) -> None:
    page = watched.page
    assert received(page) > 50_000
    watched.reload()
    page.wait_for_selector("#map .loading[data-done]", state="attached")
    assert received(page) == 0


def received(page: Page) -> int:
    """Bytes that came over the wire for Gradio's scripts and for points and colours."""
    return int(
        page.evaluate(
            """performance.getEntriesByType("resource")
                .filter(one => /assets\\/.*\\.js|map_places|map_colours/.test(one.name))
                .reduce((sum, one) => sum + one.transferSize, 0)"""
        )
    )


@pytest.mark.parametrize("late", ["answered late", "arrives late"])
def test_a_tab_that_is_opened_before_the_link_is_answered_stays_and_is_in_the_address(
    site: str, late: str
) -> None:
    with playwright() as driver, browser(driver) as opened:
        page = opened.new_context(viewport={"width": 1400, "height": 1000}).new_page()
        watched, held, clicked = Watched(page), [], []

        def hold(route: Route) -> None:
            answer = None if clicked or late == "answered late" else route.fetch()
            if clicked:
                go_on(route, answer)
            else:
                held.append((route, answer))

        def go_on(route: Route, answer: APIResponse | None) -> None:
            route.continue_() if answer is None else route.fulfill(response=answer)

        page.route("**/gradio_api/run/predict**", hold)
        page.goto(f"{site}/?model=plain-b&concept=3&delta=absolute")
        page.get_by_role("tab", name="Concepts").wait_for()
        wait_until(page, lambda: bool(held), "the page has asked what its link names")
        clicked.append(True)
        page.get_by_role("tab", name="Concepts").click()
        page.wait_for_selector("#concepts-table tbody tr")
        for route, answer in held:
            go_on(route, answer)
        page.wait_for_function(
            """() => { const said = new URLSearchParams(location.search);
              return said.get("tab") === "concepts" && said.get("model") === "plain-b"
                && said.get("concept") === "3" && said.get("delta") === "absolute"; }"""
        )
        page.wait_for_selector("#concepts-table th.delta >> text=absolute δ")
        page.wait_for_selector("#concepts-table th.of-model >> text=δ of Plain A")
        assert page.get_by_role("tab", name="Concepts").get_attribute("aria-selected") == "true"
        page.wait_for_timeout(400)
        assert "tab=concepts" in page.url
        assert watched.faults == []


def test_the_first_answer_names_the_scripts_that_the_page_asks_for_and_no_others(
    watched: Watched,
) -> None:
    page = watched.page
    hints = page.locator("link[rel=modulepreload], link[rel=preload]")
    named = set(hints.evaluate_all("all => all.map(one => one.href)"))
    asked = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    scripts = {one for one in asked if "/assets/" in one}
    late = {one for one in scripts - named if "/assets/index-" not in one}  # Gradio names those
    assert late == set()
    assert named - scripts == set(), "what is named and never used is wasted"
    assert len(named) > 40
    answers = [one for one in asked if "/map_" in one]
    assert len(answers) == len(set(answers)) == 2, "asked for ahead, and once"


def test_a_person_finds_what_programs_may_ask(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("button", name="Help").click()
    page.get_by_role("link", name="For programs").click()
    page.get_by_role("heading", name="/blindspots").wait_for()
    assert page.locator("#programs h2").count() == 5
    page.get_by_role("link", name="To the explorer").click()
    page.locator(".card").wait_for()
    page.get_by_role("button", name="Help").click()
    page.get_by_role("link", name="The README").click()
    page.locator("#readme pre:has-text('python app.py')").wait_for()
    page.get_by_role("link", name="To the explorer").click()
    page.locator(".card").wait_for()
    assert watched.faults == []
