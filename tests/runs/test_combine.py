"""Bundles that become one: merged by pair id, nothing computed anew, nothing lost."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundle_tools import rehash
from hub_fixtures import write_publishable
from synthetic_bundle import Synthetic, write_synthetic
from typer.testing import CliRunner

import blindspots_hub as bh
from blindspots_hub import cli
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.labels import Label, changed
from blindspots_hub.artifacts.layout import (
    FINDINGS,
    MANIFEST,
    NATURAL,
    energies_path,
    generation_energies_path,
    heatmaps_path,
    table_path,
)
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import DELTAS, LABELS, OWN_NATURAL, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import image_cell, write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.runs.analyse import analyse
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.utils.files import read_json, write_json

A = Synthetic(n_concepts=40, pairs=30, models={"ash": "Ash"}, name="first", side=32)
OTHERS = replace(A, models={"box": "Box"}, seed=1, name="second")
"""Other pairs of the same concepts."""

SAME = replace(A, models={"cob": "Cob"}, name="third")
"""The same pairs and natural images."""

APART = replace(A, models={"elm": "Elm"}, unpaired=("elm",), seed=2, name="fourth")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    specs = {"a": A, "others": OTHERS, "same": SAME, "apart": APART}
    return {name: write_synthetic(folder / name, spec) for name, spec in specs.items()}


@pytest.fixture
def own(made: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """The same, for one test to change."""
    return {k: Path(shutil.copytree(path, tmp_path / k)) for k, path in made.items()}


@pytest.fixture(scope="module")
def one(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("combined") / "all"
    return combine([made[name] for name in ("a", "others", "same", "apart")], out)


def refused(bundles: Sequence[Path], out: Path, told: str, **options: Any) -> None:
    """Fails unless combining says `told` in one sentence and leaves nothing behind."""
    before = set(out.parent.iterdir())
    with pytest.raises(BlindspotsError) as error:
        combine(bundles, out, **options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert set(out.parent.iterdir()) == before


def equal(a: ImageEnergies, b: ImageEnergies) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("indptr", "concepts", "energies")
    )


def test_models_stand_side_by_side_with_their_own_results(
    made: dict[str, Path], one: Bundle
) -> None:
    assert faults(one.root) == []
    assert list(one.models) == ["ash", "box", "cob", "elm"]
    assert len(one.image_ids(NATURAL)) == 90  # 30 of two bundles, 30, and 30
    assert one.image_ids(NATURAL) == sorted(one.image_ids(NATURAL))
    assert one.pairs["pair_id"].to_pylist() == one.image_ids(NATURAL)
    for name, root in made.items():
        was = load_bundle(root)
        (model,) = was.models
        assert one.model(model) == was.model(model), name
        assert table_path(one.root, DELTAS, model).read_bytes() == (
            table_path(root, DELTAS, model).read_bytes()
        )
        for before, after in zip(was.compared(model), one.compared(model), strict=True):
            assert equal(before, after)
        assert one.natural_ids(model) == was.natural_ids(model)


def test_cards_show_what_they_showed(made: dict[str, Path], one: Bundle) -> None:
    for root in made.values():
        was = load_bundle(root)
        (model,) = was.models
        for source, column in ((NATURAL, "top_natural"), (model, "top_generated")):
            for concept, ids in enumerate(was.deltas(model)[column].to_pylist()):
                for pair_id in ids:
                    before = was.heatmap(source, concept, pair_id)
                    after = one.heatmap(source, concept, pair_id)
                    assert before is not None
                    assert after is not None
                    assert np.array_equal(before, after) or source == NATURAL
                    # `a` and `same` share natural images, whose heatmaps are random in each.
                    assert one.thumbnail(source, pair_id) is not None
                    assert was.captions([pair_id] if source == NATURAL else []) == one.captions(
                        [pair_id] if source == NATURAL else []
                    )
    table = pq.read_table(table_path(one.root, THUMBNAILS), columns=["pair_id", "source"])
    keys = list(zip(*(table[n].to_pylist() for n in ("pair_id", "source")), strict=True))
    assert keys == sorted(set(keys))


def test_it_is_explored_and_measured_again(
    made: dict[str, Path], one: Bundle, tmp_path: Path
) -> None:
    titles = [entry.title for entry in Catalog(one).entries()]
    assert titles == ["Ash", "Box", "Cob", "Elm"]
    again = remeasure(one, tmp_path / "again", {})
    assert faults(again.root) == []
    for model in one.models:
        before, after = one.deltas(model), again.deltas(model)
        for name in ("gap", "relative_gap_low", "p", "state", "top_natural", "top_generated"):
            assert before[name].equals(after[name]), (model, name)
    assert again.natural_ids("elm") == one.natural_ids("elm")


def test_an_unpaired_model_keeps_its_own_natural_images(one: Bundle, own: dict[str, Path]) -> None:
    assert OWN_NATURAL.path.format(model="elm") in one.manifest.files
    assert len(one.natural_ids("elm")) == 30
    root = Path(shutil.copytree(one.root, own["a"].parent / "changed"))
    write_table(root, OWN_NATURAL, {"pair_id": ["nowhere"]}, "elm")
    rehash(root)
    assert any("names 'nowhere', which deltas/natural.parquet" in told for told in faults(root))


def test_combining_is_the_same_step_by_step(made: dict[str, Path], tmp_path: Path) -> None:
    """What comes first does not matter to what is kept of each, nor whether all come at once."""
    step = combine([made["others"], made["apart"]], tmp_path / "step")
    late = combine([made["a"], step], tmp_path / "late")
    at_once = combine([made["a"], made["others"], made["apart"]], tmp_path / "at_once")
    assert late.manifest.files == at_once.manifest.files
    assert late.manifest.models == at_once.manifest.models


def test_of_one_pair_the_row_with_an_image_is_kept(own: dict[str, Path], tmp_path: Path) -> None:
    rows = pq.read_table(table_path(own["same"], PAIRS)).to_pydict()
    rows["image"] = [image_cell(b"RIFF", "x.webp") for _ in rows["image"]]
    write_table(own["same"], PAIRS, rows)
    rehash(own["same"])
    for order in ((own["a"], own["same"]), (own["same"], own["a"])):
        found = combine(order, tmp_path / order[0].name / "combined")
        assert found.pairs["image"].null_count == 0
        assert len(found.pairs) == 30


def test_single_drawings_come_along(own: dict[str, Path], tmp_path: Path) -> None:
    energies = load_bundle(own["others"]).energies("box")
    twice = GenerationEnergies(
        energies.take(np.repeat(np.arange(30), 2)), np.repeat(np.arange(30), 2)
    )
    twice.save(generation_energies_path(own["others"], "box"))
    manifest = read_json(own["others"] / MANIFEST)
    manifest["files"]["deltas/generations/box.safetensors"] = {}
    write_json(own["others"] / MANIFEST, manifest)
    rehash(own["others"])
    generation_energies = combine([own["a"], own["others"]], tmp_path / "out").generation_energies(
        "box"
    )
    assert generation_energies is not None
    assert equal(generation_energies.energies, twice.energies)


def test_labels_are_merged_and_findings_left_out(own: dict[str, Path], tmp_path: Path) -> None:
    analyse(own["a"], ["frequency"])
    table = load_bundle(own["others"]).label_table
    add_tables(own["others"], {LABELS: changed(table, [Label(0, "a bird feeder")])})
    found = combine([own["a"], own["others"]], tmp_path / "out")
    assert found.labels[0] == "a bird feeder"
    assert found.labels[1:] == load_bundle(own["a"]).labels[1:]
    assert not any(name.startswith(FINDINGS) for name in found.manifest.files)
    assert not (found.root / FINDINGS).exists()


def test_one_model_twice_is_there_once(made: dict[str, Path], tmp_path: Path) -> None:
    found = combine([made["a"], made["same"], made["a"]], tmp_path / "out")
    assert list(found.models) == ["ash", "cob"]


def test_unlike_models_of_one_name_are_refused_or_named_apart(
    made: dict[str, Path], own: dict[str, Path], tmp_path: Path
) -> None:
    other = write_synthetic(tmp_path / "ash", replace(OTHERS, models={"ash": "Ash"}, name="later"))
    (tmp_path / "outs").mkdir()
    out = tmp_path / "outs" / "combined"
    refused([own["a"], other], out, "different results of the model ash: combine with --rename")
    found = combine([own["a"], other, own["a"], other], out, rename=True)
    assert {name: entry.title for name, entry in found.models.items()} == {
        "ash": "Ash",
        "ash-2": "Ash (later)",
    }
    tables = [table_path(found.root, DELTAS, "ash-2"), table_path(other, DELTAS, "ash")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    ids = found.image_ids("ash-2")
    assert found.thumbnail("ash-2", ids[0]) == load_bundle(other).thumbnail("ash", ids[0])
    assert len(combine([found, own["a"]], tmp_path / "again").models) == 2


@pytest.mark.parametrize("much", [False, True])
def test_other_energies_of_one_image_are_refused_rounding_is_not(
    own: dict[str, Path], tmp_path: Path, much: bool
) -> None:
    path = energies_path(own["same"], NATURAL)
    energies = ImageEnergies.load(path)
    changed = energies.energies.copy()
    changed[energies.indptr[4] : energies.indptr[5]] *= 1.5 if much else 1.0001
    replace(energies, energies=changed).save(path)
    rehash(own["same"])
    pair = load_bundle(own["a"]).image_ids(NATURAL)[4]
    (tmp_path / "outs").mkdir()
    if much:
        refused([own["a"], own["same"]], tmp_path / "outs" / "o", f"(pairs {pair})")
    else:
        found = combine([own["a"], own["same"]], tmp_path / "outs" / "o")
        assert equal(found.energies(NATURAL), load_bundle(own["a"]).energies(NATURAL))


def test_what_cannot_be_combined_is_one_sentence(own: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "outs"
    folder.mkdir()
    out = folder / "combined"
    elsewhere = write_synthetic(tmp_path / "elsewhere", replace(A, concept_seed=9))
    refused([own["a"], elsewhere], out, "another concept space")
    refused([], out, "at least one bundle")
    old = Path(__file__).parents[1] / "golden" / "schema1"
    alike = Path(shutil.copytree(old, tmp_path / "old"))
    manifest = read_json(alike / MANIFEST)
    manifest["concept_space"] = load_bundle(own["a"]).concept_space
    manifest["models"] = []
    write_json(alike / MANIFEST, manifest)
    refused([own["a"], Bundle(alike)], out, "schema version 1: bring it to today's first")
    later = own["others"]
    manifest = read_json(later / MANIFEST) | {"schema_version": "9.0"}
    write_json(later / MANIFEST, manifest)
    refused([own["a"], later], out, "schema version '9.0'")
    (own["same"] / MANIFEST).unlink()
    refused([own["a"], own["same"]], out, "bundle.json is missing")
    heatmaps_path(own["apart"], NATURAL).write_bytes(b"half")
    refused([own["a"], own["apart"]], out, "heatmaps/natural.safetensors has 4 bytes")
    refused([own["a"]], own["a"], "is not empty: choose another folder")
    assert faults(own["a"]) == []


def test_other_tokens_are_refused(own: dict[str, Path], tmp_path: Path) -> None:
    manifest = read_json(own["others"] / MANIFEST)
    manifest["models"][0]["settings"]["tokens"] = "all"
    write_json(own["others"] / MANIFEST, manifest)
    (tmp_path / "outs").mkdir()
    refused([own["a"], own["others"]], tmp_path / "outs" / "o", "with the same --tokens")


def test_the_command_tells_what_it_found(made: dict[str, Path], tmp_path: Path) -> None:
    command = ["combine", str(made["a"]), str(made["others"]), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(cli.app, [*command, "--name", "both", "-q"])
    assert told.exit_code == 0
    assert "Ash" in told.output
    assert "Box" in told.output
    assert load_bundle(tmp_path / "out").name == "both"
    assert bh.combine is combine


def test_a_combined_bundle_is_published_and_comes_back(hub: Any, tmp_path: Path) -> None:
    a = write_publishable(tmp_path / "a")
    b = write_publishable(tmp_path / "b", seed=3)
    found = combine([a, b], tmp_path / "out", rename=True, name="both")
    push(found.root, hub.owner, "1.0.0", natural_images="all")
    back = load_bundle(f"{hub.owner}/both@1.0.0", ("pairs", "generations", "sae"))
    assert list(back.models) == ["plain-a", "plain-b", "plain-a-2", "plain-b-2"]
    assert back.manifest.files == found.manifest.files
    assert back.labels == found.labels


def test_null_columns_survive(made: dict[str, Path], one: Bundle) -> None:
    was = load_bundle(made["a"])
    for name in ("x", "x_codes", "frequency"):
        assert one.concepts[name].equals(was.concepts[name])
    assert isinstance(one.label_table, pa.Table)
