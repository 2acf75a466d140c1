"""Every tab keeps the contract of `tabs.base`, on whole and on degenerate bundles."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from explorer_fixtures import PAGE, page_on
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.findings import FindingsTab
from blindspots_hub.explorer.tabs.registry import TABS
from blindspots_hub.progress import drive
from blindspots_hub.runs.remeasure import remeasure

IDS = [tab.id for tab in TABS]
KINDS = ("whole", "no model", "nothing judged", "unpaired")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    root = tmp_path_factory.mktemp("bundles")
    small = Synthetic(n_concepts=60, pairs=50, missing=0.3)
    whole = load_bundle(write_synthetic(root / "whole", PAGE))
    unpaired = replace(small, models={"a": "A"}, unpaired=("a",))
    return {
        "whole": whole,
        "no model": load_bundle(write_synthetic(root / "bare", replace(small, models={}))),
        "nothing judged": drive(remeasure.stream(whole, root / "none", {"min_support": 10_000})),
        "unpaired": load_bundle(write_synthetic(root / "unpaired", unpaired)),
    }


@pytest.fixture(scope="module")
def page_of(bundles: dict[str, Bundle]) -> Callable[[str], Page]:
    pages: dict[str, Page] = {}

    def page(kind: str) -> Page:
        if kind not in pages:
            pages[kind] = page_on(bundles[kind], known_models=[("Known", "known")])
        return pages[kind]

    return page


def test_ids_and_titles_are_unique_and_stand_for_files() -> None:
    assert len(set(IDS)) == len(IDS)
    assert len({tab.title for tab in TABS}) == len(TABS)
    for tab in TABS:
        assert tab.__module__ == f"blindspots_hub.explorer.tabs.{tab.id}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_has_an_id_of_its_own(bundles: dict[str, Bundle], kind: str) -> None:
    with gr.Blocks() as blocks:
        page_on(bundles[kind])
    found = [block.elem_id for block in blocks.blocks.values() if block.elem_id]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("tab", IDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_tab_renders_all_of_its_outputs_or_says_what_it_lacks(
    page_of: Callable[[str], Page], kind: str, tab: str
) -> None:
    page = page_of(kind)
    shown = page.tabs[tab]
    view = replace(page.first, tab=tab)
    updates = page.go(view, [])
    assert set(updates) <= set(page.outputs), "a listener could not send it"
    assert updates[page.view] == view
    assert updates[page._drawn[tab]] == view
    missing = shown.lacks(page.catalog.home)
    assert updates[page._bodies[tab]].visible is (missing is None)
    if missing is None:
        assert set(shown.render(view, [])) == set(shown.outputs) <= set(updates)
        assert updates[page._lacks[tab]] == ""
    else:
        assert kind == "no model"
        assert missing in updates[page._lacks[tab]]
        assert missing.endswith(".")
        assert "python -m blindspots_hub" in missing
        assert not set(shown.outputs) & set(updates)


def test_without_a_model_the_page_opens_where_one_is_made(page_of: Callable[[str], Page]) -> None:
    assert page_of("no model").first == View(page_of("no model").first.bundle, tab="evaluate")
    assert page_of("nothing judged").first.concept is None
    assert page_of("whole").first.tab == "explore"


@pytest.mark.parametrize("tab", IDS)
def test_a_tab_is_rendered_when_it_is_opened_and_only_if_it_shows_something_else(
    page_of: Callable[[str], Page], tab: str
) -> None:
    page = page_of("whole")
    event: Any = types.SimpleNamespace(value=page.tabs[tab].title)
    drawn: list[View | None] = [None] * len(IDS)
    opened = page._open_tab(event, page.first, [], *drawn)
    view = opened[page.view]
    assert view == replace(page.first, tab=tab)
    assert set(page.tabs[tab].outputs) <= set(opened)
    assert page._buttons not in opened, "the visitor may be in another tab by now"
    drawn[IDS.index(tab)] = view
    again = page._open_tab(event, page.first, [], *drawn)
    assert again[page.view] == view
    assert not set(page.tabs[tab].outputs) & set(again)
    moved = page._open_tab(event, replace(page.first, kind="absolute"), [], *drawn)
    assert set(page.tabs[tab].outputs) <= set(moved)


def test_back_and_forward_leave_the_address_alone(page_of: Callable[[str], Page]) -> None:
    page = page_of("whole")
    for query in ({}, {"concept": "3"}, {"concept": "x"}, {"__theme": "dark"}):
        event: Any = types.SimpleNamespace(query=query)
        assert set(page._travel(event, [])[page._address].props) == {"answered"}
    assert page._travel(types.SimpleNamespace(query={}), [])[page.view] == page.first
    to = page.go(replace(page.first, concept=3), [])[page._address].props["to"]
    assert to[0] == replace(page.first, concept=3).link
    assert to[2] is False


def test_findings_show_every_analysis_and_make_figures_when_asked(
    page_of: Callable[[str], Page],
) -> None:
    for kind in ("whole", "nothing judged", "unpaired"):
        page = page_of(kind)
        tab = page.tabs["findings"]
        assert isinstance(tab, FindingsTab)
        updates = tab.render(page.first, [])
        assert [section.analysis for section in tab._sections] == list(ANALYSES)
        for section in tab._sections:
            told = updates[section.words]
            groups = updates[section.which].choices
            assert section.analysis.title in told
            assert ("lacking" in told) or groups
            assert tab._draw(section, page.first, None, False)[section.figure] is None
            drawn = tab._draw(section, page.first, None, True)[section.figure]
            assert (drawn is not None) == bool(groups)
            assert drawn is None or drawn.to_json()
            assert updates[section.panel].visible is bool(groups)


def test_two_models_choose_whose_figure(tmp_path: Path) -> None:
    spec = Synthetic(n_concepts=60, pairs=50)
    page = page_on(load_bundle(write_synthetic(tmp_path / "b", spec)))
    tab = page.tabs["findings"]
    assert isinstance(tab, FindingsTab)
    section = next(each for each in tab._sections if each.analysis.about == "two models")
    view = replace(page.first, model="plain-b")
    which = tab.render(view, [])[section.which]
    names = [name for name, _ in which.choices]
    assert names == ["plain-a · plain-b", "plain-b · plain-c"]
    figures = [tab._draw(section, view, name, True)[section.figure].to_json() for name in names]
    assert figures[0] != figures[1]
    assert which.visible


def test_nothing_that_was_not_judged_has_a_number(page_of: Callable[[str], Page]) -> None:
    page = page_of("nothing judged")
    view = replace(page.first, concept=0)
    explore: Any = page.tabs["explore"]
    card = explore.render(view, [])[explore.card].value
    assert "relative δ</abbr> <b>–</b></span>" in card
    assert not re.search(r"\[[<>\d]", card), "no interval"
    hover = explore._answers.hover(0, f"{page.entry(view).key}/relative/frequency")
    assert hover["value"] == "relative δ –"
    region: Any = types.SimpleNamespace(ids=[0, 1], total=2)
    table = explore._region(region, view, [])[explore.card]
    assert table.count("<td>–<td") == 2
    assert table.count("is-unjudged") == 2
    update = explore._ask_for_unjudged(view, True)
    assert update[explore.map].props["unjudged"] is True
    assert update[page.view].unjudged
    assert explore.map.props["unjudged"] is False


def test_images_outside_the_space_are_told_under_the_verdict(
    bundles: dict[str, Bundle], page_of: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of("whole")
    explore: Any = page.tabs["explore"]
    assert "may not fit" not in explore.render(page.first, [])[explore.finding]
    outside = {
        "is_outside": True, "feature": "unexplained", "median": 0.0, "home": 0.0, "r2": 0.31,
        "outside": 0.9, "images": 200,
    }  # fmt: skip
    bundle = bundles["whole"]
    entry = bundle.model(page.first.model)
    domain = {"home": {"r2": 0.9}, "natural": outside}
    monkeypatch.setitem(bundle.models, entry.name, replace(entry, domain=domain))
    told = explore.render(page.first, [])[explore.finding]
    verdict, warning = told.index("judged"), told.index("These concepts may not fit these images.")
    assert verdict < warning
    assert "it reconstructs 31%" in told


def test_the_example_says_that_it_is_one(page_of: Callable[[str], Page]) -> None:
    from blindspots_hub import planted
    from blindspots_hub.explorer.page.example import COMMANDS, example_notice

    told = example_notice(load_bundle(planted.BUNDLE))
    assert "This is an example" in told
    assert all(command in told for command in COMMANDS)
    assert page_of("whole").go(page_of("whole").first, [])[page_of("whole")._example] == ""


def test_the_examples_commands_are_commands() -> None:
    from typer.testing import CliRunner

    from blindspots_hub.cli import app
    from blindspots_hub.explorer.page.example import COMMANDS

    for command in COMMANDS:
        *_, name, _argument = command.split(" --")[0].split()
        answer = CliRunner().invoke(app, [name, "--help"])
        assert answer.exit_code == 0
        for word in command.split():
            assert not word.startswith("--") or word in answer.output, word
