"""Stress test in a real browser: a planted fault is really asked for, stopped, and gone on with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from explorer_fixtures import Watched, browser, playwright, served

from blindspots_hub import planted

pytestmark = pytest.mark.browser
FEEDER = "344"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    evaluations = tmp_path_factory.mktemp("evaluations")
    with served(planted.BUNDLE, evaluations, ("Alder 1", "planted/alder-1")) as address:
        yield address


@pytest.fixture
def visit() -> Iterator[Watched]:
    with playwright() as driver, browser(driver) as opened:
        yield Watched(opened.new_page())


def test_a_full_fault_is_confirmed_after_a_stop(site: str, visit: Watched) -> None:
    page = visit.open(f"{site}/?model=alder-1&concept={FEEDER}").page
    page.get_by_role("tab", name="Stress test").click()
    page.get_by_text("No concept of this model was put to the test yet").wait_for()
    assert page.locator("#stress-concepts input, #stress-concepts textarea").input_value() == FEEDER
    page.locator("#stress-estimate").get_by_text("images by the model").wait_for()
    page.locator("#stress-run").click()
    page.locator("#stress-status img").first.wait_for(timeout=60_000)
    page.locator("#stress-cancel").click()
    page.locator("#stress-status").get_by_text("run the same again").wait_for(timeout=20_000)
    page.locator("#stress-run").click()
    page.locator("#stress-status").get_by_text("The stress test is done.").wait_for(timeout=90_000)
    page.locator("#stress-tests .stress-verdict.is-confirmed").wait_for()
    page.locator("#stress-gallery figure.lacks").first.wait_for()
    assert page.locator("#stress-gallery figure.shows").count() == 0
    assert page.locator("#stress-gallery .stress-images img").count() >= 40
    visit.reload()  # on one's own machine it is still there, beside the example
    page.locator("#stress-tests .stress-verdict.is-confirmed").wait_for()
    assert visit.faults == []
    assert visit.outside == []
