"""The tab Stress test without a browser: verdicts, images, the form, and marks on other tabs."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from explorer_fixtures import PAGE, page_on
from stress_fixtures import tables, with_tests
from synthetic_bundle import write_synthetic

from blindspots_hub.analysis.stress_test import find as stress_test_of
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.verdicts import verdict_of
from blindspots_hub.explorer.tabs.compare_parts.stress_verdicts import stress_verdicts
from blindspots_hub.explorer.tabs.stress import StressTab
from blindspots_hub.explorer.tabs.stress_parts.stress_runs import StressChoice
from blindspots_hub.measure.delta import STATES
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.stress import StressResult
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.serving.estimate import stress_estimate

CONFIRMED, NOT_CONFIRMED, UNTESTED = 3, 5, 7


def made(root: Path) -> Bundle:
    write_synthetic(root, PAGE)
    name = next(iter(load_bundle(root).models))
    return load_bundle(with_tests(root, name, {CONFIRMED: 0, NOT_CONFIRMED: 12}))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made(tmp_path_factory.mktemp("stress") / "bundle")


def tab_on(bundle: Bundle, results: Path, **more: Any) -> StressTab:
    page = page_on(bundle, results, known_models=[("Known", "known"), ("Other", "other")], **more)
    tab = page.tabs["stress"]
    assert isinstance(tab, StressTab)
    return tab


@pytest.fixture
def tab(bundle: Bundle, tmp_path: Path) -> StressTab:
    return tab_on(bundle, tmp_path / "results")


def fields(**more: Any) -> list[Any]:
    asked = {
        "model": "known", "against": "", "concepts": "3, #5", "source": "templates", "lines": "",
        "prompts": 10, "seed": 0, "writer": "", "writer_model": "", "images": 2, "steps": "",
        "guidance": "", "size": "", "dtype": "usual", "negative": "", "scheduler": "", **more,
    }  # fmt: skip
    return list(asked.values())


def test_verdicts_and_the_open_concepts_images_are_shown(tab: StressTab) -> None:
    view = tab._page.first
    shown = tab._shown(view, "")
    html = shown[tab.tests].value
    assert html.count('<tr role="row"') == 2
    assert "✓ confirmed" in html
    assert "✗ not confirmed" in html
    gallery = shown[tab.gallery]
    # 24 images a model, of which those of the second model show the concept.
    assert gallery.count("<figure") >= 48
    assert gallery.count('class="pair shows"') == 24
    assert "0 of 24 images show it" in gallery
    assert "24 of 24 images show it" in gallery
    assert "prompt 3 &lt;b&gt;" in gallery
    assert "<b>prompt" not in gallery
    assert "prompt 3 <b>" not in gallery
    assert gallery.count('class="heat"') >= 24


def test_a_row_opens_its_images_and_names_the_concept_in_the_form(tab: StressTab) -> None:
    event = types.SimpleNamespace(i=NOT_CONFIRMED)
    found = tab._open(event, tab._page.first, "")  # type: ignore[arg-type]
    assert found[tab.form.concepts] == str(NOT_CONFIRMED)
    assert f"<h3>#{NOT_CONFIRMED}" in found[tab.gallery]
    assert found[tab._page.view].concept == NOT_CONFIRMED
    assert found[tab._page.view].tab == "stress"
    with pytest.raises(BlindspotsError):
        tab._open(types.SimpleNamespace(i=10**6), tab._page.first, "")  # type: ignore[arg-type]


def test_verdicts_that_cannot_be_shown_say_so_and_are_not_asked_for_again(
    tab: StressTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise BlindspotsError("The table of <tests> cannot be read.")

    monkeypatch.setattr(tab, "_results", fails)
    shown = tab._draw(tab._page.first, "")[tab.tests]
    assert "The table of &lt;tests&gt; cannot be read." in str(shown.value)
    assert shown.props["turn"] == 0


def test_without_a_test_the_tab_says_what_makes_one(bundle: Bundle, tab: StressTab) -> None:
    others = list(bundle.models)[1:]
    view = tab._page.first.of_model(Entry(bundle, others[0]).key)
    shown = tab._shown(view, "")
    assert "put to the test yet" in shown[tab.tests].value
    assert shown[tab.gallery] == ""


def test_the_verdict_stands_on_the_card_in_concepts_and_in_compare(bundle: Bundle) -> None:
    names = list(bundle.models)
    entry = Entry(bundle, names[0])
    card = concept_card(entry, "relative", CONFIRMED, [entry])
    assert "✓ confirmed" in card
    assert "tab=stress" in card
    assert "stress-test" not in concept_card(entry, "relative", UNTESTED, [entry])
    assert verdict_of(entry, NOT_CONFIRMED).endswith("✗ not confirmed</abbr>")
    assert verdict_of(Entry(bundle, names[1]), CONFIRMED) == ""
    both = stress_verdicts(entry, names[1])
    assert both.count("not tested") == 2
    assert "✓ confirmed" in both
    if len(names) > 2:
        assert stress_verdicts(Entry(bundle, names[1]), names[2]) == ""


def engine(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Put `work` in the place of the test, whose import would load torch."""
    stand_in = types.ModuleType("blindspots_hub.runs.stress")
    stand_in.stress_test = types.SimpleNamespace(stream=work)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blindspots_hub.runs.stress", stand_in)


def finished(place: Path | None, bundle: Bundle, asked: dict[str, Any]) -> Any:
    """The work of a test whose concepts all are found missing."""

    def work(of: Bundle, model: str, **more: Any) -> Work[StressResult]:
        asked.update(model=model, **more)
        yield Event("draw with Known", 1, 2, {"pair_id": "p", "caption": "<i>", "sides": ()})
        root = more["work_dir"] or of.root
        name = next(iter(of.models))
        found = tables(of, name, dict.fromkeys(more["concepts"], 0))
        if more["work_dir"] is None:
            with_tests(root, name, dict.fromkeys(more["concepts"], 0))
        else:
            for spec, table in found.items():
                write_table(root, spec, {column: table[column] for column in spec.names})
        return StressResult(found[STRESS_TESTS], found[STRESS_IMAGES], root)

    return work


def test_a_run_ends_in_the_bundle_on_ones_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(tmp_path / "b")
    tab, asked = tab_on(bundle, tmp_path / "results"), {}
    engine(monkeypatch, finished(None, bundle, asked))
    pages = list(tab._run([], tab._page.first, "", *fields(concepts="7", against="other")))
    assert asked["work_dir"] is None
    assert (asked["model"], asked["against"], asked["concepts"]) == ("known", "other", (7,))
    assert "confirmed" in pages[-1][tab.status]
    assert not any("<i>" in page.get(tab.status, "") and "&lt;i&gt;" not in page[tab.status]
                   for page in pages)  # fmt: skip
    assert (7, next(iter(bundle.models))) in bundle.stress_tests()
    assert "#7" in tab._shown(tab._page.first, "")[tab.tests].value
    assert pages[-1][tab.run].interactive is True


def test_a_visitors_result_is_beside_the_bundle_and_of_their_session_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(tmp_path / "b")
    tab = tab_on(bundle, tmp_path / "results", site=Deployment(public=True))
    asked: dict[str, Any] = {}
    engine(monkeypatch, finished(None, bundle, asked))
    pages = list(tab._run([], tab._page.first, "", *fields(concepts="7")))
    session = next(page[tab.session] for page in pages if tab.session in page)
    assert asked["work_dir"].parent == tmp_path / "results"
    assert session in asked["work_dir"].name
    assert (7, next(iter(bundle.models))) not in bundle.stress_tests()
    assert "#7" in tab._shown(tab._page.first, session)[tab.tests].value
    assert "#7" not in tab._shown(tab._page.first, "another")[tab.tests].value
    assert "#7" not in tab._shown(tab._page.first, "")[tab.tests].value


def test_a_visitor_is_held_to_the_bounds_of_the_site(bundle: Bundle, tmp_path: Path) -> None:
    tab = tab_on(bundle, tmp_path / "results", site=Deployment(public=True))
    for more, told in (
        ({"prompts": 50, "images": 5, "against": "other"}, "1,000 images"),
        ({"model": "/etc/passwd"}, "models of the list"),
        ({"against": "../secret"}, "models of the list"),
    ):
        assert told in tab._estimate(tab._page.first, "", *fields(**more))
        last = list(tab._run([], tab._page.first, "", *fields(**more)))[-1]
        assert told in last[tab.status]
        assert last[tab.run].interactive is True


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"concepts": ""}, "No concept is named"),
        ({"concepts": "bird"}, "is no concept"),
        ({"concepts": "9999999"}, "is no concept"),
        ({"concepts": " ".join(map(str, range(21)))}, "21 concepts were named"),
        ({"source": "given", "lines": "one"}, "at least two prompts"),
        ({"source": "elsewhere"}, "no prompts of the kind"),
        ({"model": ""}, "No model is named"),
    ],
)
def test_what_the_form_cannot_mean_is_one_sentence(
    tab: StressTab, more: dict[str, Any], told: str
) -> None:
    assert told in tab._estimate(tab._page.first, "", *fields(**more))
    last = list(tab._run([], tab._page.first, "", *fields(**more)))[-1]
    assert told in last[tab.status].replace("&#x27;", "'")


def test_a_stopped_run_closes_its_work_and_a_fault_gives_the_button_back(
    tab: StressTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    def work(*_: Any, **__: Any) -> Work[StressResult]:
        try:
            while True:
                yield Event("draw with Known", 1, 2)
        finally:
            closed.append(True)

    engine(monkeypatch, work)
    run = tab._run([], tab._page.first, "", *fields())
    next(run), next(run)
    run.close()
    assert closed == [True]
    assert tab._page.options.busy.acquire(blocking=False), "another run may begin"
    tab._page.options.busy.release()

    def fault(*_: Any, **__: Any) -> Work[StressResult]:
        raise RuntimeError("a bug")
        yield

    engine(monkeypatch, fault)
    shown = []
    with pytest.raises(gr.Error, match="The stress test failed"):
        shown.extend(iter(tab._run([], tab._page.first, "", *fields())))


def test_the_form_begins_with_the_open_concept(bundle: Bundle, tab: StressTab) -> None:
    from dataclasses import replace

    entry = tab._page.entry(tab._page.first)
    assert tab._suggested(entry, replace(tab._page.first, concept=5)) == "5"
    found = tab._suggested(entry, replace(tab._page.first, concept=None))
    state = entry.reading("relative").state
    assert found, "the bundle has suppressed concepts"
    assert all(STATES[state[int(one)]] == "suppressed" for one in found.split(", "))


def test_what_was_not_tested_is_counted(bundle: Bundle) -> None:
    name = next(iter(bundle.models))
    finding = stress_test_of(bundle, [name])
    suppressed = len(Entry(bundle, name).reading("relative").blindspots("suppressed"))
    assert suppressed > 0
    assert f"of its {suppressed:,} suppressed concepts were not tested" in finding.sentence


def test_a_language_model_writes_on_ones_own_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(tmp_path / "b")
    asked: dict[str, Any] = {}
    engine(monkeypatch, finished(None, bundle, asked))
    more = {"source": "written", "writer": "http://127.0.0.1:9/v1", "writer_model": "tiny"}
    public = tab_on(bundle, tmp_path / "results", site=Deployment(public=True))
    last = list(public._run([], public._page.first, "", *fields(concepts="7", **more)))[-1]
    assert "on one’s own machine only" in last[public.status]
    assert "written" not in [value for _, value in public.form.source.choices]
    assert not asked
    own = tab_on(bundle, tmp_path / "results")
    assert "written" in [value for _, value in own.form.source.choices]
    list(own._run([], own._page.first, "", *fields(concepts="7", **more)))
    assert (asked["prompts"].kind, asked["prompts"].name) == ("written", "tiny (127.0.0.1)")
    for wrong, told in (
        ({"writer": ""}, "No language model is named"),
        ({"writer": "ftp://x"}, "is no address"),
    ):
        last = list(own._run([], own._page.first, "", *fields(concepts="7", **{**more, **wrong})))
        assert told in last[-1][own.status]


def test_the_advanced_settings_are_those_of_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, asked = made(tmp_path / "b"), {}
    tab = tab_on(bundle, tmp_path / "results")
    engine(monkeypatch, finished(None, bundle, asked))
    set_ = {"steps": "9", "guidance": "3.5", "size": "64", "dtype": "float32",
            "negative": " blurry  things", "scheduler": "DPMSolverMultistep"}  # fmt: skip
    list(tab._run([], tab._page.first, "", *fields(concepts="7", **set_)))
    assert [asked[name] for name in ("num_inference_steps", "guidance_scale", "height", "width",
                                     "dtype")] == [9, 3.5, 64, 64, "float32"]  # fmt: skip
    additions = asked["additions"]
    assert (additions.negative_prompt, additions.scheduler) == (
        "blurry things", "DPMSolverMultistep",
    )  # fmt: skip
    evaluate = tab._page.tabs["evaluate"]
    assert [one.label for one in tab.form.advanced.fields[1:]] == [
        one.label
        for one in evaluate.advanced.fields[1:]  # type: ignore[attr-defined]
    ]
    public = tab_on(bundle, tmp_path / "r", site=Deployment(public=True))
    told = public._estimate(public._page.first, "", *fields(steps="500"))
    assert "at most" in told
    assert "steps" in told


def test_what_a_source_of_prompts_needs_is_shown_while_it_is_chosen(tab: StressTab) -> None:
    form = tab.form
    assert not form.lines.visible
    assert not form.writer_row.visible
    for source, lines, writer in (("usual", 0, 0), ("given", 1, 0), ("written", 0, 1)):
        shown = form._needed(source)
        assert shown[form.lines].visible is bool(lines)
        assert shown[form.writer_row].visible is bool(writer)


def test_images_of_a_test_open_large_and_their_overlays_have_the_slider(tab: StressTab) -> None:
    view = tab._page.first
    gallery = tab._shown(view, "")[tab.gallery]
    figures = gallery.count('<figure class="pair')
    assert figures == gallery.count("<figure") >= 48
    assert gallery.count("data-heat") == 1
    told = tab._page._heated(types.SimpleNamespace(percent="80"), view)  # type: ignore[arg-type]
    assert told[tab._page.view].heat == 80


def test_a_file_of_prompts_fills_the_form(tab: StressTab) -> None:
    def read(text: str) -> Any:
        return tab._read(types.SimpleNamespace(text=text, file="mine.txt"))  # type: ignore[arg-type]

    shown = read("a red {label}\n\n a blue  {label}\n")
    assert shown[tab.form.lines] == "a red {label}\na blue {label}"
    assert shown[tab.form.source] == "given"
    assert read('["one", "two"]')[tab.form.lines] == "one\ntwo"
    for text, told in (
        ("\n \n", "mine.txt holds no prompt"),
        ("a car\n" * 10_000, "mine.txt holds 10,000 prompts: 1,000 at most"),
    ):
        with pytest.raises(BlindspotsError, match=told):
            read(text)
    lines = "\n".join(f"a car {n}" for n in range(1_200))
    told = tab._estimate(tab._page.first, "", *fields(source="given", lines=lines))
    assert "The form holds 1,200 prompts: 1,000 at most" in told


def test_a_test_of_too_much_says_so(tab: StressTab) -> None:
    from blindspots_hub.explorer.tabs.stress_parts.gallery import verdict_table

    view = tab._page.first
    entry = tab._page.entry(view)
    rows = tab._results(entry.bundle, "").of_model(entry.model)
    assert "drawn too often?" not in verdict_table(entry, rows, None)
    much = [{**row, "direction": "exaggerated"} for row in rows]
    assert verdict_table(entry, much, None).count("drawn too often?") == len(rows)


def test_the_estimate_counts_the_images_of_both_models() -> None:
    one, two = (stress_estimate("x/y", other, 50, 5) for other in (None, "x/z"))
    assert "250 images by the model" in one.sentence
    assert "by each of two models" in two.sentence
    assert two.seconds_high == pytest.approx(2 * one.seconds_high)


def test_choices_are_plain_values(bundle: Bundle) -> None:
    from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice

    choice = StressChoice.read(
        bundle, "m", "o", "#3, 3 5", "given", " a \n\nb\n", 10, 0, GenerationChoice(2)
    )
    assert choice.concepts == (3, 5)
    assert choice.lines == ("a", "b")
    assert choice.images == 2 * 2 * 2 * 2
