"""What the page says of its numbers is so: the scale, the verdict, the all-clear, the words."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_fixtures import page_on
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import paper, planted
from blindspots_hub.analysis import summary
from blindspots_hub.analysis.deltas import CODE, KINDS, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import DELTAS, SUPPORT
from blindspots_hub.explorer.page import catalog
from blindspots_hub.explorer.page.arrival import first_concept, view_of
from blindspots_hub.explorer.page.catalog import Catalog, Entry
from blindspots_hub.explorer.page.counts import counts_line, verdict_line
from blindspots_hub.explorer.page.format import SCALE, TERMS
from blindspots_hub.explorer.page.header import header
from blindspots_hub.explorer.page.help_panel import help_panel
from blindspots_hub.explorer.programs import answer_types
from blindspots_hub.explorer.programs.questions import Questions
from blindspots_hub.explorer.tabs.concepts_parts.table import concepts_table
from blindspots_hub.explorer.tabs.explore_parts.rankings import nothing_found, rankings
from blindspots_hub.measure.delta import relative_delta


@pytest.fixture(scope="module")
def example() -> Bundle:
    return load_bundle(planted.BUNDLE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = Synthetic(n_concepts=60, pairs=60)
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("statements") / "b", spec))


def in_words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


# ---- the scale of δ ------------------------------------------------------------------------------


def test_no_end_of_delta_is_given_a_meaning_it_has_not(
    example: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative δ ends at 0.076 and 0.924, so that neither 0 nor 1 is ever shown."""
    ends = relative_delta(np.array([-1.0, 1.0]))
    assert ends.round(3).tolist() == [0.076, 0.924]
    label = page_on(example)._kind.label
    for told in (label, in_words(help_panel(example)), TERMS["δ"]):
        assert SCALE in told
        assert not re.search(r"(0|= 0 is) never|1 only", told)
    assert f"below {paper.SUPPRESSED_BELOW:g} far too rarely" in SCALE
    assert f"above {paper.EXAGGERATED_ABOVE:g} far too often" in SCALE
    assert "r, which relative δ is made of, goes from −1, never drawn" in in_words(
        help_panel(example)
    )


# ---- the verdict and the δ that is shown ---------------------------------------------------------


def test_the_verdict_names_the_delta_that_it_goes_by(example: Bundle) -> None:
    for model in example.models:
        told = summary.verdict(example, model).found
        assert "relative δ" in told


def test_beside_another_delta_the_verdict_says_what_that_one_finds(example: Bundle) -> None:
    entry = Entry(example, "alder-1")
    relative, absolute = (in_words(verdict_line(entry, kind)) for kind in KINDS)
    assert absolute.startswith(relative.rstrip())
    reading = entry.reading("absolute")
    said = absolute.removeprefix(relative)
    for state in ("suppressed", "exaggerated"):
        n, certain = reading.counts[state], reading.certain_count(state)
        assert f"{n} {state} ({certain} certain)" in said
        assert f"{n} {state}" in in_words(counts_line(entry, "absolute"))
    assert "By absolute δ: " in said


def test_the_page_tells_the_verdict_of_the_delta_that_is_shown(example: Bundle) -> None:
    page = page_on(example)
    for kind in KINDS:
        told = page.go(replace(page.first, kind=kind), [])[page.finding]
        assert ("By absolute δ" in told) is (kind == "absolute")


def test_a_programs_sentence_agrees_with_its_list(example: Bundle) -> None:
    questions = Questions(Catalog(example))
    for model in example.models:
        for kind in KINDS:
            answer = questions.blindspots(model, kind, limit=500)  # type: ignore[arg-type]
            sentence, found = answer["sentence"], answer["blindspots"]
            assert "relative δ" in sentence
            of = {s: sum(one["state"] == s for one in found) for s in ("suppressed", "exaggerated")}
            if kind == "relative":
                assert (f"({len(found)} blindspot" in sentence) is bool(found)
            elif found:
                assert f"By absolute δ: {of['suppressed']} suppressed" in sentence
                assert f" and {of['exaggerated']} exaggerated" in sentence
            else:
                assert "By absolute δ none of the judged is beyond the thresholds." in sentence


# ---- the all-clear -------------------------------------------------------------------------------


@pytest.fixture
def crowded(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """Twelve concepts that are surely weakened, and behind all of them one that is suppressed."""
    entry = Entry(bundle, next(iter(bundle.models)))
    real = entry.reading("relative")
    n = bundle.n_concepts
    state = np.full(n, CODE["aligned"], np.uint8)
    state[:12], state[20] = CODE["weakened"], CODE["suppressed"]
    high = np.full(n, 0.0)
    high[:12], high[20] = -0.2, -0.05
    flat = np.zeros(n)
    made = replace(
        real,
        state=state,
        gap_selected_high=high,
        certain=flat > 0,
        gap_low=flat,
        gap_high=flat + 0.2,
    )
    monkeypatch.setattr(catalog, "_reading", lambda entry, kind: made)
    return entry


def test_a_blindspot_behind_the_rows_that_are_shown_is_no_all_clear(crowded: Entry) -> None:
    reading = crowded.reading("relative")
    assert 20 not in reading.ranking("suppressed")[:10]
    assert reading.counts["suppressed"] == 1
    told = rankings(crowded, "relative", "all", limit=10)
    assert "is suppressed:" not in told
    assert "is exaggerated:" in told
    assert "is certain suppressed:" in rankings(crowded, "relative", "certain", limit=10)
    assert first_concept(crowded, "relative") == 20
    assert reading.blindspots("suppressed").tolist() == [20]
    assert reading.blindspots("suppressed", certain_only=True).tolist() == []


def test_no_advice_is_absurd(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry(bundle, next(iter(bundle.models)))
    width = entry.reading("relative").half_width
    for pairs, more in ((60, "240"), (987, "3,900"), (30_000, "120,000"), (200_000, "800,000")):
        monkeypatch.setattr(Entry, "pairs", pairs)
        told = nothing_found(entry, "relative", "suppressed", False)
        assert f"four times as many ({more}) would tell it to ±" in told
        shown = float(told.rpartition("±")[2].rstrip("."))
        assert shown == pytest.approx(width / 2, rel=0.06)


# ---- words that have one meaning -----------------------------------------------------------------


def test_support_is_explained_in_the_same_words_everywhere(bundle: Bundle) -> None:
    from blindspots_hub.measure.comparison import Comparison

    method = (Path(summary.__file__).parents[1] / "METHOD.md").read_text(encoding="utf-8")
    row = next(line for line in method.splitlines() if line.startswith("| support |"))
    column = next(one for one in DELTAS.columns if one.name == "support")
    documented: list[Any] = [
        Questions.blindspots, answer_types.Judgement, Bundle.blindspots, Comparison,
    ]  # fmt: skip
    said = [row.replace("a concept fires", "it fires"), column.meaning, TERMS["support"].lower()]
    said += [re.sub(r"\s+", " ", inspect.getdoc(one) or "") for one in documented]
    entry = Entry(bundle, next(iter(bundle.models)))
    table = concepts_table(entry, view_of(entry), np.arange(5), ())
    assert f'title="{TERMS["support"]}"' in table
    for told in said:
        assert SUPPORT in told


def test_support_is_what_it_is_said_to_be(bundle: Bundle) -> None:
    model = next(iter(bundle.models))
    natural, generated = bundle.compared(model)
    either = (natural.matrix > 0).maximum(generated.matrix > 0)
    support = ModelDeltas.of(bundle.deltas(model), "relative").support
    assert np.array_equal(np.asarray(either.sum(axis=0)).ravel(), support)


def test_the_header_does_not_call_its_digits_the_manifests_sha256(example: Bundle) -> None:
    """Names and findings change the manifest, and not what a bundle is called in links."""
    assert example.identity != example.sha256
    told = header(example).value
    assert f"<code>{example.identity[:8]}</code>" in told
    title = told.split('class="bundle" title="')[1].split('"')[0]
    assert "sha256" not in title
    assert "stay when names or findings are added" in title
