"""How far two runs of one model agree: told from one run, against runs that were made."""

from __future__ import annotations

import numpy as np
import pytest
from energy_bundle import EnergyBundle
from energy_worlds import from_dense

from blindspots_hub.analysis import reliability as own
from blindspots_hub.analysis.correlation import pearson
from blindspots_hub.measure.sampler import GenerationEnergies

CAPTIONS, CONCEPTS, TIMES = 250, 150, 4


def _run(natural: np.ndarray, shift: np.ndarray, seed: int) -> GenerationEnergies:
    """Every caption four times: the caption's energies changed by `shift`, and noise."""
    rng = np.random.default_rng(seed)
    fires = rng.random((CAPTIONS, TIMES, CONCEPTS)) < 0.1
    noise = rng.gamma(0.5, 4.0, (CAPTIONS, TIMES, CONCEPTS)) * fires
    dense = (natural[:, None] * shift + noise).reshape(-1, CONCEPTS)
    return GenerationEnergies(
        from_dense(dense.astype(np.float32)), np.repeat(np.arange(CAPTIONS), TIMES)
    )


def test_means_of_several_generations_repeat_better_than_one() -> None:
    rng = np.random.default_rng(0)
    shift = rng.uniform(0.6, 1.4, CONCEPTS)
    natural = rng.gamma(1.0, 1.0, (CAPTIONS, CONCEPTS)) * (rng.random((CAPTIONS, CONCEPTS)) < 0.3)
    runs = [_run(natural, shift, seed) for seed in (1, 2)]
    bundles = [EnergyBundle(from_dense(natural), run.mean, run) for run in runs]
    for measure in own.MEASURES:
        values = [bundle.deltas("model")[measure].to_numpy() for bundle in bundles]
        reached = pearson(*values).value
        told = [own.reliability(bundle, "model") for bundle in bundles]  # type: ignore[arg-type]
        assert {one.how for one in told} == {"seeds"}
        assert np.mean([one.value[measure] for one in told]) == pytest.approx(reached, abs=0.08)
        assert 0.6 < reached < 0.95


def test_spearman_and_brown() -> None:
    assert own.stepped_up(0.5, 2) == pytest.approx(2 / 3)
    assert own.stepped_up(0.49, 4) == pytest.approx(0.794, abs=1e-3)
    assert own.stepped_up(0.49, 1) == pytest.approx(0.49)
    assert own.stepped_up(-0.2, 4) == 0
    assert np.isnan(own.stepped_up(float("nan"), 4))
