"""The words of page, terminal and cards: states, fold changes, and the verdict on a model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from energy_worlds import from_dense
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis import summary
from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import MEANING, change_words, fold_words, times
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.measure.delta import STATES
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("bundle") / "b"
    return load_bundle(write_synthetic(root, Synthetic(n_concepts=300, pairs=200)))


def test_every_state_has_one_line_of_meaning() -> None:
    assert set(MEANING) == set(STATES)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.0, "never drawn"),
        (0.1, "about a tenth as much"),
        (0.5, "about half as much"),
        (0.61, "about 61% as much"),
        (1.0, "about as much"),
        (2.0, "about twice as much"),
        (4.2, "about 4.2 times as much"),
        (12.3, "about 12 times as much"),
        (math.inf, "only drawn, never in the natural images"),
        (math.nan, "–"),
    ],
)
def test_a_fold_change_is_said_as_people_say_it(ratio: float, words: str) -> None:
    assert fold_words(ratio) == words


def test_bare_folds_have_two_digits() -> None:
    assert [times(x) for x in (0, 0.0123, 0.48, 1, 37.4, 1234, math.inf)] == [
        "0", "0.012", "0.48", "1.0", "37", "1,234", "∞",
    ]  # fmt: skip


def test_a_change_has_its_interval_unless_it_is_not_judged() -> None:
    assert change_words(-1 / 3, -0.5, 0.0) == "about half as much (0.33 to 1.0 ×)"
    assert change_words(-1 / 3, math.nan, math.nan) == "about half as much"
    assert change_words(-1.0, -1.0, -0.9) == "never drawn (0 to 0.053 ×)"


def test_a_tenth_as_much_is_weakened_and_said_so() -> None:
    """Ten times too rarely is within the paper's threshold of 15.5, and is not small."""
    rng = np.random.default_rng(0)
    shown = rng.random((4000, 1)) < 0.3
    dense = rng.gamma(4, 1, (4000, 1)) * shown
    drawn = dense * (rng.random((4000, 1)) < 0.1)
    table = measure(from_dense(dense), from_dense(drawn), MeasureSettings(), paired=True)
    columns = getattr(table, "columns", table)
    deltas = ModelDeltas.of(pa.table(columns), "relative")
    assert STATES[deltas.state[0]] == "weakened"
    said = change_words(float(deltas.r[0]), float(deltas.r_low[0]), float(deltas.r_high[0]))
    assert said.startswith("about a tenth as much (0.0")


def test_the_threshold_of_relative_delta_as_a_fold() -> None:
    assert summary.threshold_fold() == pytest.approx(15.5, abs=0.05)


def test_the_verdict_says_first_what_was_judged(bundle: Bundle) -> None:
    for model in bundle.models:
        told = summary.verdict(bundle, model)
        deltas = ModelDeltas.of(bundle.deltas(model), "relative")
        judged, seen = int(deltas.determined.sum()), int((deltas.state != CODE["dead"]).sum())
        title = bundle.model(model).title
        start = f"{title}: of 300 concepts {seen} fire in the 200 pairs, and {judged} "
        assert told.basis.startswith(start)
        blind = sum(deltas.counts[state] for state in ("suppressed", "exaggerated"))
        if blind:
            assert f"({blind} blindspot" in told.found
        else:
            assert told.found.startswith(f"None of the {judged} judged changed 15.5-fold")


def test_nothing_judged_is_no_all_clear(bundle: Bundle, tmp_path: Path) -> None:
    from blindspots_hub.progress import drive
    from blindspots_hub.runs.remeasure import remeasure

    none = drive(remeasure.stream(bundle, tmp_path / "none", {"min_support": 201}))
    model = next(iter(none.models))
    told = summary.verdict(none, model)
    assert "0 in enough of them (201 or more) to be judged" in told.basis
    assert told.found == "Nothing can be said of any concept: evaluate more pairs."
    assert "no blindspot" not in summary.summary(none, model)


def test_the_largest_sure_change_is_named_where_there_is_no_blindspot(bundle: Bundle) -> None:
    model = next(iter(bundle.models))
    deltas = ModelDeltas.of(bundle.deltas(model), "relative")
    state = np.minimum(deltas.state, CODE["leaning"])
    state[7], ends = CODE["weakened"], deltas.r_selected_high.copy()
    ends[7] = -0.5
    made = replace(deltas, state=state, r_selected_high=ends, certain=np.zeros(len(state), bool))
    said = summary._found(bundle, model, made)
    assert "None of the" in said
    assert "the largest sure change of" in said
    assert "surely two-fold" not in said


def test_small_and_large_changes_are_told_without_a_power_of_ten() -> None:
    assert fold_words(99.7) == "about 100 times as much"
    assert fold_words(3e-5) == "about 0.003% as much"
    assert fold_words(0.05) == "about 5% as much"


def test_a_null_is_told_as_it_was_made(tmp_path: Path) -> None:
    made = Synthetic(n_concepts=60, pairs=60, unpaired=("plain-b",))
    mixed = load_bundle(write_synthetic(tmp_path / "b", made))
    said = {name: summary.null_words(mixed.model(name)) for name in ("plain-a", "plain-b")}
    assert "two sides of every pair swapped" in said["plain-a"]
    assert "dealt anew to the two sides" in said["plain-b"]
    assert "swapped" not in said["plain-b"]


def test_a_summary_counts_every_state_and_the_null(bundle: Bundle) -> None:
    text = summary.summary(bundle, next(iter(bundle.models)))
    assert "300 concepts:" in text
    assert all(state in text for state in STATES)
    assert "where nothing differs" in text
