"""Frequency against misalignment, with and without anything to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.frequency import REPEATS, _verdict, null_correlations
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle


def test_chance_alone_makes_rare_concepts_look_worse(tmp_path: Path) -> None:
    bundle = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=150, pairs=150)))
    null = null_correlations(bundle, "plain-a")
    assert len(null) == REPEATS
    assert (null < 0).all()
    assert null.mean() < -0.3


def test_chance_is_called_more_than_chance_in_one_case_of_twenty() -> None:
    rng = np.random.default_rng(0)
    told = [_verdict(*_one_and_others(rng)) for _ in range(4_000)]
    false = np.mean(["no more than" not in words for words in told])
    assert false == pytest.approx(0.05, abs=0.012)
    assert all("(at 95% confidence)" in words for words in told)


def _one_and_others(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    drawn = rng.normal(-0.4, 0.1, REPEATS + 1)
    return float(drawn[0]), drawn[1:]


def test_a_weaker_trend_than_chance_gives_is_not_called_more() -> None:
    null = np.linspace(-0.6, -0.2, REPEATS)
    assert "more than regression" in _verdict(-0.7, null)
    assert "less than regression" in _verdict(-0.1, null)
    assert "no more than regression" in _verdict(-0.3, null)
    assert _verdict(-0.7, null[:20]) == ""  # too few for a level


@pytest.mark.parametrize("unpaired", [(), ("plain-a",)])
def test_swapping_leaves_the_sums_of_both_sides(tmp_path: Path, unpaired: tuple[str, ...]) -> None:
    made = Synthetic(n_concepts=60, pairs=80, unpaired=unpaired)
    bundle = load_bundle(write_synthetic(tmp_path / "b", made))
    null = null_correlations(bundle, "plain-a", 5)
    assert np.isfinite(null).all()
    assert null_correlations(bundle, "plain-a", 5) == pytest.approx(null)


@pytest.mark.parametrize("model", ["alder-1", "alder-2", "cedar", "willow"])
def test_rare_things_are_drawn_worse_in_the_planted_world(model: str) -> None:
    """Rarer factors were given more faults (5.6)."""
    found = analysis("frequency").answer(load_bundle(planted.BUNDLE), (model,))
    assert found.table["spearman"][0] < 0
    assert "where nothing differs chance alone gives" in found.sentence
