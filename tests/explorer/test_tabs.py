"""Every tab keeps the contract of `tabs.base`, on whole and on degenerate bundles."""

from __future__ import annotations

import base64
import re
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from explorer_fixtures import PAGE, page_on
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.explorer.page.turns import Turns
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.answer_parts.words import answerable
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
        assert kind == "no model" or tab == "compare"
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


def test_a_tab_that_was_left_while_it_was_drawn_is_not_what_the_page_shows(
    page_of: Callable[[str], Page],
) -> None:
    page = page_of("whole")
    drawn: list[View | None] = [None] * len(IDS)
    heard = page.latest("tab", page._open_tab, [], page._left)["fn"]
    turns = Turns()
    event: Any = types.SimpleNamespace(value="Pairs")
    assert page.view in heard(event, page.first, [], *drawn, 20.5, turns)
    event = types.SimpleNamespace(value="Concepts")
    late = heard(event, page.first, [], *drawn, 10.5, turns)
    assert set(page.tabs["concepts"].outputs) <= set(late), "it is ready for when it is opened"
    assert page.view not in late
    assert page._address not in late


def test_back_and_forward_leave_the_address_alone(page_of: Callable[[str], Page]) -> None:
    page = page_of("whole")
    for query in ({}, {"concept": "3"}, {"concept": "x"}, {"__theme": "dark"}):
        event: Any = types.SimpleNamespace(query=query)
        assert set(page._travel(event, [])[page._address].props) == {"answered"}
    assert page._travel(types.SimpleNamespace(query={}), [])[page.view] == page.first
    to = page.go(replace(page.first, concept=3), [])[page._address].props["to"]
    assert to[0] == replace(page.first, concept=3).link
    assert to[2] is False


def test_a_tab_that_was_opened_before_the_link_was_answered_is_brought_with_it(
    page_of: Callable[[str], Page],
) -> None:
    page = page_of("whole")
    query = dict(parse_qsl(replace(page.first, concept=7, kind="absolute").link[1:]))
    told = page._opened_early(types.SimpleNamespace(query=query, tab="Pairs"), [])  # type: ignore[arg-type]
    assert told[page.view] == replace(page.first, concept=7, kind="absolute", tab="pairs")
    assert told[page._buttons].selected == "pairs"
    unknown = page._opened_early(types.SimpleNamespace(query=query, tab="…"), [])  # type: ignore[arg-type]
    assert list(unknown) == [page.view], "nothing is done"


@pytest.mark.parametrize("kind", ["whole", "nothing judged", "unpaired"])
@pytest.mark.parametrize("tab", ["findings", "structure"])
def test_analyses_are_told_and_drawn_when_they_are_open(
    page_of: Callable[[str], Page], kind: str, tab: str
) -> None:
    page = page_of(kind)
    shown: Any = page.tabs[tab]
    answers = shown.answers
    view = replace(page.first, tab=tab)
    updates = answers.render(view)
    assert "is-closed" in updates[answers.panel].elem_classes, "nothing is open"
    told = answers._tell(view)[answers.list].value
    assert "to-come" not in told
    for name, one in answers._analyses.items():
        assert one.title in told
        can = bool(answerable(one, page.entry(view)))
        assert (f'data-answer="{name}"' in told) == can
        opened = replace(view, open=name)
        coming = answers.render(opened)
        assert "is-closed" not in coming[answers.panel].elem_classes
        assert "skeleton" in coming[answers.head]
        assert coming[answers.figure].value is None, "what is drawn comes after the words"
        drawn = answers._draw(opened)
        assert "skeleton" not in drawn[answers.head]
        assert (drawn[answers.figure].value is not None) == can, name
        asked = drawn[answers.table].props["asked"]
        assert bool(asked) == can
        if can:
            for form in ("csv", "parquet"):
                file = answers._table_of()([asked, form])
                assert base64.b64decode(file["file"])
    for forged in (["x", "csv"], [f"{view.key}/redundancy/no", "csv"], [], [asked, "exe"], None):
        told = answers._table_of()(forged)["error"]
        assert len(told.split()) > 3, told
        assert told.endswith((".", "?")), "what went wrong, in a sentence"


def test_findings_are_all_analyses(page_of: Callable[[str], Page]) -> None:
    findings: Any = page_of("whole").tabs["findings"]
    assert list(findings.answers._analyses.values()) == list(ANALYSES)


def test_the_other_model_chooses_whose_figure(tmp_path: Path) -> None:
    spec = Synthetic(n_concepts=60, pairs=50)
    page = page_on(load_bundle(write_synthetic(tmp_path / "b", spec)))
    answers = page.tabs["findings"].answers  # type: ignore[attr-defined]
    view = replace(page.first, model="plain-b", open="model_agreement", tab="findings")
    which = answers.render(view)[answers.which]
    assert [name for _, name in which.choices] == ["plain-a", "plain-c"]
    assert which.visible
    figures = [
        answers._draw(replace(view, other=name))[answers.figure].value
        for name in ("plain-a", "plain-c")
    ]
    assert figures[0] != figures[1]
    opened = answers._against(view, "plain-c")
    assert opened[page.view].other == "plain-c"
    assert "with=plain-c" in opened[page.view].link
    assert "open=model_agreement" in opened[page.view].link
    assert View.from_query({"open": "model_agreement", "with": "plain-c"}).other == "plain-c"
    with pytest.raises(BlindspotsError, match="did you mean redundancy"):
        View.from_query({"open": "redundency"})
    with pytest.raises(BlindspotsError, match="no model 'gone'"):
        page.go(replace(view, other="gone"), [])


def test_a_page_listener_names_few_outputs_of_each_tab(page_of: Callable[[str], Page]) -> None:
    """Every change of colours or model answers for all of them."""
    page = page_of("whole")
    assert all(len(tab.outputs) <= 12 for tab in page.tabs.values())


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
    update = explore.controls.ask_for_unjudged(view, True)
    assert update[explore.map].props["unjudged"] is True
    assert update[page.view].unjudged
    assert explore.map.props["unjudged"] is False


def test_images_outside_the_space_are_told_under_the_verdict(
    bundles: dict[str, Bundle], page_of: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of("whole")
    assert "may not fit" not in page.go(page.first, [])[page.finding]
    outside = {
        "is_outside": True, "feature": "unexplained", "median": 0.0, "home": 0.0, "r2": 0.31,
        "outside": 0.9, "images": 200,
    }  # fmt: skip
    bundle = bundles["whole"]
    entry = bundle.model(page.first.model)
    domain = {"home": {"r2": 0.9}, "natural": outside}
    monkeypatch.setitem(bundle.models, entry.name, replace(entry, domain=domain))
    told = page.go(page.first, [])[page.finding]
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
