"""Fixed, broken, moved, unchanged; shared and specific; on models whose faults are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from energy_worlds import from_dense

from blindspots_hub import planted
from blindspots_hub.analysis import shared_blindspots
from blindspots_hub.analysis.changes import Changes
from blindspots_hub.analysis.model_comparison import changes
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.shared_blindspots import OPEN, SHARED, blindspots
from blindspots_hub.analysis.shared_pairs import shared_energies
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.measure.between import Between
from blindspots_hub.measure.intervals import Interval
from blindspots_hub.measure.settings import MeasureSettings


@pytest.fixture(scope="module")
def embedded() -> Bundle:
    return load_bundle(planted.BUNDLE)


def test_each_concept_becomes_what_was_done_to_it() -> None:
    rng = np.random.default_rng(0)
    natural = rng.gamma(2.0, 1.0, (300, 5)) * (rng.random((300, 5)) < 0.5)

    def drawn(*factors: float) -> np.ndarray:
        noise = rng.uniform(0.7, 1.3, natural.shape)
        return np.asarray(natural * noise * np.array(factors), np.float32)

    # Mended from a tenth; broken to a tenth; the same; the same fault in both; dead.
    first, second = drawn(0.1, 1, 1, 0.1, 0), drawn(1, 0.1, 1, 0.1, 0)
    natural[:, 4] = 0
    found = Changes.of(*map(from_dense, (natural, first, second)), MeasureSettings())
    assert found.change.tolist() == ["fixed", "broken", "unchanged", "unchanged", ""]
    assert found.counts == {"fixed": 1, "broken": 1, "moved": 0, "unchanged": 2}
    assert found.judged == 4
    rows = found.columns(["a", "b", "c", "d", "e"])
    assert rows["label"] == ["a", "b", "c", "d"]
    assert rows["relative_gap"][0] == pytest.approx(9 / 11, abs=0.02)


def test_a_small_alpha_is_told_in_all_its_digits() -> None:
    natural = from_dense(np.random.default_rng(0).gamma(2.0, 1.0, (60, 2)))
    found = Changes.of(natural, natural, natural, MeasureSettings(alpha=0.004))
    assert "at most 0.4% are expected to be chance (q < 0.004)" in found.words(["a", "b"])


def test_the_tuned_variant_fixes_more_than_it_breaks(embedded: Bundle) -> None:
    one = analysis("model_comparison")
    found = one.answer(embedded, ("alder-1", "alder-1-tuned"))
    fixed, broken = (len(found.table[name][0]) for name in ("fixed", "broken"))
    assert fixed > 5 * max(broken, 1)
    assert found.table["other_distance_median"][0] < found.table["model_distance_median"][0]
    assert found.table["other_distance_spread"][0] < found.table["model_distance_spread"][0]
    assert "fixed (" in found.sentence


def test_a_base_comes_before_its_variant(embedded: Bundle) -> None:
    one = analysis("model_comparison")
    turned = one.answer(embedded, ("alder-1-tuned", "alder-1"))
    straight = one.answer(embedded, ("alder-1", "alder-1-tuned"))
    assert turned.table == straight.table


def test_shared_and_specific_are_those_that_were_planted(embedded: Bundle) -> None:
    models = ("alder-1", "alder-2", "cedar", "willow")
    found = blindspots(embedded, models)
    named = {
        whose: {embedded.labels[int(k)] for concepts in sides.values() for k in concepts}
        for whose, sides in found.found.items()
    }
    specific = {"bird feeder": "alder-1", "pan": "cedar", "glossy disc": "willow"}
    for label, model in specific.items():
        if label in embedded.labels:
            assert label not in named[SHARED]
            assert label in named[model] | named[OPEN]
            assert not any(label in named[other] for other in models if other != model)
    assert any(label in named[model] for label, model in specific.items())
    assert named[SHARED], "faults of all models are planted"


def test_another_just_beyond_the_threshold_is_open_not_specific(tmp_path: Path) -> None:
    from synthetic_bundle import Synthetic, write_synthetic

    bundle = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=60, pairs=120)))
    found = blindspots(bundle, tuple(bundle.models))
    lists = [c for sides in found.found.values() for side in sides.values() for c in side.tolist()]
    assert len(lists) >= len(set(lists))
    for sides in found.found.values():
        assert not set(sides["suppressed"].tolist()) & set(sides["exaggerated"].tolist())


def test_a_small_q_alone_makes_no_concept_specific(
    embedded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models differ in a concept where the interval of their difference lies off 0, too."""
    models = ("alder-1", "alder-2", "cedar", "willow")
    plain = shared_blindspots.compared
    assert any(blindspots(embedded, models).count(model) for model in models)

    def across_zero(bundle: Bundle, first: str, second: str) -> Between:
        one = plain(bundle, first, second)
        known = np.isfinite(one.q)
        wide = Interval(np.where(known, -1.0, np.nan), np.where(known, 1.0, np.nan))
        return replace(one, p=np.where(known, 1e-9, 1.0), gap=wide)

    monkeypatch.setattr(shared_blindspots, "compared", across_zero)
    found = blindspots(embedded, models)
    assert not any(found.count(model) for model in models)


def test_the_sentence_tells_the_alpha_that_was_set(embedded: Bundle) -> None:
    models = ("alder-1", "alder-2", "cedar", "willow")
    found = replace(blindspots(embedded, models), alpha=0.01)
    assert "with q < 0.01 over all" in shared_blindspots.words(embedded, models, found)


def test_what_the_table_says_is_what_measuring_again_says(embedded: Bundle) -> None:
    first, second = "alder-1", "alder-1-tuned"
    natural, (a, b) = shared_energies(embedded, (first, second))
    again = Changes.of(natural, a, b, embedded.model(second).measured_with)
    known = changes(embedded, first, second)
    np.testing.assert_array_equal(known.change, again.change)
