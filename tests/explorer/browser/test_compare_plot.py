"""The points of two models in a real browser: walked aloud by keys, and what fails is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from explorer_fixtures import Watched, axe_findings, served, walk_to_a_point
from synthetic_bundle import Synthetic, write_synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PLOT = "#compare-scatter"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    spec = Synthetic(n_concepts=120, pairs=80)
    root = write_synthetic(tmp_path_factory.mktemp("plot") / "bundle", spec)
    with served(root, tmp_path_factory.mktemp("evaluations")) as address:
        yield address


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    watched = Watched(chromium.new_page(viewport={"width": 1400, "height": 1000}))
    yield watched.page
    assert watched.faults == []
    watched.page.close()


def test_a_walk_by_keys_is_told(site: str, page: Page) -> None:
    page.goto(f"{site}/?tab=compare")
    page.wait_for_function(f"document.querySelector('{PLOT} canvas')?.dataset.drawn > 0")
    walk_to_a_point(page)
    page.locator(f"{PLOT} [role=status]").get_by_text("δ").wait_for(state="attached")
    told = page.text_content(f"{PLOT} [role=status]")
    assert (told or "").startswith("#")
    assert page.text_content(f"{PLOT} .tip") == told
    assert [one for one in axe_findings(page) if "scatter" in one] == []


def test_points_that_cannot_be_shown_say_why(site: str, page: Page) -> None:
    why = "The table of <Plain B> cannot be read."
    page.route(
        "**/component_server**",
        lambda route: route.fulfill(
            content_type="application/json", body=json.dumps({"error": why})
        ),
    )
    page.goto(f"{site}/?tab=compare")
    page.locator(f"{PLOT} .tip").get_by_text(why).wait_for()
    assert page.text_content(f"{PLOT} [role=status]") == why
