"""Names in a real browser: given by hand, saved as a file, taken in again; all without a reload."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from explorer_fixtures import PAGE, Watched, browser, playwright, served
from synthetic_bundle import write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.validate import faults

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
MINE = "a name of mine <b>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_synthetic(tmp_path / "bundle", PAGE)


@pytest.fixture
def concept(root: Path) -> int:
    """A blindspot: the map names these at rest, and in its drawing."""
    return int(load_bundle(root).blindspots("plain-a")["concept"].iloc[0])


@pytest.fixture
def visit(root: Path, concept: int, tmp_path: Path) -> Iterator[Watched]:
    with (
        served(root, tmp_path / "evaluations") as address,
        playwright() as driver,
        browser(driver) as opened,
    ):
        seen = Watched(opened.new_page(accept_downloads=True))
        seen.page.goto(f"{address}/?model=plain-a&concept={concept}")
        seen.page.wait_for_selector(f'.card[data-concept="{concept}"]')
        seen.page.wait_for_selector("#map .loading[data-done]", state="attached")
        yield seen
        assert seen.faults == []
        assert seen.outside == []


def explore_again(page: Page) -> None:
    """Go back to the tab Explore, whose card is drawn anew once the page has answered."""
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("!location.search.includes('tab=')")
    page.wait_for_timeout(300)


def drawn_map(visit: Watched, place: Path) -> str:
    """The map as it is drawn now, with the names that stand on it, as SVG."""
    with visit.page.expect_download() as waiting:
        visit.page.locator("#map [data-file=svg]").click()
    waiting.value.save_as(place)
    return place.read_text(encoding="utf-8")


def saved_names(visit: Watched, place: Path) -> list[dict[str, str]]:
    with visit.page.expect_download() as waiting:
        visit.page.locator("[data-names]").click()
    waiting.value.save_as(place)
    with open(place, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_name_given_by_hand_is_everywhere_at_once(
    root: Path, concept: int, visit: Watched, tmp_path: Path
) -> None:
    page = visit.page
    page.get_by_role("tab", name="Concepts").click()  # a tab that was shown before it is named
    page.fill("#concepts-filters [name=label]", f"#{concept}")
    row = page.locator(f'#concepts-table tbody tr[data-open="{concept}"]')
    row.wait_for()
    assert MINE not in row.inner_text()
    explore_again(page)
    page.locator(".rename summary").click()
    page.locator(".card [data-name]").fill(f"  {MINE} ")
    page.locator(".card [data-name]").press("Enter")
    page.locator(".card h2").get_by_text(MINE).wait_for()
    page.locator(".card .named").get_by_text("human").wait_for()
    page.wait_for_function("!document.querySelector('#map [aria-busy]')")
    assert MINE.replace("<", "&lt;").replace(">", "&gt;") in drawn_map(visit, tmp_path / "map.svg")
    page.get_by_role("tab", name="Concepts").click()
    row.get_by_text(MINE).wait_for()
    assert load_bundle(root).labels[concept] == MINE
    assert faults(root) == []
    explore_again(page)
    page.locator(".rename summary").click()
    page.locator(".card [data-name]").fill("x" * 5000)  # the field takes no more than a bundle does
    assert len(page.locator(".card [data-name]").input_value()) < 5000
    page.locator(".card [data-name]").fill("")
    page.locator("[data-rename]").click()
    page.locator(".card h2").get_by_text(MINE).wait_for(state="detached")
    assert load_bundle(root).labels[concept] != MINE


def test_names_are_saved_and_taken_in_again(
    root: Path, concept: int, visit: Watched, tmp_path: Path
) -> None:
    page, before = visit.page, load_bundle(root)
    rows = saved_names(visit, tmp_path / "names.csv")
    assert len(rows) == len(before.label_table)
    assert {"concept", "label", "method", "model", "score", "best"} <= set(rows[0])
    shown = {int(row["concept"]): row["label"] for row in rows if row["best"] == "yes"}
    assert [shown.get(k, "") for k in range(before.n_concepts)] == before.labels

    mine = tmp_path / "mine.csv"
    mine.write_text(f'concept,label\n{concept},"{MINE}"\n3,"kite, red"\n', encoding="utf-8")
    page.locator("[data-names-in]").set_input_files(mine)
    page.locator("#fault").get_by_text("2 names of mine.csv were taken in").wait_for()
    page.locator(".card h2").get_by_text(MINE).wait_for()
    assert MINE.replace("<", "&lt;").replace(">", "&gt;") in drawn_map(visit, tmp_path / "map.svg")
    assert load_bundle(root).labels[3] == "kite, red"
    assert faults(root) == []

    again = saved_names(visit, tmp_path / "again.csv")
    page.locator("[data-names-in]").set_input_files(tmp_path / "again.csv")
    page.locator("#fault").get_by_text(f"{len(again)} names of again.csv were taken in").wait_for()
    assert saved_names(visit, tmp_path / "third.csv") == again

    wrong = tmp_path / "wrong.csv"
    for content, told in (
        (b"concept,name\n1,a\n", "wrong.csv has no column label"),
        (b"concept,label\n99999999,a\n", "wrong.csv, line 2: '99999999' is no concept"),
        (b"", "wrong.csv has no column concept"),
        (b"concept,label\n", "wrong.csv holds no name"),
    ):
        wrong.write_bytes(content)
        page.locator("[data-names-in]").set_input_files(wrong)
        page.locator("#fault").get_by_text(told).wait_for()
        assert "The names can’t be taken in." in page.locator("#fault").inner_text()
    for content, told in (
        (b"concept,label\n1,\xff\xfe\n", "wrong.csv is not UTF-8 text"),
        (b"concept,label\n" + b"1,a\n" * 2**21 + b"\n", "wrong.csv is larger than 8 MiB"),
    ):
        wrong.write_bytes(content)
        page.locator("[data-names-in]").set_input_files(wrong)
        page.locator("[data-names-told]").get_by_text(told).wait_for()
    assert load_bundle(root).labels[3] == "kite, red"

    large = tmp_path / "large.csv"  # more than a request of a stranger may have
    lines = (f"{k % 300},name {k},method {k}" for k in range(60_000))
    large.write_text("concept,label,method\n" + "\n".join(lines), encoding="utf-8")
    assert large.stat().st_size > 1.5 * 2**20
    page.locator("[data-names-in]").set_input_files(large)
    page.locator("#fault").get_by_text("60,000 names of large.csv").wait_for(timeout=60_000)
