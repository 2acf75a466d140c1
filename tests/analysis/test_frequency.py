"""Frequency against misalignment, with and without anything to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.frequency import REPEATS, null_correlations
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle


def test_chance_alone_makes_rare_concepts_look_worse(tmp_path: Path) -> None:
    bundle = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=150, pairs=150)))
    null = null_correlations(bundle, "plain-a")
    assert len(null) == REPEATS
    assert (null < -0.2).all()


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
