"""The tab Compare: its words are the analyses' numbers, and its pieces bear every bundle."""

from __future__ import annotations

import base64
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_fixtures import PAGE, page_on
from synthetic_bundle import HOSTILE, Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis import model_agreement
from blindspots_hub.analysis.correlation import UNKNOWN
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.model_agreement import agreement
from blindspots_hub.analysis.model_comparison import changes
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.explorer.tabs import compare
from blindspots_hub.explorer.tabs.compare_parts import all_models, two_models
from blindspots_hub.explorer.tabs.compare_parts.scatter import POINT, _name_of, _points_of

SERIES = Synthetic(
    n_concepts=120,
    pairs=80,
    models={"step-200": "Step 200", "other": "Other", "step-1000": "Step 1000", "step-50": "50"},
    hostile=True,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("compare") / "b", SERIES))


@pytest.fixture(scope="module")
def page(bundle: Bundle) -> Page:
    return page_on(bundle)


def test_the_words_are_those_of_the_analysis(page: Page, bundle: Bundle) -> None:
    tab: Any = page.tabs["compare"]
    view = replace(page.first, tab="compare", other="other")
    updates = tab.render(view, [])
    found = agreement(bundle, "step-200", "other", "relative_delta")
    assert f"r = {found.pearson.value:.2f}" in updates[tab.words]
    assert f"[{found.pearson.low:.2f}, {found.pearson.high:.2f}]" in updates[tab.words]
    body = tab._draw(view)[tab.body].value
    counts = changes(bundle, "step-200", "other").counts
    assert f"<b>{counts['fixed']} fixed</b>, <b>{counts['broken']} broken</b>" in body
    assert f"{counts['moved']} moved, {counts['unchanged']} unchanged" in body
    assert HOSTILE not in body
    for heading in ("On the same captions", "The series", "All models", "Shared and specific"):
        assert heading in body
    assert "alt=" in body, "examples have pictures"
    trios = body.count('<div class="trio"><figure class="pair"')
    assert trios == body.count('<div class="trio">') > 0, "which open large"


def test_points_are_what_both_judge(page: Page, bundle: Bundle) -> None:
    asked = f"{page.first.key}/other"
    points_of: Any = _points_of(page.catalog)
    name_of: Any = _name_of(page.catalog)
    raw = base64.b64decode(points_of(asked)["data"])
    found = np.frombuffer(raw, POINT)
    assert len(found) == agreement(bundle, "step-200", "other", "relative_delta").concepts
    delta = bundle.deltas("other")["relative_delta"].to_numpy()[found["concept"]]
    assert np.abs(found["y"] / 65_535 - delta).max() < 1e-4
    k = int(found["concept"][0])
    assert name_of([asked, k])["said"].startswith(f"#{k} ")
    for forged in ("", "a/b", f"{page.first.key}/gone", None):
        assert "data" not in points_of(forged)
        assert points_of(forged)["error"].endswith((".", "?")), "what went wrong, in a sentence"
    for wrong in ([], [asked, -1], [asked, 10**9], None):
        assert "said" not in name_of(wrong)
        assert name_of(wrong)["error"].endswith(".")


def test_a_correlation_that_says_nothing_is_told_in_words(
    page: Page, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = page.entry(page.first)
    concepts, tables = model_agreement.shared(bundle, (entry.model, "other"))
    same = [tables[0], replace(tables[1], delta=np.full_like(tables[1].delta, 0.5))]
    for module in (two_models, model_agreement):
        monkeypatch.setattr(module, "shared", lambda *_: (concepts, same))
    monkeypatch.setattr(
        model_agreement, "agreement", lambda *_: model_agreement.Agreement(UNKNOWN, UNKNOWN, 9)
    )
    for told in (
        two_models.agreement_line(entry, "other"),
        model_agreement.find(bundle, (entry.model, "other")).sentence,
    ):
        assert "nan" not in told
        assert "δ of one of the two is the same for all of them" in told
    monkeypatch.setattr(two_models, "shared", lambda *_: (concepts[:2], same))
    assert "because they are too few" in two_models.agreement_line(entry, "other")


def test_what_cannot_be_compared_is_said_in_its_place(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the place says for ever that it computes."""
    tab: Any = page.tabs["compare"]
    view = replace(page.first, tab="compare", other="other")

    def fails(*_: Any) -> str:
        raise BlindspotsError("The table of <Other> cannot be read.")

    monkeypatch.setattr(compare, "difference", fails)
    body = tab._draw(view)[tab.body]
    assert "The table of &lt;Other&gt; cannot be read." in body.value
    assert body.props["turn"] == 0


def test_a_series_is_in_the_order_of_its_steps(bundle: Bundle) -> None:
    names = ["step-50", "step-200", "step-1000"]
    assert all_models.series_of(bundle, "step-200") == names
    assert all_models.series_of(bundle, "other") == []
    run = {"variant_of": "other"}
    tuned = replace(bundle.models["step-50"], name="tuned", run=run)
    with_variant: Any = types.SimpleNamespace(models={**bundle.models, "tuned": tuned})
    assert all_models.series_of(with_variant, "other") == ["other", "tuned"]
    assert all_models.series_of(with_variant, "tuned") == ["other", "tuned"]


@pytest.mark.parametrize(
    ("names", "series"),
    [
        ("alder-1 alder-2 alder-3", ""),
        ("sd15 sd21", ""),
        ("sd-1-5 sd-2-1 sdxl-1.0", ""),
        ("photo15 photo1000", ""),  # what stands in a name without a mark is part of it
        ("run-500 run-1000 run-50 other-500", "run-50 run-500 run-1000"),
        ("mine@1000 mine@2000", "mine@1000 mine@2000"),
        ("epoch-2 epoch-1", "epoch-1 epoch-2"),
        ("a-checkpoint_20-ema a-checkpoint_3-ema a-checkpoint_3", "a-checkpoint_3-ema "
         "a-checkpoint_20-ema"),
        ("Step5 Step10", "Step5 Step10"),
    ],
)  # fmt: skip
def test_versions_are_no_checkpoints(names: str, series: str) -> None:
    one: Any = types.SimpleNamespace(run={})
    told: Any = types.SimpleNamespace(models=dict.fromkeys(names.split(), one))
    assert all_models.series_of(told, names.split()[0]) == series.split()


def test_the_examples_series_is_what_was_trained_on() -> None:
    example = load_bundle(planted.BUNDLE)
    assert all_models.series_of(example, "alder-1") == ["alder-1", "alder-1-tuned"]
    assert all_models.series_of(example, "alder-2") == []


def test_a_series_reads_two_columns_of_each_table_once(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred checkpoints are a hundred tables: all of them would be a gigabyte."""
    opened, asked = load_bundle(bundle.root), []
    read = opened.some_deltas
    monkeypatch.setattr(opened, "some_deltas", lambda *of: asked.append(of) or read(*of))
    monkeypatch.setattr(all_models, "_step", lambda *of: ("–", "–", "–"))
    monkeypatch.setattr(all_models, "_checkpoints", {})
    entry = Entry(opened, "step-200")
    told = all_models.series(entry)
    assert told == all_models.series(entry)
    assert [model for model, _ in asked] == ["step-50", "step-200", "step-1000"]
    assert "deltas" not in opened.__dict__.get("_answers", {})
    reading = ModelDeltas.of(opened.deltas("step-200"), "relative")
    counts = reading.counts
    row = told[told.index("Step 200</th>") :].partition("</tr>")[0]
    cells = (int(reading.determined.sum()), counts["suppressed"], counts["exaggerated"])
    assert row.startswith("Step 200</th>" + "".join(f"<td>{one}</td>" for one in cells))


def test_menus_cells_and_points_lead_elsewhere(page: Page) -> None:
    tab: Any = page.tabs["compare"]
    view = replace(page.first, tab="compare")
    event: Any = types.SimpleNamespace(models="other,step-50", i=7)
    moved = tab._two(event, view, [])[page.view]
    assert (moved.model, moved.other, moved.tab) == ("other", "step-50", "compare")
    assert "with=step-50" in moved.link
    swapped = tab._from(replace(view, other="other"), [], "other")[page.view]
    assert (swapped.model, swapped.other) == ("other", "step-200")
    opened = tab._open(event, view, [])[page.view]
    assert (opened.concept, opened.tab) == (7, "explore")
    forged: Any = types.SimpleNamespace(models="gone,away", i=10**9)
    for answer in (page.told(tab._two), page.told(tab._open)):
        assert "notice is-error" in answer(forged, view, [])[page._fault]


def test_one_model_is_told_how_to_get_another(tmp_path: Path) -> None:
    one = replace(SERIES, models={"a": "A"})
    page = page_on(load_bundle(write_synthetic(tmp_path / "b", one)))
    told = page.tabs["compare"].lacks(page.catalog.home)
    assert told is not None
    root = page.catalog.home.root
    assert f"evaluate MODEL --bundle {root} --out {root} " in told
    assert f"combine {root} OTHER --out both " in told
    assert "planted" not in told, "these are photographs"


def test_models_of_other_captions_say_what_is_lacking(tmp_path: Path) -> None:
    page = page_on(load_bundle(write_synthetic(tmp_path / "b", PAGE)))
    body = two_models.difference(page.entry(page.first), "own")
    assert "measured unpaired" in body
    tab: Any = page.tabs["compare"]
    assert "compare-section" in tab._draw(replace(page.first, tab="compare"))[tab.body].value


def test_a_large_bundle_reads_what_it_keeps(
    page: Page, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (two_models, all_models):
        monkeypatch.setattr(module, "left_to_ask", lambda bundle, name: True)
    entry = page.entry(page.first)
    assert f"analyse {bundle.root} model_comparison" in two_models.difference(entry, "other")
    assert f"analyse {bundle.root} agreement_matrix" in all_models.matrix(entry, "other")
    assert f"analyse {bundle.root} shared_blindspots" in all_models.shared_and_specific(bundle)
    kept = {
        "model": "step-200", "other": "other", "pairs": 80, "judged": 9, "unchanged": 6,
        "fixed": [1, 2], "broken": [], "moved": [3],
    }  # fmt: skip
    monkeypatch.setattr(two_models, "stored_rows", lambda bundle, name: [kept])
    told = two_models.difference(entry, "other")
    assert "6 of 9 judged concepts are unchanged" in told
    assert 'data-open="2"' in told
