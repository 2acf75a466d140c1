"""Merged concepts, their hierarchy, their directions: by hand and against other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from energy_bundle import EnergyBundle
from energy_worlds import from_dense
from findings_fixtures import WIDTH, write_rich
from synthetic_bundle import Synthetic

from blindspots_hub import planted
from blindspots_hub.analysis import hierarchy
from blindspots_hub.analysis.groups import Blind, blind, live_atoms, merged
from blindspots_hub.analysis.orthogonality import cosines, usual
from blindspots_hub.analysis.redundancy import duplicates
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.atoms import dictionary
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import TOKEN_FIRES
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.sampler import GenerationEnergies


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("bundle") / "b"
    return load_bundle(write_rich(root, Synthetic(n_concepts=100, pairs=90)))


def test_merging_adds_energies_image_by_image() -> None:
    dense = np.array([[1, 2, 0, 4], [0, 3, 5, 0]], np.float32)
    found = merged(from_dense(dense), np.array([0, 1, 0, -1]))
    assert found.matrix.toarray() == pytest.approx(np.array([[1, 2], [5, 3]]))


def test_what_counts_as_changed() -> None:
    state = np.array(["dead", "undetermined", "aligned", "leaning", "weakened", "exaggerated"])
    found = Blind.of(state)
    assert (found.judged, found.changed) == (4, 2)


def test_single_concepts_are_what_the_table_says_of_several_generations() -> None:
    """A group of one concept is measured from single generations as its table was."""
    rng = np.random.default_rng(0)
    natural = rng.gamma(2.0, 1.0, (120, 30)) * (rng.random((120, 30)) < 0.15)
    drawn = rng.gamma(2.0, 1.0, (360, 30)) * (rng.random((360, 30)) < 0.07)
    single = GenerationEnergies(from_dense(drawn), np.repeat(np.arange(120), 3))
    bundle = EnergyBundle(from_dense(natural), single.mean, single)
    found = blind(bundle, "model", np.arange(30))  # type: ignore[arg-type]
    assert found.state.tolist() == bundle.deltas("model")["relative_state"].to_pylist()
    means = EnergyBundle(from_dense(natural), single.mean)
    assert found.state.tolist() != means.deltas("model")["relative_state"].to_pylist()


def test_groups_repeat_over_those_that_the_table_judges() -> None:
    """Support is pairs on either side: 14 natural and 14 other generated images are 28 pairs."""
    rng = np.random.default_rng(0)
    natural, drawn = np.zeros((2, 60, 8))
    for k in range(8):
        rows = rng.permutation(60)
        natural[rows[:14], k], drawn[rows[14:28], k] = rng.gamma(2.0, 1.0, (2, 14))
    bundle = EnergyBundle(from_dense(natural), from_dense(drawn))
    assert (bundle.deltas("model")["support"].to_numpy() == 28).all()
    assert np.isfinite(hierarchy.repeats(bundle, "model", np.arange(8)))  # type: ignore[arg-type]


def test_near_duplicates_are_joined_through_others(rich: Bundle) -> None:
    near = np.array([0.99, 0.97, 0.2, 0.2])
    table = pa.table(
        {
            "nearest": [[1], [2], [3], [0], *[[]] * 96],
            "nearest_cosine": [[c] for c in near] + [[]] * 96,
            "images": [1] * 100,
        }
    )
    table = table.set_column(0, "nearest", pc.cast(table["nearest"], pa.list_(pa.int32())))
    other = Bundle(rich.root)
    other.concepts = table
    group = duplicates(other, 0.95)
    assert group[0] == group[1] == group[2]
    assert len(np.unique(group)) == 98
    assert len(np.unique(duplicates(other, 0.98))) == 99


def test_levels_are_nested_and_join_what_is_near() -> None:
    bundle = load_bundle(planted.BUNDLE)
    fine, coarse = hierarchy.groups(bundle, 4), hierarchy.groups(bundle, 16)
    live = live_atoms(bundle)
    assert (np.flatnonzero(fine >= 0) == live).all()
    assert len(np.unique(fine[live])) == len(live) // 4
    for one in np.unique(fine[live]):
        assert len(np.unique(coarse[fine == one])) == 1
    atoms = dictionary(bundle.root)[live]
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    square = unit @ unit.T
    same = fine[live][:, None] == fine[live]
    np.fill_diagonal(same, False)
    assert square[same].mean() > square[~same].mean() + 0.1


def test_random_directions_have_the_cosine_that_is_told() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 48))
    assert np.abs(cosines(rows)).mean() == pytest.approx(usual(48), rel=0.02)
    assert usual(768) == pytest.approx(np.sqrt(2 / (np.pi * 768)), rel=1e-3)
    assert cosines(np.eye(3)) == pytest.approx([0, 0, 0])


def test_orthogonality_of_random_atoms_is_that_of_chance(rich: Bundle) -> None:
    found = analysis("orthogonality").answer(rich, tuple(rich.models))
    assert found.table["cosine"][0] == pytest.approx(usual(WIDTH), rel=0.05)
    assert "about as random directions are" in found.sentence
    singular = np.linalg.svd(dictionary(rich.root), compute_uv=False)
    assert found.table["s_max"][0] == pytest.approx(singular.max(), rel=1e-4)


def test_concepts_beside_the_patches_are_counted(rich: Bundle) -> None:
    found = analysis("token_kinds").answer(rich, ("plain-a",))
    table = rich.optional(TOKEN_FIRES, "plain-a")
    assert table is not None
    counts = np.stack([column.to_numpy() for column in table.columns])
    beside = np.flatnonzero((counts[:4] > 0).any(axis=0) & ~(counts[4:] > 0).any(axis=0))
    assert sorted(found.table["beside_patches"][0]) == beside.tolist()
    assert f"{len(beside)} of " in found.sentence


def test_a_bundle_without_its_dictionary_says_so(tmp_path: Path, rich: Bundle) -> None:
    with pytest.raises(BlindspotsError, match="holds no dictionary"):
        dictionary(tmp_path)
