"""Per-image energies in shards: the same energies, whole or told, in every flow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hub_fixtures import restate, write_publishable
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts import energy_files
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.energy_files import (
    read_energies,
    write_energies,
    write_generation_energies,
)
from blindspots_hub.artifacts.layout import (
    NATURAL,
    energies_files,
    energies_path,
    generation_energies_files,
    is_known,
)
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.progress import drive
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.utils.files import read_json, write_json

SPEC = Synthetic(n_concepts=40, pairs=60, models={"plain-a": "Plain A", "v1.5": "Version"})
SOURCES = (NATURAL, *SPEC.models)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("whole") / "b", SPEC)


def shard(root: Path) -> Path:
    for source in SOURCES:
        assert len(write_energies(root, source, load_bundle(root).energies(source))) > 3
        assert not energies_path(root, source).exists()
        restate(root)
    return root


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(energy_files, "SHARD_BYTES", 1_000)
    return shard(write_synthetic(tmp_path / "sharded", SPEC))


def same(one: ImageEnergies, other: ImageEnergies) -> bool:
    parts = ("indptr", "concepts", "energies")
    return one.n_concepts == other.n_concepts and all(
        np.array_equal(getattr(one, part), getattr(other, part)) for part in parts
    )


@pytest.mark.parametrize("contents", [True, False])
def test_they_are_whole_and_say_the_same(whole: Path, sharded: Path, contents: bool) -> None:
    assert faults(sharded, strict=True) == []
    one, many = load_bundle(whole), load_bundle(sharded, contents=contents)
    rows = np.array([0, 7, 31, 59])
    for source in SOURCES:
        assert same(many.energies(source), one.energies(source))
        assert np.array_equal(many.fires_in(source, rows), one.fires_in(source, rows))
        for concept in range(SPEC.n_concepts):
            a, b = (bundle.concept_energies(source, concept) for bundle in (one, many))
            assert a is not None
            assert b is not None
            assert np.array_equal(a.rows, b.rows)
            assert np.array_equal(a.energies, b.energies)
            assert a.images == b.images == SPEC.pairs


@pytest.mark.parametrize("change", ["missing", "unlisted", "both", "short", "bad"])
def test_a_lost_or_damaged_shard_is_told(sharded: Path, change: str) -> None:
    manifest = read_json(sharded / "bundle.json")
    first, second, *_ = energies_files(manifest["files"], "v1.5")
    if change in ("missing", "unlisted"):
        (sharded / second).unlink()
    if change == "unlisted":
        del manifest["files"][second]
        write_json(sharded / "bundle.json", manifest)
    elif change == "both":
        read_energies([sharded / first]).save(energies_path(sharded, "v1.5"))
    elif change == "short":
        part = ImageEnergies.load(sharded / second)
        part.rows(0, part.n_images - 1).save(sharded / second)
    elif change == "bad":
        part = ImageEnergies.load(sharded / second)
        ImageEnergies(part.indptr, part.concepts, -part.energies, 40).save(sharded / second)
    if change != "missing" and change != "unlisted":
        restate(sharded)
    told = {
        "missing": "is missing", "unlisted": "not in all of its shards", "both": "shards",
        "short": "59 images for 60 rows", "bad": "not a positive number",
    }[change]  # fmt: skip
    if change == "both":  # the one file is what is read, and the shards beside it have no place
        told = "energies have|lies in one file"
    found = "; ".join(faults(sharded))
    assert found
    with pytest.raises(BlindspotsError, match=told):
        load_bundle(sharded, contents=True)
    with pytest.raises(BlindspotsError):  # as long as nobody looks at the rest, told when read
        load_bundle(sharded).energies("v1.5")


def test_one_file_takes_the_place_of_shards_and_they_of_it(
    sharded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    energies = load_bundle(sharded).energies(NATURAL)
    monkeypatch.setattr(energy_files, "SHARD_BYTES", 10**9)
    assert write_energies(sharded, NATURAL, energies) == [energies_path(sharded, NATURAL)]
    restate(sharded)
    assert faults(sharded, strict=True) == []
    empty = ImageEnergies(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), 40)
    assert write_energies(sharded, "new", empty) == [energies_path(sharded, "new")]


def test_they_are_combined_and_measured_again(whole: Path, sharded: Path, tmp_path: Path) -> None:
    again = drive(remeasure.stream(load_bundle(sharded), tmp_path / "again", {}))
    of_one = drive(remeasure.stream(load_bundle(whole), tmp_path / "of-one", {}))
    name = "deltas/models/v1.5.parquet"
    assert (again.root / name).read_bytes() == (of_one.root / name).read_bytes()
    other = Synthetic(n_concepts=40, pairs=60, models={"third": "Third"}, seed=4)
    both: Bundle = combine([sharded, write_synthetic(tmp_path / "o", other)], tmp_path / "both")
    assert faults(both.root) == []
    listed = both.manifest.files
    assert len(energies_files(listed, "v1.5")) > 3
    assert same(both.energies("v1.5"), load_bundle(whole).energies("v1.5"))
    renamed = write_synthetic(tmp_path / "r", Synthetic(n_concepts=40, pairs=60, seed=7))
    twice = combine([sharded, shard_of(renamed)], tmp_path / "twice", rename=True)
    assert faults(twice.root) == []
    assert any(name.startswith("deltas/energies/plain-a-2/") for name in twice.manifest.files)


def shard_of(root: Path) -> Path:
    bundle = load_bundle(root)
    for source in (NATURAL, *bundle.models):
        write_energies(root, source, bundle.energies(source))
    restate(root)
    return root


def with_generations(root: Path, several: tuple[str, ...] = ("v1.5",)) -> Path:
    """Single generations of some models: two or three of a pair, each measured a little apart."""
    for model in several:
        energies, counts = load_bundle(root).energies(model), np.tile([2, 3], SPEC.pairs // 2)
        pair = np.repeat(np.arange(SPEC.pairs), counts)
        own = energies.take(pair)
        factor = np.random.default_rng(0).uniform(0.5, 1.5, len(own.energies)).astype(np.float32)
        drawn = ImageEnergies(own.indptr, own.concepts, own.energies * factor, own.n_concepts)
        write_generation_energies(root, model, GenerationEnergies(drawn, pair))
    restate(root)
    return root


def test_energies_of_single_generations_lie_in_shards_too(
    sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_generations(sharded)
    monkeypatch.setattr(energy_files, "SHARD_BYTES", 10**9)
    whole = with_generations(write_synthetic(tmp_path / "whole", SPEC))
    assert faults(sharded, strict=True) == faults(whole, strict=True) == []
    one, many = load_bundle(whole), load_bundle(sharded)
    assert len(generation_energies_files(one.manifest.files, "v1.5")) == 1
    assert len(generation_energies_files(many.manifest.files, "v1.5")) > 3
    assert [many.drawn_several_times(model) for model in SPEC.models] == [False, True]
    a, b = (bundle.generation_energies("v1.5") for bundle in (one, many))
    assert a is not None
    assert b is not None
    assert same(a.energies, b.energies)
    assert np.array_equal(a.pair, b.pair)
    measured = [
        drive(remeasure.stream(bundle, tmp_path / f"again-{i}", {}))
        for i, bundle in enumerate((one, many))
    ]
    table = "deltas/models/v1.5.parquet"
    assert len({(again.root / table).read_bytes() for again in measured}) == 1
    assert faults(measured[1].root, strict=True) == []
    other = write_synthetic(tmp_path / "other", Synthetic(n_concepts=40, pairs=60, seed=4))
    both = combine([sharded, other], tmp_path / "both", rename=True)
    assert faults(both.root) == []
    found = both.generation_energies("v1.5")
    assert found is not None
    assert same(found.energies, a.energies)


@pytest.mark.parametrize("change", ["missing", "unlisted", "pair", "gap", "bad"])
def test_a_lost_or_damaged_shard_of_generations_is_told(sharded: Path, change: str) -> None:
    with_generations(sharded)
    manifest = read_json(sharded / "bundle.json")
    _, second, *_ = generation_energies_files(manifest["files"], "v1.5")
    part, more = ImageEnergies.read(sharded / second)
    if change in ("missing", "unlisted"):
        (sharded / second).unlink()
    if change == "unlisted":
        del manifest["files"][second]
        write_json(sharded / "bundle.json", manifest)
    elif change == "pair":
        part.save(sharded / second)
    elif change == "gap":
        part.save(sharded / second, {"pair": more["pair"] + np.int32(1)})
    elif change == "bad":
        ImageEnergies(part.indptr, part.concepts, -part.energies, 40).save(sharded / second, more)
    if change not in ("missing", "unlisted"):
        restate(sharded)
    told = {
        "missing": "is missing", "unlisted": "not in all of its shards",
        "pair": "one generation or more", "gap": "one generation or more",
        "bad": "not a positive number",
    }[change]  # fmt: skip
    assert told in "; ".join(faults(sharded))
    with pytest.raises(BlindspotsError, match=told):
        load_bundle(sharded).generation_energies("v1.5")


def test_only_energies_have_such_places() -> None:
    for kind in ("energies", "generations"):
        assert is_known(f"deltas/{kind}/v1.5/00000-of-00002.safetensors", ["v1.5"])
    for name in (
        "deltas/energies/other/00000-of-00002.safetensors",
        "deltas/energies/v1.5/00000-of-00002.parquet",
        "deltas/energies/v1.5/deep/00000-of-00002.safetensors",
        "deltas/energies/v1.5/0-of-2.safetensors",
        "deltas/heatmaps/v1.5/00000-of-00002.safetensors",
    ):
        assert not is_known(name, ["v1.5", "deep"])


def test_a_publishable_one_in_shards_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy_files, "SHARD_BYTES", 1_000)
    assert faults(shard_of(write_publishable(tmp_path / "b")), strict=True) == []
