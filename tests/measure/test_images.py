"""Top images, distances and duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from energy_worlds import correlated, from_dense
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import delta
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import (
    SAME,
    clusters,
    duplicates,
    pair_distances,
    pair_mean_delta,
    top_images,
)

RATES, SHIFT = np.full(30, 0.2), np.linspace(0, 3, 30)


def test_top_images_are_the_highest_and_ties_go_to_the_lower_row() -> None:
    dense = np.array([[1, 0, 5], [3, 0, 5], [2, 0, 0], [3, 0, 1]], np.float64)
    assert [rows.tolist() for rows in top_images(from_dense(dense), 3)] == [
        [1, 3, 2],
        [],
        [0, 1, 3],
    ]


@given(
    arrays(np.int8, st.tuples(st.integers(0, 9), st.just(4)), elements=st.integers(0, 3)),
    st.integers(0, 12),
)
def test_top_images_are_what_sorting_gives(dense: np.ndarray, count: int) -> None:
    """Also with ties, with silent images, and where there are fewer images than asked for."""
    for concept, rows in enumerate(top_images(from_dense(dense.astype(np.float64)), count)):
        column = dense[:, concept].astype(int)
        expected = sorted(np.flatnonzero(column), key=lambda row: (-column[row], row))[:count]
        assert rows.tolist() == expected


@given(arrays(np.int8, st.tuples(st.integers(0, 9), st.just(4)), elements=st.integers(0, 3)))
def test_fires_and_largest_of_each_concept(dense: np.ndarray) -> None:
    energies = from_dense(dense.astype(np.float64))
    assert energies.fires.tolist() == np.count_nonzero(dense, axis=0).tolist()
    assert energies.largest.tolist() == dense.max(axis=0, initial=0).tolist()


def test_distances_against_dense() -> None:
    x, y = correlated(50, RATES, SHIFT, seed=1)
    d = y.astype(np.float64) - x
    a, b = from_dense(x), from_dense(y)
    assert pair_distances(a, b) == pytest.approx(np.linalg.norm(d, axis=1))
    assert pair_mean_delta(a, b, 0.8) == pytest.approx(delta(d, 0.8).mean(axis=1))


def test_duplicates_are_counted_and_empty_images_are_none() -> None:
    rng = np.random.default_rng(2)
    dense = rng.gamma(1.0, 1.0, (700, 40)) * (rng.random((700, 40)) < 0.4)
    dense[[3, 300, 650]] = dense[3]
    dense[10] = 0
    counts = duplicates(from_dense(dense))
    assert np.flatnonzero(counts).tolist() == [3, 300, 650]
    assert counts[3] == 2


def test_the_same_concepts_at_other_energies_are_no_duplicate() -> None:
    """One concept alone always points the same way: direction is not enough."""
    dense = np.array([[4.0, 0], [8.0, 0], [8.0, 0], [8.01, 0]])
    assert duplicates(from_dense(dense)).tolist() == [0, 2, 2, 2]


def test_duplicates_are_those_that_comparing_every_two_images_finds() -> None:
    rng = np.random.default_rng(5)
    dense = rng.gamma(1.0, 1.0, (1200, 90)) * (rng.random((1200, 90)) < 0.3)
    for row in range(0, 900, 3):  # neighbours on both sides of the tolerance
        noise = rng.normal(0, 1, 90) * (dense[row] > 0)
        size = rng.choice([0.0, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0]) * SAME
        dense[row + 1] = dense[row] + noise * np.linalg.norm(dense[row]) * size / np.linalg.norm(
            noise
        )
    dense[900:] = np.where(rng.random((300, 1)) < 0.5, dense[0], dense[900:])
    dense = dense.clip(0).astype(np.float32).astype(np.float64)
    norms = np.linalg.norm(dense, axis=1)
    distances = np.linalg.norm(dense[:, None] - dense, axis=2)
    same = distances <= SAME * np.sqrt(norms[:, None] * norms)
    expected = same.sum(axis=1) - 1
    assert 300 < (expected > 0).sum() < 1000
    assert np.array_equal(duplicates(from_dense(dense)), expected)


def test_take_reorders_and_save_round_trips(tmp_path: Path) -> None:
    x, _ = correlated(40, RATES, SHIFT, seed=3)
    energies = from_dense(x)
    rows = np.array([7, 0, 39, 7])
    assert np.array_equal(energies.take(rows).matrix.toarray(), x[rows].astype(np.float64))
    energies.save(tmp_path / "e.safetensors")
    loaded = ImageEnergies.load(tmp_path / "e.safetensors")
    assert np.array_equal(loaded.matrix.toarray(), energies.matrix.toarray())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("indptr", lambda a: a[::-1]),
        ("concepts", lambda a: a + 100),
        ("energies", lambda a: -a),
        ("energies", lambda a: a[:-1]),
    ],
)
def test_damaged_energies_are_refused(tmp_path: Path, name: str, change) -> None:
    x, _ = correlated(20, RATES, SHIFT, seed=4)
    path = tmp_path / "e.safetensors"
    from_dense(x).save(path)
    tensors = load_file(path)
    tensors[name] = np.ascontiguousarray(change(tensors[name]))
    save_file(tensors, path, metadata={"n_concepts": "30"})
    with pytest.raises(BlindspotsError, match="damaged"):
        ImageEnergies.load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BlindspotsError, match="fetch the bundle again"):
        ImageEnergies.load(path)


def test_copies_are_one_cluster() -> None:
    rng = np.random.default_rng(0)
    dense = rng.lognormal(0, 1, (40, 6))
    dense[3] = dense[9] = dense[1]  # equal
    dense[20] = dense[1] * (1 + 1e-3 * rng.random(6))  # nearly: stored once more
    dense[30:33] = 0  # nothing fires: no picture
    dense[5], dense[6] = 0, 0
    dense[5, 0], dense[6, 0] = 2.0, 2.001  # one concept each: nearly equal tells nothing
    dense[7], dense[8] = dense[5], dense[5]  # but equal does
    found = clusters(from_dense(dense))
    together = [np.flatnonzero(found == c).tolist() for c in range(found.max() + 1)]
    assert sorted(group for group in together if len(group) > 1) == [[1, 3, 9, 20], [5, 7, 8]]
    assert len(together) == 40 - 3 - 2
    assert clusters(from_dense(dense > 0)).tolist() == list(range(40))  # indicators tell nothing
