"""The population: what it sums, and that a stale one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blindspots_hub import planted
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted import models, populating, population
from blindspots_hub.planted.batches import energy_rows
from blindspots_hub.planted.benchmark.evidence import Through
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.models import MODELS
from blindspots_hub.planted.population import Population, block_population, population_key
from blindspots_hub.planted.scene import sample_scene
from blindspots_hub.planted.training import load_space
from blindspots_hub.planted.world import world_pair
from blindspots_hub.progress import drive

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def space() -> ConceptSpace:
    return load_space(planted.BUNDLE)


@pytest.fixture(scope="module")
def blocks(space: ConceptSpace) -> list[Population]:
    key = population_key(space)
    return [block_population(block, space, key, size=6) for block in range(2)]


@pytest.mark.parametrize("plain", [False, True])
def test_energies_in_batches_are_those_of_single_images(space: ConceptSpace, plain: bool) -> None:
    images = [draw(sample_scene(seed)) for seed in range(5)]
    rows = energy_rows(images, space, plain=plain)
    for image, (concepts, energies) in zip(images, rows, strict=True):
        alone, wanted = space.encode(image).energies(space.backbone.layout.patches)
        assert concepts.tolist() == alone.tolist()
        assert energies == pytest.approx(wanted, rel=1e-4)


def test_a_block_sums_natural_images(space: ConceptSpace, blocks: list[Population]) -> None:
    images = [world_pair(index, population.WORLD).image for index in range(6)]
    dense = np.zeros((6, space.sae.config.n_concepts))
    for row, (concepts, energies) in enumerate(energy_rows(images, space)):
        dense[row, concepts] = energies
    block = blocks[0]
    assert block.sides == ("natural", *MODELS)
    assert block.total[0] == pytest.approx(dense.sum(axis=0), rel=1e-5)
    assert block.square[0] == pytest.approx((dense**2).sum(axis=0), rel=1e-5)
    assert block.cross[0] == pytest.approx(block.square[0])
    assert block.fires[0] == pytest.approx((dense > 0).sum(axis=0))


def test_scenes_that_hold_the_same_are_drawn_alike() -> None:
    pipes = population._models()
    for index in range(30):
        pair = world_pair(index, population.WORLD)
        natural, *others = population._scenes(pair, pipes)
        assert natural == pair.scene
        for scene in others:
            assert scene.seed == (0 if scene.memorised else natural.seed)


def test_blocks_add_up_and_come_back(blocks: list[Population], tmp_path: Path) -> None:
    whole = blocks[0] + blocks[1]
    assert whole.scenes == 12
    assert whole.total == pytest.approx(blocks[0].total + blocks[1].total)
    whole.save(tmp_path / "p.safetensors")
    again = Population.load(tmp_path / "p.safetensors", whole.key)
    assert again.scenes == 12
    assert again.sides == whole.sides
    for name in ("total", "square", "cross", "fires"):
        assert np.array_equal(getattr(again, name), getattr(whole, name))
    with pytest.raises(ValueError, match="do not add up"):
        blocks[0] + replace(blocks[1], key="other")


def test_a_stale_or_damaged_population_is_refused(
    blocks: list[Population], space: ConceptSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.safetensors"
    blocks[0].save(path)
    assert Through.open(planted.BUNDLE, path).population is not None
    assert Through.open(planted.BUNDLE, tmp_path / "none").population is None
    weaker = tuple(replace(fault, strength=0.5) for fault in MODELS["cedar"])
    monkeypatch.setitem(models.MODELS, "cedar", weaker)
    with pytest.raises(BlindspotsError, match="other models"):
        Through.open(planted.BUNDLE, path)
    monkeypatch.undo()
    monkeypatch.setattr(population, "WORLD", 3)
    with pytest.raises(BlindspotsError, match="another world"):
        Population.load(path, population_key(space))
    path.write_bytes(b"no tensors")
    with pytest.raises(BlindspotsError, match="not a file of population energies"):
        Population.load(path, blocks[0].key)


def test_the_key_sees_the_pictures(space: ConceptSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = population_key(space)
    assert population_key(space) == before
    monkeypatch.setattr(population, "draw", lambda scene: draw(scene, line_width=1.2))
    assert population_key(space) != before


def test_a_killed_run_goes_on(
    blocks: list[Population], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that are there are not drawn again; a longer run adds to the file that is there."""
    out = tmp_path / "p.safetensors"
    folder = tmp_path / "p-blocks" / f"{blocks[0].key[:16]}-6"
    blocks[0].save(populating._path(folder, 0))
    assert drive(populating.populating(planted.BUNDLE, out, scenes=6, size=6)).scenes == 6
    populating._path(folder, 0).unlink()  # as in another checkout: only the sum is there
    blocks[1].save(populating._path(folder, 1))
    whole = drive(populating.populating(planted.BUNDLE, out, scenes=12, size=6))
    assert whole.scenes == 12
    assert whole.total == pytest.approx(blocks[0].total + blocks[1].total)
    assert drive(populating.populating(planted.BUNDLE, out, scenes=6, size=6)).scenes == 12
    with pytest.raises(BlindspotsError, match="12 scenes, which are no whole blocks of 5"):
        drive(populating.populating(planted.BUNDLE, out, scenes=15, size=5))
    replace(blocks[0], key="of another world").save(out)
    with pytest.raises(BlindspotsError, match="made with another world"):
        drive(populating.populating(planted.BUNDLE, out, scenes=12, size=6))


@pytest.mark.slow
def test_workers_draw_what_a_process_draws(blocks: list[Population], tmp_path: Path) -> None:
    drawn = drive(populating.populating(planted.BUNDLE, tmp_path / "p", scenes=6, size=6))
    assert drawn.total == pytest.approx(blocks[0].total, rel=1e-4)


def test_the_command_names_space_file_and_scenes(
    blocks: list[Population], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from blindspots_hub import cli

    asked = []

    def stub(space: Path, out: Path, scenes: int):  # type: ignore[no-untyped-def]
        yield from ()
        asked.append((space, out, scenes))
        return blocks[0]

    monkeypatch.setattr(populating, "populating", stub)
    arguments = ["planted", "population", "--out", str(tmp_path / "p"), "--scenes", "6", "--quiet"]
    run = CliRunner().invoke(cli.app, arguments)
    assert run.exit_code == 0, run.output
    assert "6 scenes of 6 sides" in run.output
    assert asked == [(planted.BUNDLE, tmp_path / "p", 6)]
