"""The embedded default in a real browser: explored, and a planted model really evaluated."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from explorer_fixtures import Watched, browser, free_port, playwright, served

from blindspots_hub import planted
from blindspots_hub.artifacts.validate import faults

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    evaluations = tmp_path_factory.mktemp("evaluations")
    with served(planted.BUNDLE, evaluations, ("Cedar", "planted/cedar")) as address:
        yield address


@pytest.fixture
def visit() -> Iterator[Watched]:
    with playwright() as driver, browser(driver) as opened:
        yield Watched(opened.new_page(accept_downloads=True))


def test_a_planted_model_is_evaluated_explored_and_downloaded(
    site: str, visit: Watched, tmp_path: Path
) -> None:
    page = visit.open(site).page
    page.get_by_role("tab", name="Evaluate my model").click()
    page.locator("#eval-pairs input[type=number]").fill("40")
    page.locator("#eval-pairs input[type=number]").blur()
    page.locator("#run").click()
    page.locator("#status img").first.wait_for(timeout=60_000)
    page.locator("#explore-it").wait_for(timeout=120_000)
    assert "Cedar" in page.locator("#status").inner_text()
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as packed:
        packed.extractall(tmp_path / "bundle")
    roots = [path.parent for path in (tmp_path / "bundle").rglob("bundle.json")]
    assert len(roots) == 1
    assert faults(roots[0]) == []
    page.locator("#explore-it").click()
    page.locator("#counts").get_by_text("512 concepts").wait_for()
    assert "40" in page.locator("#model input").input_value()
    page.locator(".card").wait_for()
    assert visit.faults == []
    assert visit.outside == []


def test_a_cancelled_evaluation_goes_on_when_run_again(site: str, visit: Watched) -> None:
    page = visit.open(site).page
    page.get_by_role("tab", name="Evaluate my model").click()
    page.locator("#eval-pairs input[type=number]").fill("300")
    page.locator("#eval-pairs input[type=number]").blur()
    page.locator("#run").click()
    page.locator("#status img").first.wait_for(timeout=60_000)
    page.locator("#cancel").click()
    page.locator("#status").get_by_text("run the same again").wait_for(timeout=20_000)
    page.locator("#run").click()
    page.locator("#explore-it").wait_for(timeout=120_000)
    assert "300" in page.locator("#status").inner_text()
    assert visit.faults == []


def test_a_reload_comes_back_to_the_run_and_a_fresh_page_lists_what_is_done(
    site: str, visit: Watched
) -> None:
    page = visit.open(site).page
    page.get_by_role("tab", name="Evaluate my model").click()
    page.locator("#eval-pairs input[type=number]").fill("157")
    page.locator("#eval-pairs input[type=number]").blur()
    page.locator("#run").click()
    page.locator("#status img").first.wait_for(timeout=60_000)
    page.wait_for_function("location.search.includes('tab=evaluate')")
    visit.reload()
    page.locator("#status .running").wait_for(timeout=20_000)
    assert "157 pairs" in page.locator("#status .running h3").inner_text()
    assert page.locator("#run").is_disabled()
    assert page.locator("#cancel").is_enabled()
    page.locator("#explore-it").wait_for(timeout=120_000)
    assert visit.faults == []
    again = visit.open(site).page
    titles: list[str] = []
    for _ in range(10):  # the menu has it soon after the page stands
        again.wait_for_timeout(1000)
        again.locator("#model").click()
        again.get_by_role("option").first.wait_for()
        titles = again.get_by_role("option").all_inner_texts()
        if any("157" in one for one in titles):
            break
        again.locator("h1").first.click()
    assert any("157" in one for one in titles), titles


def test_a_plan_sets_the_pairs_and_several_drawings_tell_the_samplers_part(
    site: str, visit: Watched
) -> None:
    page = visit.open(site).page
    page.get_by_role("tab", name="Evaluate my model").click()
    # Opened well before it is typed into: fields that are just appearing take a value back.
    page.get_by_text("Advanced").click()
    page.get_by_text("How sure do you want to be?").click()
    use = page.locator("#needs [data-pairs]").first
    use.wait_for()
    at_first = int(use.get_attribute("data-pairs") or 0)
    page.locator("#eval-margin input[type=number]").fill("0.5")
    page.locator("#eval-margin input[type=number]").blur()
    page.wait_for_function(
        "was => Number(document.querySelector('#needs [data-pairs]')?.dataset.pairs) < was",
        arg=at_first,
    )
    pairs = int(use.get_attribute("data-pairs") or 0)
    use.click()
    page.locator("#estimate").get_by_text(f"{pairs} pairs can judge").wait_for()
    assert page.locator("#eval-pairs input[type=number]").input_value() == str(pairs)
    page.locator("#eval-seeds input[type=number]").fill("2")
    page.locator("#eval-seeds input[type=number]").blur()
    page.locator("#estimate").get_by_text(f"{2 * pairs} images").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing is cut off"
    page.set_viewport_size({"width": 1280, "height": 720})
    page.locator("#run").click()
    page.locator("#explore-it").wait_for(timeout=120_000)
    assert "2 images a caption" in page.locator("#status").inner_text()
    page.locator("#explore-it").click()
    page.locator("#counts").get_by_text("512 concepts").wait_for()
    page.locator("#search input").fill("brown dog")
    page.locator("#search-hits li[role]").first.click()
    page.locator(".card .sampler").wait_for()
    assert "of the uncertainty" in page.locator(".card .sampler").inner_text()
    assert visit.faults == []


def test_whoever_comes_second_sees_the_place_in_the_queue(site: str) -> None:
    with playwright() as driver, browser(driver) as opened:
        visits = [Watched(opened.new_page()).open(site) for _ in range(2)]
        for number, page in enumerate(visit.page for visit in visits):
            page.get_by_role("tab", name="Evaluate my model").click()
            page.locator("#eval-pairs input[type=number]").fill(str(900 + number))
            page.locator("#eval-pairs input[type=number]").blur()
            page.locator("#run").click()
            shown = (
                "#status .running" if number == 0 else "#status .progress-text:text('queue: 1/1')"
            )
            page.locator(shown).wait_for(timeout=60_000)
        place = visits[1].page.locator("#status .progress-text")
        box, sentence = place.bounding_box(), visits[1].page.locator("#status").bounding_box()
        assert box is not None
        assert sentence is not None
        assert box["y"] + box["height"] <= sentence["y"] + sentence["height"], "it is not clipped"
        first, second = (visit.page for visit in visits)
        drawn = first.locator("#status .running").inner_html()
        for page in (second, first):
            page.locator("#cancel").click()
            page.locator("#status").get_by_text("run the same again").wait_for(timeout=20_000)
            if page is second:  # whoever waits stops nobody else's run
                first.wait_for_function(
                    "was => document.querySelector('#status .running').innerHTML !== was",
                    arg=drawn,
                    timeout=60_000,
                )


def test_the_first_command_of_the_readme_shows_a_page(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "app.py", "--port", str(free_port())]
    command += ["--evaluations", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next(
            word for line in process.stdout for word in line.split() if word.startswith("http://")
        )
        page = httpx.get(address)
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert page.status_code == 200
    assert "gradio" in page.text
