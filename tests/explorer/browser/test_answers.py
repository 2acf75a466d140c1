"""Tabs of analyses in a real browser: what is open follows the model, what is not is not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from explorer_fixtures import Watched, served, wait_said, wait_until, walk_to_a_point
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WIDE = {"width": 1400, "height": 1000}
PHONE = {"width": 390, "height": 844}
Visit = Callable[..., Watched]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("answers")
    spec = Synthetic(
        n_concepts=80,
        pairs=60,
        models={"step-100": "Step 100", "step-200": "Step 200", "other": "Other"},
        hostile=True,
    )
    with served(write_synthetic(folder / "b", spec), folder / "evaluations") as address:
        yield address


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    contexts = []

    def new(address: str, viewport: dict[str, int] = WIDE, **options: Any) -> Watched:
        context = chromium.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        watched = Watched(page)
        page.goto(address)
        return watched

    yield new
    for context in contexts:
        context.close()


def choose_model(page: Page, title: str) -> None:
    page.locator("#model input").click()
    page.locator("[role=option]", has_text=title).first.click()


def drawn(page: Page, tab: str, title: str) -> None:
    """Wait until the open figure is there, and is about the model of that title."""
    page.wait_for_selector(f"#{tab}-figure .js-plotly-plot")
    page.wait_for_selector(f"#{tab}-table table")
    page.wait_for_function(
        "([tab, title]) => document.getElementById(`${tab}-head`).innerText.includes(`${title}:`)"
        " && !document.querySelector(`#${tab}-head .skeleton`)",
        arg=[tab, title],
    )


@pytest.mark.parametrize("tab", ["findings", "structure"])
def test_an_open_figure_follows_every_change_of_model(site: str, visit: Visit, tab: str) -> None:
    watched = visit(f"{site}?tab={tab}")
    page = watched.page
    page.locator(f"#{tab}-list [data-answer=redundancy]").click()
    drawn(page, tab, "Step 100")
    names = []
    for title in ("Step 200", "Other", "Step 100"):
        choose_model(page, title)
        drawn(page, tab, title)
        names.append(page.locator(f"#{tab}-table td").first.inner_text())
    assert names == ["step-200", "other", "step-100"]
    page.locator(f"#{tab}-list [data-answer=redundancy]").click()
    page.wait_for_selector(f"#{tab}-open", state="hidden")
    wait_said(page, "open", None)
    page.go_back()
    drawn(page, tab, "Step 100")
    wait_said(page, "open", "redundancy")
    assert watched.faults == []


def test_what_is_not_open_is_neither_computed_nor_sent(site: str, visit: Visit) -> None:
    page = visit(f"{site}?tab=structure").page
    page.wait_for_selector("#structure-list [data-answer]")
    sent: list[str] = []
    page.on(
        "response",
        lambda answer: sent.append(answer.text()) if "run/predict" in answer.url else None,
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    choose_model(page, "Other")
    page.wait_for_function("document.querySelector('#model input').value === 'Other'")
    wait_until(page, lambda: bool(sent), "the answer to another model")
    page.wait_for_timeout(1_500)
    assert len(sent) == 1
    assert "plotly" not in sent[0]
    assert len(sent[0]) < 30_000
    assert not [url for url in asked if "queue/join" in url], "nothing is open"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("query", ["tab=structure&open=delta_clustering", "tab=compare"])
def test_tabs_stand_in_both_themes_and_widths(
    site: str, visit: Visit, query: str, viewport: dict[str, int], theme: str
) -> None:
    watched = visit(f"{site}?{query}&__theme={theme}", viewport)
    page = watched.page
    if "structure" in query:
        drawn(page, "structure", "Step 100")
    else:
        page.wait_for_selector("#compare-below .compare-changes")
    assert watched.faults == []
    assert watched.outside == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("window.hacked") is None


IN_SIGHT = """tab => {
  const { top, bottom } = document.getElementById(`${tab}-open`).getBoundingClientRect();
  return top < innerHeight - 200 && bottom > 100;
}"""


@pytest.mark.parametrize("tab", ["findings", "structure"])
def test_on_a_phone_a_link_leads_to_the_answer_that_it_opens(
    site: str, visit: Visit, tab: str
) -> None:
    page = visit(f"{site}?tab={tab}&open=redundancy", PHONE).page
    drawn(page, tab, "Step 100")
    page.wait_for_function(IN_SIGHT, arg=tab)
    page.wait_for_timeout(600)
    assert page.evaluate(IN_SIGHT, tab), "words that came late have not pushed it away"
    page.evaluate("scrollTo(0, 0)")
    page.mouse.wheel(0, 1)
    choose_model(page, "Step 200")
    drawn(page, tab, "Step 200")
    page.wait_for_timeout(400)
    assert page.evaluate("scrollY") < 100, "later the page stays where its visitor is"


def test_without_an_answer_open_the_page_stays_at_its_top(site: str, visit: Visit) -> None:
    page = visit(f"{site}?tab=findings", PHONE).page
    page.wait_for_selector("#findings-list [data-answer]")
    page.wait_for_timeout(400)
    assert page.evaluate("scrollY") == 0


def test_compare_walks_back_and_forward(site: str, visit: Visit) -> None:
    watched = visit(f"{site}?tab=compare")
    page = watched.page
    page.wait_for_selector("#compare-below .compare-changes")
    page.wait_for_function("+document.querySelector('#compare-scatter canvas').dataset.drawn > 0")
    page.locator("#compare-below .matrix button").nth(3).click()
    page.wait_for_function("location.search.includes('with=')")
    there = page.url
    walk_to_a_point(page)
    page.keyboard.press("Enter")
    page.wait_for_function("!location.search.includes('tab=compare')")
    page.wait_for_selector(".card[data-concept]")
    page.go_back()
    page.wait_for_function("url => location.href === url", arg=there)
    page.wait_for_selector("#compare-below .compare-changes")
    page.go_forward()
    page.wait_for_selector(".card[data-concept]")
    assert watched.faults == []
