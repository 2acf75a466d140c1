"""Several generations a caption: what is counted of them can be compared with one each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coverage_worlds import energies

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import pair_distances
from blindspots_hub.measure.null import null_p, null_share
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.table import MeasureSettings, measure, measured

SETTINGS = MeasureSettings()
PAIRS, CONCEPTS = 600, 40


@pytest.fixture(scope="module")
def world() -> tuple[ImageEnergies, list[np.ndarray]]:
    """Natural energies, and three generations of the same captions."""
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.05, 0.4, CONCEPTS)
    shape = (PAIRS, CONCEPTS)

    def drawn() -> np.ndarray:
        return np.where(rng.random(shape) < rate, rng.lognormal(0, 0.6, shape), 0)

    return energies(drawn()), [drawn() for _ in range(3)]


def _interleaved(draws: list[np.ndarray]) -> GenerationEnergies:
    stacked = np.stack(draws, axis=1).reshape(-1, CONCEPTS)
    return GenerationEnergies(energies(stacked), np.repeat(np.arange(PAIRS), len(draws)))


def test_counts_are_those_of_one_generation(world: tuple[ImageEnergies, list[np.ndarray]]) -> None:
    natural, draws = world
    three = _interleaved(draws)
    table = measure(natural, three.mean, SETTINGS, True, three)
    ones = [measure(natural, energies(draw), SETTINGS, True) for draw in draws]
    for name in ("images_generated", "support"):
        assert table[name] == pytest.approx(np.mean([one[name] for one in ones], axis=0))
    # Of the means of three alone, twice as many images would seem to show a concept.
    assert three.mean.fires.mean() > 1.8 * table["images_generated"].mean()
    assert table["energy_generated"] == pytest.approx(
        np.mean([one["energy_generated"] for one in ones], axis=0), rel=1e-6
    )
    # Three generations tell more than one, and nothing that is a property of one image changes.
    width = [(t["gap_high"] - t["gap_low"]).mean() for t in (table, *ones)]
    assert width[0] < 0.95 * min(width[1:])
    assert table["delta_bound"].max() == max(one["delta_bound"].max() for one in ones)
    distance, _ = three.distances(natural, SETTINGS.tau)
    alone = [pair_distances(natural, energies(draw)) for draw in draws]
    assert distance == pytest.approx(np.mean(alone, axis=0))


def test_one_drawing_each_is_the_plain_table(
    world: tuple[ImageEnergies, list[np.ndarray]],
) -> None:
    natural, draws = world
    one = GenerationEnergies(energies(draws[0]), np.arange(PAIRS))
    assert not one.several
    plain = measure(natural, energies(draws[0]), SETTINGS, True)
    for name, column in measure(natural, one.mean, SETTINGS, True, one).items():
        if column.dtype == np.float64:
            assert column == pytest.approx(plain[name], nan_ok=True)


def test_an_absent_concept_is_bounded_by_the_weight_of_one_image() -> None:
    """Generations of one caption may all show a thing or none: three are not three captions."""
    natural = np.zeros((400, 1))
    natural[:40] = np.random.default_rng(0).lognormal(0, 0.3, (40, 1))
    silent = energies(np.zeros((400, 1)))
    three = GenerationEnergies(energies(np.zeros((1200, 1))), np.repeat(np.arange(400), 3))
    plain = measure(energies(natural), silent, SETTINGS, True)
    assert measure(energies(natural), silent, SETTINGS, True, three)["relative_gap_high"] == (
        pytest.approx(plain["relative_gap_high"])
    )


def test_the_null_of_two_drawings(world: tuple[ImageEnergies, list[np.ndarray]]) -> None:
    natural, draws = world
    three = _interleaved(draws)
    null = null_share(measured(natural, three.mean, SETTINGS, True, three, null_p), SETTINGS, three)
    assert null["generations"]["pairs"] == PAIRS
    assert null["generations"]["flagged"] <= 0.05
    # Only a few captions have a second generation: the null is of those.
    pair = np.concatenate([np.arange(PAIRS), np.arange(50)])
    order = np.argsort(pair, kind="stable")
    rows = np.concatenate([draws[0], draws[1][:50]])[order]
    few = GenerationEnergies(energies(rows), pair[order])
    found = measured(natural, few.mean, SETTINGS, True, few, null_p)
    assert null_share(found, SETTINGS, few)["generations"]["pairs"] == 50
    second, pairs = few.number(1)
    assert np.array_equal(second.matrix.toarray(), draws[1][:50].astype(np.float32))
    assert pairs.tolist() == list(range(50))


def test_drawings_on_disk(world: tuple[ImageEnergies, list[np.ndarray]], tmp_path: Path) -> None:
    three = _interleaved(world[1])
    three.save(tmp_path / "d.safetensors")
    again = GenerationEnergies.load(tmp_path / "d.safetensors", PAIRS)
    assert np.array_equal(again.pair, three.pair)
    assert np.array_equal(again.energies.energies, three.energies.energies)
    with pytest.raises(BlindspotsError, match="one generation or more of each of 601 pairs"):
        GenerationEnergies.load(tmp_path / "d.safetensors", PAIRS + 1)
    world[0].save(tmp_path / "plain.safetensors")
    with pytest.raises(BlindspotsError, match="one generation or more"):
        GenerationEnergies.load(tmp_path / "plain.safetensors", PAIRS)
