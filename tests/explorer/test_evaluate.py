"""The tab Evaluate my model without a browser: what it says, what it asks the engine for."""

from __future__ import annotations

import re
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from explorer_fixtures import PAGE, page_on, write_another
from synthetic_bundle import HOSTILE, write_synthetic

from blindspots_hub.analysis.planning import Need, pairs_needed
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.tabs.evaluate import EvaluateTab
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.more_form import NO_MORE, More
from blindspots_hub.explorer.tabs.evaluate_parts.planning_aid import needs_table
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import result_folder, zip_bundle
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.deployment import PUBLIC_PAIRS, PUBLIC_SIDE, PUBLIC_STEPS, Deployment


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("page") / "bundle", PAGE))


@pytest.fixture
def tab(bundle: Bundle, tmp_path: Path) -> EvaluateTab:
    page = page_on(bundle, tmp_path / "results", known_models=[("Known", "known")])
    tab = page.tabs["evaluate"]
    assert isinstance(tab, EvaluateTab)
    return tab


def engine(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Put `work` in the place of the evaluation, whose import would load torch."""
    stand_in = types.ModuleType("blindspots_hub.runs.evaluate")
    stand_in.evaluate = types.SimpleNamespace(stream=work)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blindspots_hub.runs.evaluate", stand_in)


def run(tab: EvaluateTab, model: str = "known") -> Iterator[dict[Any, Any]]:
    return tab._run(model, 200, 3, [])


def test_a_finished_evaluation_can_be_explored_and_downloaded(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(model: str, out: Path, **_: Any) -> Work[Bundle]:
        yield Event("draw and measure", 1, 2, {"pair_id": "p", "caption": HOSTILE})
        return load_bundle(write_another(out, seed=3))

    engine(monkeypatch, work)
    pages = list(run(tab))
    assert any("draw and measure" in page.get(tab.status, "") for page in pages)
    assert not any(HOSTILE in page.get(tab.status, "") for page in pages)
    last = pages[-1]
    assert last[tab.finished].endswith("/mine")
    page = tab._page
    own = last[page.own]
    assert len(own) == 1
    assert "Mine is evaluated." in last[tab.status]
    listed = page._listed(page.first, own)[page._model]
    assert "Mine" in [title for title, _ in listed.choices]
    assert "value" not in listed._constructor_args[0], "what is shown stays"
    updates = tab._show(last[tab.finished], own)  # what the button "Explore it" does
    view = updates[page.view]
    assert (view.key, view.tab) == (last[tab.finished], "explore")
    assert updates[page._buttons].selected == "explore"


def test_a_stopped_evaluation_closes_its_work(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    def work(model: str, out: Path, **_: Any) -> Work[Bundle]:
        try:
            for done in range(10):
                yield Event("draw and measure", done, 10)
        finally:
            closed.append(model)
        raise AssertionError("it was to be stopped")

    engine(monkeypatch, work)
    running = run(tab)
    next(running)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert closed == ["known"]
    assert not tab.evaluations.busy.locked()


def test_models_in_a_row_go_into_one_bundle_on_pairs_of_ones_own(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, Path, Any]] = []

    def work(model: str, out: Path, **how: Any) -> Work[Bundle]:
        asked.append((model, out, how["pairs_from"]))
        yield Event("draw and measure", 1, 2)
        return load_bundle(write_another(tmp_path / model, seed=3))

    engine(monkeypatch, work)
    usual = [1, None, None, None, None, None, None]
    pages = list(tab._run("known", 200, 3, [], *usual, ["second", "known", " "], " photos/ "))
    assert [(model, source) for model, _, source in asked] == [
        ("known", "photos/"), ("second", "photos/"),
    ]  # fmt: skip
    assert len({out for _, out, _ in asked}) == 1, "one bundle"
    told = [page.get(tab.status, "") for page in pages]
    assert any("second · model 2 of 2 · 200 pairs · from photos/" in one for one in told)
    assert pages[-1][tab.run].interactive
    too_many = [str(n) for n in range(8)]
    refused = list(tab._run("known", 200, 3, [], *usual, too_many, ""))[-1][tab.status]
    assert "9 models are named" in refused


def test_a_strangers_words_name_no_pairs_of_this_machine(bundle: Bundle, tmp_path: Path) -> None:
    page = page_on(bundle, tmp_path, site=Deployment(public=True))
    tab = page.tabs["evaluate"]
    assert isinstance(tab, EvaluateTab)
    assert tab.more is None
    usual = [1, None, None, None, None, None, None]
    _, more = tab._asked("known", 20, [*usual, ["other"], "/etc"])
    assert more == NO_MORE


def test_one_model_alone_keeps_the_folder_that_it_had(bundle: Bundle, tmp_path: Path) -> None:
    alone = result_folder(tmp_path, bundle, "known", 200, 3)
    assert alone == result_folder(tmp_path, bundle, "known", 200, 3, more=More())
    row = result_folder(tmp_path, bundle, "known", 200, 3, more=More(("second",)))
    assert "and-1-more" in row.name
    own = result_folder(tmp_path, bundle, "known", 200, 3, more=More(pairs_from="photos"))
    assert len({alone, row, own}) == 3


@pytest.mark.parametrize("model", ["x" * 600, "~nobody/x", "a\0b", "<b>"])
def test_a_name_that_no_folder_can_have_is_estimated_all_the_same(
    tab: EvaluateTab, model: str
) -> None:
    assert "Takes" in tab._estimate(model, 60)


@pytest.mark.parametrize(
    ("steps", "guidance", "size"),
    [("-3", "", ""), ("0", "", ""), ("", "nan", ""), ("", "-1", ""), ("", "inf", ""),
     ("", "", "0"), ("", "", "7"), ("", "", "100000")],
)  # fmt: skip
def test_what_no_pipeline_takes_is_told_before_the_run(
    tab: EvaluateTab, steps: str, guidance: str, size: str
) -> None:
    told = tab._estimate("known", 60, 1, steps, guidance, size)
    assert "This can’t be estimated." in told
    assert "use" in told
    assert re.search("Steps|Guidance|Size", told), "as the form calls it"


@pytest.mark.parametrize(("typed", "asked"), [(-5, 20), (1e9, 200), (60, 60), (20.5, 20)])
def test_a_slider_takes_the_nearest_of_any_number(
    tab: EvaluateTab, typed: float, asked: int
) -> None:
    assert int(tab.pairs.preprocess(typed)) == asked


@pytest.mark.parametrize("model", ["known", "  "])
def test_a_mistake_is_one_sentence(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    def work(*_: Any, **__: Any) -> Work[Bundle]:
        raise BlindspotsError("There is no <such> model: name another.")
        yield

    engine(monkeypatch, work)
    last = list(run(tab, model))[-1]
    assert "is-error" in last[tab.status]
    assert "<such>" not in last[tab.status]
    assert last[tab.run].interactive


def test_a_misspelt_model_is_told_what_was_meant(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(model: str, *_: Any, **__: Any) -> Work[Bundle]:
        raise BlindspotsError(f"{model} is not a folder." if model != "far" else "No memory.")
        yield

    engine(monkeypatch, work)
    known = [("Alder 1", "planted/alder-1"), ("Willow", "planted/willow")]
    tab = page_on(bundle, tmp_path, known_models=known).tabs["evaluate"]
    assert isinstance(tab, EvaluateTab)

    def told(model: str) -> str:
        return str(list(run(tab, model))[-1][tab.status])

    assert "Did you mean planted/alder-1?" in told("plantd/aldr-1")
    assert "Did you mean" not in told("/a/folder/of/mine")
    assert "Did you mean" not in told("planted/alder-1"), "it is spelt as it should be"
    assert "Did you mean" not in told("far"), "the error is about something else"


def test_a_fault_of_the_program_is_told_and_raised(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: Any, **__: Any) -> Work[Bundle]:
        raise ZeroDivisionError
        yield

    engine(monkeypatch, work)
    running = run(tab)
    pages = []
    with pytest.raises(gr.Error, match="failed"):
        pages.extend(running)
    assert "fault of the program" in pages[-1][tab.status]
    assert pages[-1][tab.run].interactive
    assert not tab.evaluations.busy.locked()


def test_the_same_request_has_the_same_folder(bundle: Bundle, tmp_path: Path) -> None:
    def folder(model: str, seed: int) -> Path:
        return result_folder(tmp_path, bundle, model, 200, seed)

    assert folder("org/name", 0) == folder("org/name", 0)
    assert len({folder("org/name", 0), folder("org/name", 1), folder("org-name", 0)}) == 3
    assert folder("../../etc", 0).parent == tmp_path
    generations = [
        GenerationChoice(),
        GenerationChoice(num_images_per_prompt=2),
        GenerationChoice(num_inference_steps=30),
        GenerationChoice(size=30),
        GenerationChoice(guidance_scale=0),
    ]
    assert len({result_folder(tmp_path, bundle, "m", 200, 0, one) for one in generations}) == 5


def test_the_download_is_the_whole_bundle(bundle: Bundle, tmp_path: Path) -> None:
    path = zip_bundle(bundle)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    assert faults(tmp_path / bundle.name) == []


@pytest.mark.parametrize("margin", [0.1, 0.3])
def test_the_plan_says_what_planning_computes(tab: EvaluateTab, margin: float) -> None:
    needs, most = pairs_needed(tab._catalog.home, margin), int(tab.pairs.maximum)
    within = [need.pairs for need in needs if need.pairs is not None and need.pairs <= most]
    html = tab.planning.needs(margin)
    assert [int(n) for n in re.findall(r'data-pairs="(\d+)"', html)] == [max(n, 20) for n in within]
    for need in needs:
        wanted = f"<b>{need.pairs:,}</b>" if need.pairs is not None else "too few measured to tell"
        assert wanted in html


def test_plans_keep_to_the_limits_of_the_form(tab: EvaluateTab) -> None:
    needs = [Need(1 / 3, 1.0, 9, 7), Need(1 / 10, 1 / 3, 9, 900), Need(1 / 30, 1 / 10, 2, None)]
    html = needs_table(needs, least=20, most=500)
    assert re.findall(r'data-pairs="(\d+)"', html) == ["20"]
    assert "over 1 in 3" in html
    assert "1 in 3 – 1 in 10</th><td><b>900</b></td><td class='unknown'>only 500 here" in html
    assert "too few measured to tell (2)" in html
    assert "evaluate a model here first" in needs_table(needs[2:], 20, 500)
    assert "This can’t be planned." in tab.planning.needs(7)
    for asked, used in ((3, 20), (60, 60), (10**9, tab.pairs.maximum)):
        assert tab.planning._use(types.SimpleNamespace(pairs=asked)) == used  # type: ignore[arg-type]


def test_advanced_settings_reach_the_evaluation(
    tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def work(model: str, out: Path, **arguments: Any) -> Work[Bundle]:
        asked.append({**arguments, "out": out})
        raise BlindspotsError("Enough.")
        yield

    engine(monkeypatch, work)
    for fields in ((1, "", None, " ", "usual"), (3, "30", "0", "256", "float32")):
        list(tab._run("known", 200, 3, [], *fields))
    kept = ("num_images_per_prompt", "num_inference_steps", "guidance_scale", "height", "dtype")
    assert [asked[0][name] for name in kept] == [1, None, None, None, None]
    assert [asked[1][name] for name in kept] == [3, 30, 0.0, 256, "float32"]
    with pytest.raises(BlindspotsError, match="'int8' is no number format"):
        GenerationChoice.read(dtype="int8")
    assert asked[0]["out"] != asked[1]["out"]
    assert "600 images" in tab._estimate("known", 200, 3)
    for fields in ((1, "many"), (1, None, "x"), (1, "", "", "512x512")):
        told = tab._estimate("known", 200, *fields)
        assert "is no number such as" in told
        last = list(tab._run("known", 200, 3, [], *fields))[-1]
        assert "is no number such as" in last[tab.status]
    assert len(asked) == 2


def test_a_space_bounds_what_is_drawn() -> None:
    space = Deployment(public=True)
    space.check_generations("sd15", PUBLIC_PAIRS // 5, 5, PUBLIC_STEPS, PUBLIC_SIDE)
    space.check_generations("sd15", PUBLIC_PAIRS, 1, None, None)
    with pytest.raises(BlindspotsError, match=r"2,000 images, .* --pairs 400 --seeds 5 "):
        space.check_generations("sd15", 400, 5, None, None)
    with pytest.raises(BlindspotsError, match="at most 100 steps"):
        space.check_generations("sd15", 20, 1, PUBLIC_STEPS + 1, None)
    with pytest.raises(BlindspotsError, match="at most 1024 pixels"):
        space.check_generations("sd15", 20, 1, None, PUBLIC_SIDE + 8)
    Deployment().check_generations("sd15", 10_000, 9, 999, 4096)
