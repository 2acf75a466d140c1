"""The tab Pairs: which pairs it shows and why, what differs in them, and captions as a file."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
import types
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pyarrow.parquet as pq
import pytest
from explorer_fixtures import PAGE, page_on
from synthetic_bundle import HOSTILE, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis import notable_pairs
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.caption_index import caption_index, words_of
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import PairsView
from blindspots_hub.explorer.tabs.explore_parts import search
from blindspots_hub.explorer.tabs.pairs_parts import pair_table as reading
from blindspots_hub.explorer.tabs.pairs_parts.pair_list import ROWS
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import (
    PairTable,
    chosen,
    differences,
    pair_table,
)


@pytest.fixture(scope="module")
def page() -> Page:
    """The planted world's page: its pairs are memorised, trivial, incongruent and ill captioned."""
    return page_on(load_bundle(planted.BUNDLE))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    root = tmp_path_factory.mktemp("pairs") / "bundle"
    return page_on(load_bundle(write_synthetic(root, PAGE)))


def view_of(page: Page, pair: str | None = None, /, **asked: Any) -> View:
    return replace(page.first, tab="pairs", pair=pair, pairs=PairsView(**asked))


def table_of(page: Page) -> PairTable:
    return pair_table(page.entry(page.first))


def rows(page: Page, /, **asked: Any) -> np.ndarray:
    return chosen(page.entry(page.first).bundle, table_of(page), PairsView(**asked))


def html(page: Page, pair: str | None = None, /, **asked: Any) -> str:
    tab: Any = page.tabs["pairs"]
    return str(tab.render(view_of(page, pair, **asked), [])[tab.table].value)


def shown(told: str) -> list[str]:
    return re.findall(r'<p class="caption"><a href="[^"]*" data-pair="([^"]*)"', told)


def test_kinds_are_those_of_the_analysis(page: Page) -> None:
    entry, table = page.entry(page.first), table_of(page)
    found = notable_pairs.pairs(entry.bundle, entry.model)
    for kind in ("memorised", "trivial", "incongruent"):
        wanted = getattr(found, kind)
        assert len(wanted)
        assert set(rows(page, which=kind)) == set(wanted)
    assert (table.kinds["noise"] == found.noisy).all()
    assert set(rows(page, which="noise")) == set(np.flatnonzero(found.noisy))
    assert len(rows(page)) == len(table.ids) == entry.pairs
    assert rows(page, which="memorised").tolist() == found.memorised.tolist(), "nearest first"
    assert rows(page, which="incongruent").tolist() == found.incongruent.tolist()


def test_a_memorised_pair_says_why(page: Page) -> None:
    table = table_of(page)
    memorised = rows(page, which="memorised")
    by_cause = [rows(page, which="memorised", why=cause) for cause in notable_pairs.CAUSES]
    assert set(np.concatenate(by_cause)) == set(memorised)
    copies = page.catalog.home.distances(page.first.model)["duplicates"].to_numpy()
    assert (copies[by_cause[0]] > 0).all()
    assert len(by_cause[0])
    assert all(table.why(row) for row in memorised)
    assert "the same picture answers other captions" in html(page, which="memorised")
    form = page.tabs["pairs"].render(view_of(page, which="memorised"), [])
    assert "answers other captions too (" in form[page.tabs["pairs"].outputs[0]].value


def test_the_bundles_own_answer_is_read_and_nothing_computed(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(planted.BUNDLE, tmp_path / "bundle")
    bundle = load_bundle(root)
    found = notable_pairs.find(bundle, ["alder-1"])
    add_tables(root, {notable_pairs.ANALYSIS.spec: found.to_arrow(notable_pairs.ANALYSIS.spec)})

    def never(*_: Any) -> None:
        raise AssertionError("it is stored")

    monkeypatch.setattr(notable_pairs, "pairs", never)
    stored = page_on(load_bundle(root))
    table = table_of(stored)
    assert stored.first.model == "alder-1"
    assert table.kinds["memorised"].sum() == len(found.table["memorised"][0])
    assert table.unknown == ""


def test_what_is_too_long_in_coming_is_one_line_with_the_command(
    hostile: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "left_to_ask", lambda *_: True)
    pair_table.cache_clear()
    told = html(hostile)
    pair_table.cache_clear()
    root = hostile.catalog.home.root
    assert told.count(f"python -m blindspots_hub analyse {root} notable_pairs tells it.") == 1
    assert len(shown(told)) == ROWS, "the pairs are there all the same"


def test_a_page_of_pairs_has_an_address(page: Page) -> None:
    tab: Any = page.tabs["pairs"]
    at = tab.addressed()[tab.rows_at].answer
    second = at({**view_of(page, order="far").query(), "pairs-page": "2"})
    assert second["html"] == html(page, order="far", page=2)
    assert "pairs-page=2" in second["link"]
    beyond = at({**view_of(page).query(), "pairs-page": "9999"})
    assert "pairs-page=9999" not in beyond["link"], "a page that is not there is the last one"
    far = view_of(page, order="far")
    updates = tab._turn(types.SimpleNamespace(to=3, link=far.link), far, [])
    assert updates[page.view].pairs == PairsView(order="far", page=3)
    assert tab.table not in updates, "the browser brings the rows"
    with pytest.raises(BlindspotsError):
        tab._turn(types.SimpleNamespace(to="x", link=far.link), far, [])
    other = tab._turn(types.SimpleNamespace(to=3, link=view_of(page).link), far, [])
    assert tab.id not in str(other), "of a table that is no longer shown"
    assert not any(isinstance(one, View) for one in other.values())


def test_an_unpaired_model_is_told_what_would_make_pairs(hostile: Page) -> None:
    tab: Any = hostile.tabs["pairs"]
    updates = tab.render(replace(view_of(hostile), model="own"), [])
    told = updates[tab.table].value
    assert "There are no pairs to show." in told
    root = hostile.catalog.home.root
    assert f"python -m blindspots_hub evaluate MODEL --bundle {root} --out paired" in told
    assert updates[tab.filters].value == ""


def test_captions_are_searched_by_all_words(page: Page) -> None:
    table = table_of(page)
    found = rows(page, words="RED kite")
    words = [words_of(caption) for caption in table.captions]
    fitting = [
        row
        for row, said in enumerate(words)
        if "red" in said and any(word.startswith("kite") for word in said)
    ]
    assert sorted(found.tolist()) == fitting
    assert 0 < len(fitting) < len(table.ids)
    assert len(rows(page, words="red ki")) >= len(found), "the last word may be a beginning"
    assert rows(page, words="  ").tolist() == rows(page).tolist()
    assert "No pair is like that." in html(page, words="nothing like it")


def test_captions_are_looked_up_in_the_index_and_not_read_again(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, bundle = table_of(page), page.catalog.home
    found = rows(page, words="red kite")
    asked: list[str] = []

    class Only:
        def find(self, text: str) -> np.ndarray:
            asked.append(text)
            return table.natural_rows[found]

    monkeypatch.setattr(reading, "caption_index", lambda of: Only() if of is bundle else None)
    blind = replace(table, captions=[])
    again = chosen(bundle, blind, PairsView(words="red kite"))
    assert again.tolist() == found.tolist()
    assert asked == ["red kite"]
    assert caption_index(bundle) is caption_index(bundle), "one index, made once"
    assert search.caption_index is caption_index


def test_pages_hold_every_pair_once_by_difference(page: Page) -> None:
    table = table_of(page)
    last = -(-len(table.ids) // ROWS)
    found = [
        i for number in range(1, last + 1) for i in shown(html(page, order="near", page=number))
    ]
    assert sorted(found) == sorted(table.ids)
    distance = [table.distance[table.row(pair_id)] for pair_id in found]
    assert distance == sorted(distance)
    assert shown(html(page, order="near", page=last + 5)) == found[(last - 1) * ROWS :]
    assert shown(html(page, order="far"))[0] == found[-1]


def test_what_differs_is_the_energy_of_both_images(page: Page) -> None:
    entry, table = page.entry(page.first), table_of(page)
    asked = np.array([3, 41, 7])
    natural, generated = (side.matrix.toarray() for side in entry.bundle.compared(entry.model))
    for row, parts in zip(asked, differences(entry, table, asked, 6), strict=True):
        apart = generated[row] - natural[row]
        largest = np.sort(np.abs(apart))[::-1][: len(parts)]
        assert [abs(one.change) for one in parts] == pytest.approx(largest.tolist())
        for one in parts:
            assert one.natural == natural[row, one.concept]
            assert one.generated == generated[row, one.concept]


def test_a_pair_opens_with_its_concepts_and_a_concept_with_its_card(page: Page) -> None:
    tab: Any = page.tabs["pairs"]
    pair_id = table_of(page).ids[5]
    updates = tab._pair(types.SimpleNamespace(id=pair_id), view_of(page), [])
    assert updates[page.view] == view_of(page, pair_id)
    told = updates[tab.table].value
    assert told.index("open-pair") < told.index("pair-list")
    assert "what differs most" in told
    assert set(updates) <= {*tab.outputs, *page.noted}
    closed = tab._pair(types.SimpleNamespace(id=""), view_of(page, pair_id), [])
    assert closed[page.view] == view_of(page)
    with pytest.raises(BlindspotsError, match="a pair that does not exist"):
        tab._pair(types.SimpleNamespace(id="beef"), view_of(page), [])
    opened = tab._open(types.SimpleNamespace(i=7), view_of(page, pair_id), [])
    assert opened[page.view] == replace(view_of(page, pair_id), tab="explore", concept=7)


def sampled(page: Page) -> str:
    """A pair of which the bundle keeps where every concept fires."""
    entry = page.entry(page.first)
    codes = entry.bundle.token_codes(entry.model)
    assert codes is not None
    return table_of(page).ids[int(codes.row[0])]


def over(told: str) -> list[int]:
    return [int(k) for k in re.findall(r'data-over="(\d+)"', told)]


def pressed(told: str) -> list[int]:
    return [int(k) for k in re.findall(r'data-over="(\d+)"[^>]*aria-pressed="true"', told)]


def test_an_open_pair_shows_where_the_concept_that_differs_most_fires(page: Page) -> None:
    entry, pair_id = page.entry(page.first), sampled(page)
    told = html(page, pair_id)
    (parts,) = differences(entry, table_of(page), np.array([table_of(page).row(pair_id)]), 20)
    kept = over(told)
    assert kept == [one.concept for one in parts], "of a sampled pair all of them are kept"
    assert pressed(told) == kept[:1]
    opened = told[told.index("open-pair") : told.index("pair-list")]
    assert opened.count('<figure class="pair"') == 1
    assert f"/{pair_id}/{kept[0]}/" in opened
    assert 'type="range" data-heat' in opened
    assert 'value="30"' in opened
    assert "/full/natural/" in opened
    assert f"overlay of <b>#{kept[0]}" in opened
    grid = entry.bundle.heatmap(NATURAL, kept[0], pair_id)
    assert grid is not None
    assert float(grid.sum()) == pytest.approx(parts[0].natural, rel=0.01)


def test_choosing_a_concept_shows_where_it_fires_and_the_link_says_so(page: Page) -> None:
    tab: Any = page.tabs["pairs"]
    pair_id = sampled(page)
    chosen_one = over(html(page, pair_id))[2]
    view = view_of(page, pair_id)
    updates = tab._over(types.SimpleNamespace(i=chosen_one), view, [])
    assert pressed(updates[tab.table].value) == [chosen_one]
    assert updates[page.view].pairs.concept == chosen_one
    assert f"pairs-concept={chosen_one}" in updates[page.view].link
    again = View.from_query(dict(parse_qsl(updates[page.view].link[1:])))
    assert again == updates[page.view]
    filtered = tab._filter(types.SimpleNamespace(values={"order": "far"}), again, [])
    assert filtered[page.view].pairs.concept == chosen_one, "filters leave the open pair alone"
    other = tab._pair(types.SimpleNamespace(id=table_of(page).ids[7]), again, [])
    assert other[page.view].pairs.concept is None, "another pair begins with its own"
    with pytest.raises(BlindspotsError):
        tab._over(types.SimpleNamespace(i=10**6), view, [])
    seen = page._heated(types.SimpleNamespace(percent=170), view)
    assert seen[page.view].heat == 100


def test_a_concept_that_is_not_kept_in_a_pair_says_so(page: Page) -> None:
    entry = page.entry(page.first)
    table = table_of(page)
    sample = {int(row) for row in entry.bundle.token_codes(entry.model).row}  # type: ignore[union-attr]
    rest = [pair_id for row, pair_id in enumerate(table.ids) if row not in sample]
    tellings = [html(page, pair_id) for pair_id in rest[:40]]
    none = [told for told in tellings if not over(told)]
    some = [told for told in tellings if over(told) and "not in this bundle</span>" in told]
    assert none, "of some pairs nothing is kept"
    assert "Where these concepts fire in this pair is not in this bundle" in none[0]
    assert "data-heat" not in none[0]
    assert some, "of some pairs a card's concepts are kept"
    assert len(pressed(some[0])) == 1
    assert any("it does not fire in the" in told for told in some)


def test_pictures_of_the_list_open_large_with_their_whole_caption(page: Page) -> None:
    told = html(page)
    assert told.count('<figure class="pair"') == ROWS
    assert told.count("data-caption=") == ROWS
    assert told.count("<span>natural</span><span>generated</span>") == ROWS


def test_another_model_closes_a_pair_that_it_did_not_draw(hostile: Page) -> None:
    pair_id = hostile.catalog.home.image_ids("plain-a")[0]
    view = view_of(hostile, pair_id)
    own = hostile._other_model(view, [], f"{view.bundle}/own")
    assert own[hostile.view].pair is None
    same = hostile._other_model(view, [], f"{view.bundle}/plain-a")
    assert same[hostile.view].pair == pair_id


def test_captions_of_strangers_are_escaped(hostile: Page) -> None:
    pair_id = table_of(hostile).ids[0]
    for told in (html(hostile), html(hostile, pair_id)):
        assert "<img src=x" not in told
        assert HOSTILE not in told
        assert "&lt;img src=x" in told
    assert 'class="picture missing"' in html(hostile)


def test_a_file_holds_the_captions_of_all_that_is_filtered(page: Page, hostile: Page) -> None:
    tab: Any = page.tabs["pairs"]
    view = view_of(page, which="memorised")
    answer = tab._file()([view.link, "csv"])
    assert answer["name"] == "alder-1-pairs-memorised.csv"
    lines = list(csv.DictReader(io.StringIO(base64.b64decode(answer["content"]).decode())))
    table = table_of(page)
    assert [line["pair_id"] for line in lines] == [
        table.ids[row] for row in rows(page, which="memorised")
    ]
    assert all(line["memorised_because"] for line in lines)
    bundle = page.catalog.home
    assert lines[0]["caption"] == bundle.caption(NATURAL, lines[0]["pair_id"])
    everything = tab._file()([view_of(page).link, "parquet"])
    whole = pq.read_table(io.BytesIO(base64.b64decode(everything["content"])))
    assert len(whole) == len(table.ids)
    other: Any = hostile.tabs["pairs"]
    assert "holds no bundle" in other._file()([view.link, "csv"])["error"]
