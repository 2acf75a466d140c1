"""Names on the page without a browser: who may give them, and what is told of a file of them."""

from __future__ import annotations

import base64
import csv
import io
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from explorer_fixtures import PAGE, page_on, write_another
from synthetic_bundle import write_synthetic

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels_csv import names_in
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card import naming
from blindspots_hub.explorer.map.layout_switch import map_key, names_key, points
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.explore import ExploreTab
from blindspots_hub.explorer.tabs.explore_parts.map_server import colour_key
from blindspots_hub.serving.deployment import Deployment


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_synthetic(tmp_path / "bundle", PAGE))


def tab_of(bundle: Bundle, **options: Any) -> ExploreTab:
    tab = page_on(bundle, **options).tabs["explore"]
    assert isinstance(tab, ExploreTab)
    return tab


def sent(tab: ExploreTab, **said: Any) -> Any:
    """What the card of the page's first view says, unless it is `said` otherwise."""
    view = tab._page.first
    shown = {"concept": view.concept, "key": colour_key(tab._page.entry(view), view.kind)}
    return types.SimpleNamespace(**{**shown, **said})


def test_names_taken_in_change_map_card_and_tables(bundle: Bundle) -> None:
    tab = tab_of(bundle)
    page, view = tab._page, tab._page.first
    before, key = names_key(page.catalog), map_key(page.catalog)
    assert points(page.catalog, key).labels[5] != "kite"
    shown = tab.panel.names(sent(tab, text="concept,label\n5,kite\n", file="n.csv"), view, [])
    assert names_key(page.catalog) != before
    assert map_key(page.catalog) == key, "the view of the map stays"
    assert points(page.catalog, key).labels[5] == "kite"
    assert "1 names of n.csv were taken in" in shown[page._fault]
    behind = [state for name, state in page._drawn.items() if name != view.tab]
    assert all(shown[state] is None for state in behind), "they are rendered when opened"
    assert "kite" in tab.panel.html(replace(view, concept=5), [])


def test_what_is_saved_is_what_can_be_taken_in(bundle: Bundle) -> None:
    tab = tab_of(bundle)
    key = colour_key(tab._page.entry(tab._page.first), "relative")
    file = tab._answers.names([key])
    text = base64.b64decode(file["content"]).decode()
    assert file["name"].endswith("-names.csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert sum(row["best"] == "yes" for row in rows) == sum(map(bool, bundle.labels))
    found = names_in(text, bundle.n_concepts, "it")
    assert [one.label for one in found] == bundle.label_table["label"].to_pylist()
    assert "error" in tab._answers.names(["elsewhere/relative/frequency"])


def test_a_name_is_given_to_the_concept_whose_card_is_shown(bundle: Bundle, tmp_path: Path) -> None:
    """The server may have noted another concept, or another model, by then."""
    tab = tab_of(bundle, evaluations=tmp_path)
    page, before = tab._page, bundle.labels
    view = replace(page.first, concept=3)
    updates = tab.panel.name(sent(tab, label="kite", concept=5), view, [])
    assert bundle.labels[5] == "kite"
    assert bundle.labels[3] == before[3]
    assert updates[page.view].concept == 5, "link and card are of the one that was named"

    other = load_bundle(write_another(tmp_path / "evaluations"))
    elsewhere = View(page.catalog.add(other.root), "mine", concept=7)
    untouched = list(other.labels)
    updates = tab.panel.name(sent(tab, label="ship", concept=5), elsewhere, [])
    assert bundle.labels[5] == "ship"
    assert load_bundle(other.root).labels == untouched
    assert updates[page.view] == elsewhere, "the visitor stays with the model that was chosen since"
    tab.panel.names(sent(tab, text="concept,label\n6,moon\n", file="n.csv"), elsewhere, [])
    assert bundle.labels[6] == "moon"
    assert load_bundle(other.root).labels == untouched
    for forged in ({"concept": 10**9}, {"key": "no/such/relative/frequency"}):
        with pytest.raises(BlindspotsError):
            tab.panel.name(sent(tab, label="kite", **forged), view, [])


def test_what_is_chosen_on_a_card_is_of_its_concept(bundle: Bundle) -> None:
    tab = tab_of(bundle)
    page, view = tab._page, replace(tab._page.first, concept=3)
    wide = tab._around(sent(tab, percent=6, concept=5), view)[page.view]
    assert (wide.concept, wide.around) == (5, 6)
    key = page.catalog.entries()[1].key
    other = tab._switch(sent(tab, key=key, concept=5), view, [])[page.view]
    assert (other.concept, other.key) == (5, key)


def test_nobody_else_names_concepts(bundle: Bundle) -> None:
    """A stranger on a public page, whoever looks at the example, or at a copy of the Hub's."""
    public = tab_of(bundle, site=Deployment(public=True))
    example = tab_of(load_bundle(planted.BUNDLE))
    for tab in (public, example):
        view = tab._page.first
        for card in (tab.panel.html(view, []), tab.panel.html(replace(view, concept=None), [])):
            assert "data-names-in" not in card
            assert "data-rename" not in card
            assert "data-names" in card, "to save them is open to all"
        before = tab._page.entry(view).bundle.sha256
        for refused in (
            lambda tab=tab, view=view: tab.panel.names(
                sent(tab, text="concept,label\n5,kite\n", file="n"), view, []
            ),
            lambda tab=tab, view=view: tab.panel.name(sent(tab, label="kite"), view, []),
        ):
            with pytest.raises(BlindspotsError, match="on one’s own machine"):
                refused()
        assert load_bundle(tab._page.entry(view).bundle.root).sha256 == before
    own = tab_of(bundle)
    assert "data-names-in" in own.panel.html(own._page.first, [])


TOO_LONG = r"n.csv(, line 2: the label has 200,000 char| cannot be read as CSV)"
"""Python's reader of CSV has a limit of its own, which tables of pairs raise for the process."""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "n.csv has no column concept"),
        ("concept,label\n", "n.csv holds no name"),
        ("concept,label\n1,a,b\n", "n.csv, line 2 has another number of fields"),
        ("concept,label,score\n1,a,many\n", "n.csv, line 2: score 'many' is no number"),
        ("concept,label\n1," + "x" * 200_000, TOO_LONG),
    ],
)
def test_a_wrong_file_is_one_sentence_and_changes_nothing(
    bundle: Bundle, text: str, told: str
) -> None:
    before = bundle.sha256
    with pytest.raises(BlindspotsError, match=told) as error:
        naming.take_in(bundle, text, "n.csv")
    assert "\n" not in str(error.value)
    assert load_bundle(bundle.root).sha256 == before


def test_a_large_file_is_refused(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MOST_BYTES", 40)
    with pytest.raises(BlindspotsError, match="is larger than"):
        naming.take_in(bundle, "concept,label\n" + "1,kite\n" * 9, "n.csv")


def test_names_of_a_command_that_ran_meanwhile_stay(bundle: Bundle) -> None:
    again = load_bundle(bundle.root)
    naming.rename(again, 3, "theirs")
    naming.rename(bundle, 4, "mine")
    assert load_bundle(bundle.root).labels[3:5] == ["theirs", "mine"]
