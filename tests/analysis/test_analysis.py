"""The concept map's ingredients, planning and words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from energy_worlds import from_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis import concept_map as concept_table
from blindspots_hub.analysis import planning
from blindspots_hub.analysis.deltas import SIDES, ModelDeltas
from blindspots_hub.analysis.planning import promise, sure_change
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import CONCEPTS
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.serving.estimate import estimate


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("bundle") / "b"
    return load_bundle(write_synthetic(root, Synthetic(n_concepts=300, pairs=200)))


def test_nearest_atoms_are_exact_across_blocks() -> None:
    dictionary = np.random.default_rng(0).normal(size=(1300, 16))
    index, cosine = concept_table.nearest_atoms(dictionary, 5)
    unit = dictionary / np.linalg.norm(dictionary, axis=1, keepdims=True)
    square = unit @ unit.T
    np.fill_diagonal(square, -2)
    assert np.array_equal(index, np.argsort(-square, axis=1, kind="stable")[:, :5])
    assert cosine == pytest.approx(-np.sort(-square, axis=1)[:, :5], abs=1e-5)


def test_companions_share_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concept_table, "MIN_TOGETHER", 2)
    dense = np.array([[1, 2, 0, 0], [3, 1, 0, 1], [1, 0, 0, 1], [0, 1, 0, 0]], np.float64)
    index, cosine = concept_table.co_occurring(from_dense(dense), 3)
    # 0 and 1 share images 0 and 1 of 3 each; 0 and 3 share images 1 and 2; 1 and 3 only one.
    assert [row.tolist() for row in index] == [[3, 1], [0], [], [0]]
    assert cosine[0] == pytest.approx([2 / np.sqrt(6), 2 / 3])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    count=st.integers(1, 12),
    share=st.sampled_from([0.05, 0.3, 0.9]),
)
def test_companions_are_the_highest_cosines(seed: int, n: int, count: int, share: float) -> None:
    fires = np.random.default_rng(seed).random((40, n)) < share
    index, cosine = concept_table.co_occurring(from_dense(fires.astype(np.float64)), count)
    shared = fires.T.astype(np.int64) @ fires
    images = np.diag(shared).copy()
    np.fill_diagonal(shared, 0)
    for concept in range(n):
        others = np.flatnonzero(shared[concept] >= concept_table.MIN_TOGETHER)
        values = shared[concept, others] / np.sqrt(images[concept] * images[others])
        best = np.lexsort((others, -values))[:count]
        assert index[concept].tolist() == others[best].tolist()
        assert np.array_equal(cosine[concept], values[best].astype(np.float32))


def test_atlas_is_the_concepts_table() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(4, 24))
    dictionary = np.repeat(centres, 25, axis=0) + 0.05 * rng.normal(size=(100, 24))
    natural = from_dense(rng.gamma(1, 1, (50, 100)) * (rng.random((50, 100)) < 0.1))
    assert natural.fires.min() > 0
    columns = concept_table.concept_table(dictionary.astype(np.float32), natural)
    assert set(columns) == {*CONCEPTS.names} - {"label"}
    assert columns["frequency"] == pytest.approx((natural.matrix.toarray() > 0).mean(axis=0))
    # Four tight groups of atoms are four groups on the map.
    xy = np.column_stack([columns["x"], columns["y"]]).reshape(4, 25, 2)
    middle = xy.mean(axis=1)
    spread = np.linalg.norm(xy - middle[:, None], axis=2).max()
    apart = min(np.linalg.norm(middle[i] - middle[j]) for i in range(4) for j in range(i))
    assert apart > spread


def groups_of_company(n: int, size: int, dead: int) -> np.ndarray:
    """Energies (400, n): groups of `size` concepts fire together, the last `dead` ones never."""
    rng = np.random.default_rng(2)
    shown = rng.random((400, n // size)) < 0.15
    fires = np.repeat(shown, size, axis=1) & (rng.random((400, n)) < 0.8)
    fires[:, n - dead :] = False
    return rng.gamma(4, 1, (400, n)) * fires


def test_dead_concepts_are_on_no_map_and_nobodys_neighbour() -> None:
    rng = np.random.default_rng(3)
    dense = groups_of_company(120, 20, dead=60)
    common = rng.normal(size=16)
    dictionary = common + 0.5 * rng.normal(size=(120, 16))
    dictionary[60:] = common + 0.01 * rng.normal(size=(60, 16))  # nearer to all than they are
    columns = concept_table.concept_table(dictionary.astype(np.float32), from_dense(dense))
    for name in ("x", "y", "x_codes", "y_codes"):
        assert columns[name].is_null().to_numpy(False).tolist() == [False] * 60 + [True] * 60
    assert all(
        len(row) == concept_table.NEIGHBOURS and row.max() < 60 for row in columns["nearest"][:60]
    )
    assert all(len(row) == 0 for row in columns["nearest"][60:])
    assert all(len(row) == 0 for row in columns["nearest_cosine"][60:])
    assert (columns["cluster"][60:] == -1).all()
    unit = dictionary[:60] / np.linalg.norm(dictionary[:60], axis=1, keepdims=True)
    square = unit @ unit.T
    np.fill_diagonal(square, -2)
    best = np.argsort(-square, axis=1)[:, : concept_table.NEIGHBOURS]
    assert [row.tolist() for row in columns["nearest"][:60]] == best.tolist()


def test_concepts_that_fire_together_are_near_by_their_codes() -> None:
    dense = groups_of_company(100, 20, dead=0)
    atoms = np.random.default_rng(5).normal(size=(100, 16))  # which say nothing of it
    columns = concept_table.concept_table(atoms.astype(np.float32), from_dense(dense))

    def same_group(x: str, y: str) -> float:
        xy = np.column_stack([columns[x].to_numpy(), columns[y].to_numpy()])
        away = np.linalg.norm(xy[:, None] - xy, axis=2)
        np.fill_diagonal(away, np.inf)
        return float((away.argmin(1) // 20 == np.arange(100) // 20).mean())

    assert same_group("x_codes", "y_codes") > 0.95
    assert same_group("x", "y") < 0.6


@pytest.mark.parametrize("live", [0, 1, 2, 3, 5])
def test_a_map_of_hardly_any_concepts(live: int) -> None:
    dense = np.zeros((30, 8))
    dense[:, :live] = 1 + np.random.default_rng(0).random((30, live))
    columns = concept_table.concept_table(np.eye(8, dtype=np.float32), from_dense(dense))
    assert [len(columns[name]) for name in columns] == [8] * len(columns)
    assert 8 - columns["x"].null_count == 8 - columns["x_codes"].null_count == live


def test_projected_company_keeps_the_angles_of_the_rows() -> None:
    dense = groups_of_company(300, 10, dead=0)
    scaled = dense / np.linalg.norm(dense, axis=0)
    rows = scaled.T @ scaled
    found = concept_table.codes_by_company(from_dense(dense), np.arange(300))
    exact, projected = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (rows, found))
    assert found.shape == (300, concept_table.PROJECTED)
    assert np.abs(exact @ exact.T - projected @ projected.T).max() < 0.3
    assert np.abs(exact @ exact.T - projected @ projected.T).mean() < 0.06


def test_rankings_hold_only_what_is_determined(bundle: Bundle) -> None:
    for model in bundle.models:
        table = bundle.deltas(model)
        for kind, prefix in (("relative", "relative_"), ("absolute", "")):
            reading = ModelDeltas.of(table, kind)
            states = np.array(table[f"{prefix}state"].to_pylist())
            value = table[f"{prefix}delta"].to_numpy()
            certain = np.array(table[f"{prefix}certain"].to_pylist())
            for side, sign in (("suppressed", 1), ("exaggerated", -1)):
                found = reading.ranking(side)
                sized = np.isin(states, SIDES[side])
                leaning = (states == "leaning") & (sign * (value - 0.5) < 0)
                assert sorted(found) == np.flatnonzero(sized | leaning).tolist()
                # Sorted by the end of the selection interval that is nearest to no change.
                end = "high" if sign > 0 else "low"
                for of in ("gap", "delta"):
                    nearest = table[f"{prefix}{of}_selected_{end}"].to_numpy()[found]
                    assert np.all(np.diff(sign * nearest) >= 0)
                sure = reading.ranking(side, certain_only=True)
                assert sorted(sure) == np.flatnonzero(certain & (states == side)).tolist()


def test_the_strongest_changes_are_ranked_where_delta_is_one_to_rounding() -> None:
    rng = np.random.default_rng(0)
    natural = rng.gamma(50, 0.02, (400, 4))
    energies = [from_dense(np.asarray(s, np.float32)) for s in (
        natural, natural * np.array([41, 101, 1, 61]))]  # fmt: skip
    deltas = ModelDeltas.of(pa.table(measure(*energies, MeasureSettings(), True)), "absolute")
    assert (deltas.selected_low[[0, 1, 3]] == 1).all()
    assert deltas.ranking("exaggerated").tolist() == [1, 3, 0]
    assert deltas.blindspots("exaggerated").tolist() == [1, 3, 0]


def test_a_plan_is_made_from_a_sample(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(planning.Spreads.of(bundle, "plain-a").share)
    monkeypatch.setattr(planning, "SAMPLE", whole - 1)
    assert whole / 2 <= len(planning.Spreads.of(bundle, "plain-a").share) < whole


def test_more_pairs_resolve_smaller_gaps(bundle: Bundle) -> None:
    gaps = [sure_change(np.array(0.1), np.array(1.5), n, 0.99).item() for n in (400, 1600, 6400)]
    assert all(later < earlier for earlier, later in pairwise(gaps))
    assert gaps[2] == pytest.approx(gaps[1] / 2, rel=0.2)  # with many pairs, by their root
    # Ten images are too few for any sure change, however often they would have to fire.
    assert np.isnan(sure_change(np.array(0.01), np.array(1.5), 100, 0.99))


def test_promises_count_support(bundle: Bundle) -> None:
    few, many = promise(bundle, 100), promise(bundle, 1000)
    assert few is not None
    assert many is not None
    assert few.share < many.share <= 1
    assert many.gap is not None
    nothing = promise(bundle, 2)
    assert nothing is not None
    assert (nothing.share, nothing.gap) == (0.0, None)
    assert "show no change" in estimate("planted/cedar", 2, bundle).sentence


def test_estimates_grow_with_the_model_and_the_pairs(bundle: Bundle, tmp_path: Path) -> None:
    small, more = (estimate("planted/cedar", n, bundle) for n in (200, 400))
    assert small.seconds_high <= 120
    assert more.seconds_high > small.seconds_high
    assert estimate("org/some-model", 200, bundle).seconds_low > small.seconds_low
    assert "200 pairs can judge" in small.sentence


def test_points_keep_no_more_distances_however_many_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A share of all points as neighbours of each would be their square in memory."""
    import sklearn.cluster

    asked: list[tuple[int, int]] = []

    class Noted:
        def __init__(self, size: int, smoothed: int, copy: bool) -> None:
            asked.append((size, smoothed))

        def fit_predict(self, points: np.ndarray) -> np.ndarray:
            return np.zeros(len(points))

    monkeypatch.setattr(sklearn.cluster, "HDBSCAN", Noted)
    for points in (600, 32_000, 128_000):
        concept_table.clusters(np.zeros((points, 2)))
    assert asked == [(5, 5), (160, 160), (640, 160)]
