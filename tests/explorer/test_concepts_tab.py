"""The tab Concepts: which concepts it shows, in which order, on which page, and as a file."""

from __future__ import annotations

import base64
import csv
import io
import re
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from explorer_fixtures import PAGE, page_on, write_another
from synthetic_bundle import HOSTILE, write_synthetic

from blindspots_hub.analysis.deltas import CODE
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import CONCEPTS_SHOWN, SORTS, ConceptsView
from blindspots_hub.explorer.tabs.concepts_parts import every_model
from blindspots_hub.explorer.tabs.concepts_parts.selection import chosen, clusters, sure_change
from blindspots_hub.explorer.tabs.concepts_parts.table import ROWS
from blindspots_hub.measure.delta import STATES
from blindspots_hub.progress import drive
from blindspots_hub.runs.remeasure import remeasure


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    root = tmp_path_factory.mktemp("concepts") / "bundle"
    models = {"plain-a": "Plain A", "plain-b": "Plain B"}
    return page_on(load_bundle(write_synthetic(root, replace(PAGE, models=models, unpaired=()))))


def shown(page: Page, /, **asked: Any) -> np.ndarray:
    """The concepts that the table shows."""
    view = page.first
    return chosen(page.entry(view), view.kind, ConceptsView(**asked), page.catalog.entry)


def view_of(page: Page, /, **asked: Any) -> View:
    return replace(page.first, tab="concepts", concepts=ConceptsView(**asked))


def html(page: Page, /, **asked: Any) -> str:
    tab: Any = page.tabs["concepts"]
    told = tab.render(view_of(page, **asked), [])[tab.table]
    return str(told.value)


def rows_of(told: str) -> list[int]:
    return [int(k) for k in re.findall(r'<tr role="row" data-open="(\d+)"', told)]


def test_a_page_of_rows_has_an_address(page: Page) -> None:
    tab: Any = page.tabs["concepts"]
    asked = view_of(page, state="judged", sort="-delta").query()
    at = tab.addressed()[tab.rows_at].answer
    every = shown(page, state="judged", sort="-delta")
    second = at({**asked, "concepts-page": "2"})
    assert rows_of(second["html"]) == every[ROWS : 2 * ROWS].tolist()
    assert "concepts-page=2" in second["link"]
    assert "concepts-sort=-delta" in second["link"]
    last = -(-len(every) // ROWS)
    beyond = at({**asked, "concepts-page": "999"})
    assert f"concepts-page={last}" in beyond["link"], "a page that is not there is the last one"
    for wrong in ({"bundle": "none"}, {"model": "none"}, {"own": "none", "tab": "compare"}):
        with pytest.raises(BlindspotsError):
            at({**asked, **wrong})


def test_filters_let_through_what_they_say(page: Page) -> None:
    reading, bundle = page.entry(page.first).reading("relative"), page.catalog.home
    assert len(shown(page)) == bundle.n_concepts
    for state in STATES:
        found = shown(page, state=state)
        assert (reading.state[found] == CODE[state]).all()
        assert len(found) == reading.counts[state]
    assert reading.determined[shown(page, state="judged")].all()
    certain = shown(page, state="certain")
    assert reading.certain[certain].all()
    assert set(certain) <= set(shown(page, state="blindspots"))
    assert (reading.q[shown(page, q=0.01)] <= 0.01).all()
    assert (reading.support[shown(page, support=40)] >= 40).all()
    found = clusters(bundle)
    assert found is not None
    assert (found[shown(page, cluster=2)] == 2).all()
    fourfold = shown(page, size="4")
    assert len(fourfold)
    assert (sure_change(reading)[fourfold] >= 0.6 - 1e-12).all(), "r = (4 − 1) / (4 + 1)"
    both = set(shown(page, state="judged", cluster=2))
    assert both == set(shown(page, state="judged")) & set(shown(page, cluster=2))


def test_labels_are_searched_by_all_words_and_by_number(page: Page) -> None:
    labels = page.catalog.home.labels
    found = shown(page, label="TREE palm")
    assert len(found)
    assert {labels[k] for k in found} == {"palm tree"}
    assert shown(page, label="#12").tolist() == [12]
    assert 12 in shown(page, label="12")
    assert len(shown(page, label="#999999")) == 0
    assert "No concept is like that." in html(page, label="no such label")


@pytest.mark.parametrize("sort", SORTS)
def test_orders_ascend_and_descend_and_leave_what_has_no_value_last(page: Page, sort: str) -> None:
    reading, bundle = page.entry(page.first).reading("relative"), page.catalog.home
    up, down = shown(page, sort=sort), shown(page, sort=f"-{sort}")
    assert sorted(up) == sorted(down) == list(range(bundle.n_concepts))
    values = {
        "concept": np.arange(bundle.n_concepts), "q": reading.q, "support": reading.support,
        "delta": np.where(reading.determined, np.clip(reading.delta, 0.001, 0.99), np.nan),
        "drawn": np.where(reading.determined, reading.r, np.nan),
    }  # fmt: skip
    if sort in values:
        for order, turn in ((up, 1), (down, -1)):
            known = values[sort][order].astype(float)
            there = ~np.isnan(known)
            assert (np.diff(turn * known[there]) >= 0).all()
            assert there[: there.sum()].all(), "what has no value is last"
    if sort in ("surest", "delta"):
        for order in (up, down):
            judged = reading.determined[order]
            assert judged[: judged.sum()].all(), "what was not judged is last"


def test_of_the_never_drawn_the_surest_is_first(page: Page) -> None:
    entry = page.entry(page.first)
    reading = entry.reading("relative")
    never = {
        "delta": [1e-9, 1e-12, 1e-10, 1e-11],  # shown alike: <0.001
        "selected_high": [0.30, 0.10, 0.10, 0.10],
        "q": [1e-9, 1e-3, 1e-6, 1e-6],
        "support": [900, 50, 50, 80],
        "state": [CODE["suppressed"]] * 4,
    }
    columns = {name: getattr(reading, name).copy() for name in never}
    for name, values in never.items():
        columns[name][:4] = values
    changed = replace(reading, **columns)
    asked: Any = types.SimpleNamespace(bundle=entry.bundle, reading=lambda kind: changed)
    order = chosen(asked, "relative", ConceptsView(sort="delta"), page.catalog.entry)
    assert order[:4].tolist() == [3, 2, 1, 0]


def test_pages_hold_every_concept_once(page: Page) -> None:
    last = -(-page.catalog.home.n_concepts // ROWS)
    found = [k for number in range(1, last + 1) for k in rows_of(html(page, page=number))]
    assert found == shown(page).tolist()
    assert rows_of(html(page, page=last + 7)) == rows_of(html(page, page=last))
    assert f"page 1 of {last}" in html(page)


def test_a_row_has_no_number_of_what_was_not_judged(page: Page, tmp_path: Path) -> None:
    none = drive(remeasure.stream(page.catalog.home, tmp_path / "none", {"min_support": 10_000}))
    told = html(page_on(none))
    assert len(rows_of(told)) == ROWS
    assert told.count('data-name="relative δ"><b>–</b>') == ROWS
    assert told.count("is-unjudged") == ROWS
    assert not re.search(r"\[[<>\d]", told), "no interval"


def test_a_model_more_is_a_column_more_and_can_be_sorted_by(page: Page) -> None:
    other = page.catalog.entries()[1]
    assert f"δ of {other.title}" in html(page)
    reading = other.reading("relative")
    order = shown(page, sort=f"delta:{other.key}")
    known = np.clip(reading.delta, 0.001, 0.99)[order][: reading.determined.sum()]
    assert (np.diff(known) >= 0).all()
    with pytest.raises(BlindspotsError, match="holds no bundle"):
        shown(page, sort="delta:beef/who")
    asked: Any = types.SimpleNamespace(by="delta:beef/who")
    tab: Any = page.tabs["concepts"]
    told = page.told(tab._sort)(asked, view_of(page), [])
    assert "holds no bundle" in told[page._fault]


def test_words_of_a_bundle_are_escaped(page: Page) -> None:
    told = html(page, sort="concept")
    assert HOSTILE not in told
    assert "<img src=x" not in told
    assert "&lt;img src=x" in told
    form = page.tabs["concepts"].render(view_of(page, label='"><b>x'), [])
    assert '"><b>' not in form[page.tabs["concepts"].outputs[0]].value


def test_the_form_asks_and_the_view_follows(page: Page) -> None:
    tab: Any = page.tabs["concepts"]
    view = view_of(page, page=3)
    asked: Any = types.SimpleNamespace(
        values={"state": "judged", "q": "0.05", "label": "", "sort": "-delta", "unheard": "of"}
    )
    updates = tab._filter(asked, view, [])
    wanted = ConceptsView(state="judged", q=0.05, sort="-delta")
    assert updates[page.view] == replace(view, concepts=wanted)
    assert set(updates) <= {*tab.outputs, *page.noted}, "the rest of the page is not sent again"
    wrong: Any = types.SimpleNamespace(values={"q": "many"})
    assert "no number above 0" in page.told(tab._filter)(wrong, view, [])[page._fault]
    assert tab._filter(types.SimpleNamespace(values=None), view, [])[page.view].concepts == (
        ConceptsView()
    )


def test_a_row_opens_its_card_in_explore(page: Page) -> None:
    tab: Any = page.tabs["concepts"]
    view = view_of(page, state="judged")
    updates = tab._open(types.SimpleNamespace(i=7), view, [])
    assert updates[page.view] == replace(view, tab="explore", concept=7)
    assert set(page.tabs["explore"].outputs) <= set(updates)
    assert not set(tab.outputs) & set(updates)
    with pytest.raises(BlindspotsError, match="no concept 999999"):
        tab._open(types.SimpleNamespace(i=999_999), view, [])


def test_a_file_holds_all_that_is_filtered(page: Page) -> None:
    tab: Any = page.tabs["concepts"]
    file = tab._file()
    view = view_of(page, state="judged", sort="-delta", page=2)
    wanted = shown(page, state="judged", sort="-delta").tolist()
    answer = file([view.link, "csv"])
    assert answer["name"] == "plain-a-concepts-relative.csv"
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(answer["content"]).decode())))
    assert [int(row["concept"]) for row in rows] == wanted
    table = pq.read_table(io.BytesIO(base64.b64decode(file([view.link, "parquet"])["content"])))
    assert table["concept"].to_pylist() == wanted
    reading = page.entry(view).reading("relative")
    assert table["delta"].to_pylist() == reading.delta[wanted].tolist()
    everything = pq.read_table(
        io.BytesIO(base64.b64decode(file([view_of(page).link, "parquet"])["content"]))
    )
    assert everything["delta"].null_count == int((~reading.determined).sum())
    assert "There is no table as" in file([view.link, "xlsx"])["error"]
    assert "holds no bundle" in file(["?bundle=beef&model=plain-a", "csv"])["error"]


def test_a_file_holds_every_model_in_long_form(page: Page, tmp_path: Path) -> None:
    tab: Any = page.tabs["concepts"]
    file, view = tab._file(), view_of(page, state="suppressed")
    told = html(page, state="suppressed")
    assert told.count("data-every") == 2
    asked = shown(page, state="suppressed")
    answer = file([view.link, "csv", True])
    assert answer["name"] == "synthetic-concepts-relative-all-models.csv"
    lines = list(csv.DictReader(io.StringIO(base64.b64decode(answer["content"]).decode())))
    assert [line["model"] for line in lines] == ["plain-a"] * len(asked) + ["plain-b"] * len(asked)
    assert [int(line["concept"]) for line in lines] == [*asked.tolist()] * 2
    other = page.catalog.entry(f"{view.bundle}/plain-b").reading("relative")
    for line, k in zip(lines[len(asked) :], asked.tolist(), strict=True):
        assert line["state"] == STATES[other.state[k]]
        assert (line["delta"] == "") == (not other.determined[k])
        assert line["delta"] == "" or float(line["delta"]) == other.delta[k]
    whole = file([view_of(page).link, "parquet", True])
    table = pq.read_table(io.BytesIO(base64.b64decode(whole["content"])))
    assert len(table) == 2 * page.catalog.home.n_concepts
    assert table.column_names[:2] == ["bundle", "model"]
    mine = page_on(page.catalog.home, tmp_path)
    added = mine.catalog.add(write_another(tmp_path))
    with_own = mine.tabs["concepts"]._file()([view.link, "parquet", True, added])  # type: ignore[attr-defined]
    rows = pq.read_table(io.BytesIO(base64.b64decode(with_own["content"])))
    assert set(rows["model"].to_pylist()) == {"plain-a", "plain-b", "mine"}
    alone = mine.tabs["pairs"]._file()([view.link, "csv", True])  # type: ignore[attr-defined]
    assert alone == {"error": "This table is of one model."}


def test_too_many_rows_for_a_browser_are_refused_in_a_sentence(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(every_model, "MOST_ROWS", 100)
    tab: Any = page.tabs["concepts"]
    told = tab._file()([view_of(page).link, "csv", True])["error"]
    assert told == (
        "2 models of 300 concepts are 600 rows, and a page gives out 100: filter the table first."
    )


def test_the_menu_counts_what_each_filter_shows(page: Page) -> None:
    tab: Any = page.tabs["concepts"]
    form = tab.render(view_of(page), [])[tab.filters].value
    for state in CONCEPTS_SHOWN:
        said = re.search(rf'<option value="{state}"[^>]*>[^(]*\(([\d,]+)\)', form)
        assert said is not None
        assert int(said[1].replace(",", "")) == len(shown(page, state=state))
