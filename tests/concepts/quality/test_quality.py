"""Quality of a RA-SAE: against brute force, golden cases, and what must hold for all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from concepts_fixtures import tiny_rasae
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from blindspots_hub.concepts.quality import atoms as quality_atoms
from blindspots_hub.concepts.quality import stability as quality_stability
from blindspots_hub.concepts.quality.atoms import atom_cosines
from blindspots_hub.concepts.quality.hull import fitted_scale, hull_distances, onto_simplex
from blindspots_hub.concepts.quality.reconstruction import Reconstruction, reconstruction_quality
from blindspots_hub.concepts.quality.stability import Run, independence, match, stability
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive

SEEDS = st.integers(0, 2**31)


def _rows(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# reconstruction


def test_reconstruction_equals_the_dense_computation() -> None:
    sae, tokens = tiny_rasae(), _rows(300, 6, 1)
    dense = torch.from_numpy(sae.encode(tokens).to_dense()).double()
    error = (dense @ sae.dictionary.double() - tokens.double()).square().sum()
    spread = (tokens.double() - tokens.double().mean(0)).square().sum()
    quality = reconstruction_quality(sae, tokens, chunk=70)
    assert quality["r2"] == pytest.approx(float(1 - error / spread), abs=1e-6)
    assert quality["l0"] == pytest.approx(float((dense > 0).sum() / 300))
    assert quality["dead_share"] == pytest.approx(float((dense.sum(0) == 0).float().mean()))


def test_reconstruction_counts_fires_and_does_not_depend_on_chunks() -> None:
    sae, tokens = tiny_rasae(), _rows(100, 6, 1)
    whole, parts = Reconstruction(sae), Reconstruction(sae)
    whole.add(tokens)
    for chunk in tokens.split(33):
        parts.add(chunk)
    assert np.array_equal(whole.fires, parts.fires)
    assert whole.fires.sum() == whole.codes
    assert parts.quality() == pytest.approx(whole.quality())


@pytest.mark.parametrize("tokens", [torch.zeros(0, 6), torch.ones(5, 6)])
def test_r2_of_tokens_that_do_not_differ_is_refused(tokens: torch.Tensor) -> None:
    with pytest.raises(BlindspotsError, match="do not differ"):
        reconstruction_quality(tiny_rasae(), tokens)


# redundancy and coherence


@given(SEEDS, st.integers(2, 30), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_cosines_equal_brute_force(seed: int, n: int, order: int) -> None:
    dictionary = _rows(n, 4, seed)
    found = drive(atom_cosines(dictionary, babel_order=order))
    unit = dictionary.double() / dictionary.double().norm(dim=1, keepdim=True)
    cosine = (unit @ unit.T).numpy()
    off = ~np.eye(n, dtype=bool)
    signed = np.where(off, cosine, -np.inf)
    assert np.allclose(found.nearest, signed.max(1), atol=1e-6)
    assert np.allclose(cosine[np.arange(n), found.nearest_atom], signed.max(1), atol=1e-6)
    absolute = np.abs(cosine) * off
    assert found.coherence == pytest.approx(absolute.max(), abs=1e-6)
    assert found.mean_absolute == pytest.approx(absolute[off].mean(), abs=1e-6)
    order = min(order, n - 1)
    assert found.babel == pytest.approx(np.sort(absolute)[:, -order:].sum(1).max(), abs=1e-5)


def test_cosines_of_a_small_golden_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy, an opposite and a zero: only the copy is redundant, and the opposite coherent."""
    monkeypatch.setattr(quality_atoms, "_BLOCK_BYTES", 16)  # a row at a time
    dictionary = torch.tensor([[1.0, 0], [0, 2], [0, 0], [3, 0], [0, -1]])
    found = drive(atom_cosines(dictionary, babel_order=2))
    assert found.atoms.tolist() == [0, 1, 3, 4]
    assert found.nearest.tolist() == [1, 0, 1, 0]
    assert found.nearest_atom[[0, 2]].tolist() == [3, 0]
    summary = found.summary()
    assert summary["nearest_over_0.9"] == 0.5
    assert summary["coherence"] == 1
    assert summary["babel_2"] == 1
    assert summary["mean_absolute_cosine"] == pytest.approx(4 / 12)
    assert summary["zero_atoms"] == 1


@pytest.mark.parametrize(
    ("dictionary", "told"),
    [(torch.tensor([[1.0], [0.0]]), "1 atoms"), (torch.tensor([[1.0], [torch.nan]]), "NaN")],
)
def test_dictionaries_without_cosines_are_refused(dictionary: torch.Tensor, told: str) -> None:
    with pytest.raises(BlindspotsError, match=told):
        drive(atom_cosines(dictionary))


# distance from the hull


def _exact_distance(x: torch.Tensor, points: torch.Tensor) -> float:
    """By non-negative least squares: the minimiser of ‖u P‖² + (Σu − 1)² is the nearest point's."""
    moved = (points - x).double().numpy()
    size = np.linalg.norm(moved, axis=1).mean()
    system = np.vstack([moved.T / size, np.ones(len(points))])
    # not scipy's nnls, which stops too early in some of its versions
    u = lsq_linear(system, np.r_[np.zeros(len(x)), 1.0], (0, np.inf), "bvls", 1e-14).x
    return float(np.linalg.norm(u / u.sum() @ moved))


@given(SEEDS, st.integers(1, 40), st.integers(1, 8), st.floats(0.2, 5))
@settings(max_examples=25, deadline=None)
def test_hull_distances_enclose_the_exact_ones(seed: int, p: int, d: int, scale: float) -> None:
    points, atoms = _rows(p, d, seed) + 1, 2 * _rows(7, d, seed + 1)
    found = drive(hull_distances(atoms, points, scale))
    for atom, upper, lower in zip(atoms / scale, found.upper, found.lower, strict=True):
        exact = _exact_distance(atom, points) / float(atom.norm())
        assert lower - 2e-5 <= exact <= upper + 2e-5
        assert upper - lower <= 1.1e-3


def test_hull_distances_of_a_square() -> None:
    square = torch.tensor([[1.0, 1], [1, 2], [2, 1], [2, 2]])
    atoms = torch.tensor([[1.5, 1.2], [3.0, 4.0], [1.5, 0.5]])
    found = drive(hull_distances(atoms, square, tolerance=1e-5))
    expected = [0, np.hypot(1, 2) / 5, 0.5 / np.hypot(1.5, 0.5)]
    assert found.upper == pytest.approx(expected, abs=1e-4)
    # The same dictionary times exp(m), and its scale with it.
    again = drive(hull_distances(7 * atoms, square, scale=7, tolerance=1e-5))
    assert again.upper == pytest.approx(expected, abs=1e-4)


def test_a_relaxed_archetypal_dictionary_is_as_far_as_its_relaxation() -> None:
    points = _rows(40, 32, 0) + 3 * torch.eye(32)[0]
    mixed = torch.softmax(3 * _rows(20, 40, 1), dim=1) @ points
    inside = drive(hull_distances(mixed, points))
    assert inside.upper.max() <= 1e-3
    relaxed = mixed + 0.7 * torch.nn.functional.normalize(_rows(20, 32, 2), dim=1)
    found = drive(hull_distances(relaxed, points))
    assert (found.lower * relaxed.norm(dim=1).numpy()).max() <= 0.7 + 1e-5
    summary = found.summary()
    assert summary["hull_distance_max"] >= summary["hull_distance_median"] > 0.01
    assert summary["hull_distance_uncertainty"] <= 1e-3


def test_a_scale_that_was_lost_is_found_again() -> None:
    """Corners of a thin shell: at any other scale they would lie off the hull."""
    points = torch.nn.functional.normalize(_rows(60, 20, 0), dim=1) + 2 * torch.eye(20)[0]
    atoms = 5 * points[:20]
    assert drive(fitted_scale(atoms, points, tolerance=1e-3)) == pytest.approx(5, rel=0.01)
    with pytest.raises(BlindspotsError, match="point away"):
        drive(fitted_scale(-atoms, points))


def test_points_of_another_width_are_refused() -> None:
    with pytest.raises(BlindspotsError, match="width 3"):
        drive(hull_distances(torch.ones(2, 3), torch.ones(2, 4)))
    with pytest.raises(BlindspotsError, match="NaN"):
        drive(hull_distances(torch.ones(2, 3), torch.full((2, 3), torch.nan)))


@given(SEEDS, st.integers(1, 12), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_the_projection_onto_the_simplex_is_optimal(seed: int, p: int, size: float) -> None:
    rows = size * _rows(3, p, seed)
    found = onto_simplex(rows)
    assert torch.all(found >= 0)
    assert torch.allclose(found.sum(1), torch.ones(3), atol=1e-4)
    # Optimality: what is taken from a row's entry is the same wherever something is left, and no
    # more than that elsewhere.
    for row, result in zip(rows, found, strict=True):
        taken = row - result
        threshold = taken[result > 0].mean()
        assert torch.allclose(taken[result > 0], threshold, atol=1e-4 * max(1, size))
        assert torch.all(row[result == 0] <= threshold + 1e-4 * max(1, size))


# stability


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_matching_is_the_best_of_all(seed: int, n: int, m: int) -> None:
    first, second = _rows(n, 3, seed), _rows(m, 3, seed + 1)
    found = drive(match(first, second))
    unit = [torch.nn.functional.normalize(x.double(), dim=1) for x in (first, second)]
    cosine = (unit[0] @ unit[1].T).numpy()
    small, table = min(n, m), cosine if n <= m else cosine.T
    best = max(
        sum(table[i, j] for i, j in enumerate(order))
        for order in itertools.permutations(range(max(n, m)), small)
    )
    assert found.exact
    assert len(set(found.first)) == len(set(found.second)) == small
    assert np.allclose(found.cosine, cosine[found.first, found.second], atol=1e-6)
    assert found.cosine.mean() == pytest.approx(best / small, abs=1e-6)


@pytest.mark.parametrize("noise", [0.3, 3.0])
@pytest.mark.parametrize("sizes", [(300, 300), (250, 300), (300, 250)])
def test_the_matching_of_large_dictionaries_stays_near_the_optimum(
    noise: float, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _rows(sizes[0], 16, 0)
    second = (torch.cat([first, first])[: sizes[1]] + noise * _rows(sizes[1], 16, 1)).flip(0)
    exact = drive(match(first, second))
    monkeypatch.setattr(quality_stability, "EXACT_ATOMS", 10)
    monkeypatch.setattr(quality_stability, "NEIGHBOURS", 8)
    found = drive(match(first, second))
    assert not found.exact
    assert len(set(found.first)) == len(set(found.second)) == min(sizes)
    assert found.cosine.mean() <= exact.cosine.mean() + 1e-9
    assert found.cosine.mean() >= exact.cosine.mean() - 0.01
    assert exact.cosine.mean() <= found.upper_bound + 1e-6


def test_neighbours_that_all_want_one_atom_are_still_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every atom's nearest is the same one: among neighbours alone there is no full matching."""
    monkeypatch.setattr(quality_stability, "EXACT_ATOMS", 1)
    monkeypatch.setattr(quality_stability, "NEIGHBOURS", 1)
    first = torch.tensor([[1.0, 0.01 * i] for i in range(6)])
    second = torch.cat([torch.tensor([[1.0, 0.0]]), -_rows(5, 2, 0).abs()])
    found = drive(match(first, second))
    assert sorted(found.first) == sorted(found.second) == list(range(6))


def test_a_shared_start_is_never_called_independent() -> None:
    atoms = _rows(20, 4, 0)
    runs = {
        "a": Run("a", atoms, seed=0, centroids="c0"),
        "b": Run("b", atoms.flip(0), seed=1, centroids="c1"),
        "seed": Run("seed", atoms, seed=0, centroids="c2"),
        "start": Run("start", atoms, seed=2, centroids="c0"),
        "silent": Run("silent", atoms, seed=3),
    }
    verdicts = {name: independence(runs["a"], run) for name, run in runs.items() if name != "a"}
    assert {name: verdict[0] for name, verdict in verdicts.items()} == {
        "b": True,
        "seed": False,
        "start": False,
        "silent": None,
    }
    assert "k-means" in verdicts["start"][1]
    assert "unknown" in verdicts["silent"][1]
    found = drive(stability([runs["a"], runs["b"], runs["start"]]))
    assert [(s.first, s.second, s.independent) for s in found] == [
        ("a", "b", True),
        ("a", "start", False),
        ("b", "start", True),
    ]
    assert found[0].summary()["mean_cosine"] == pytest.approx(1)
    assert found[0].summary()["matched_over_0.99"] == 1


def test_what_cannot_be_matched_is_refused() -> None:
    with pytest.raises(BlindspotsError, match="two trained models"):
        drive(stability([Run("a", _rows(3, 2, 0))]))
    with pytest.raises(BlindspotsError, match="width"):
        drive(match(_rows(3, 2, 0), _rows(3, 4, 0)))
    with pytest.raises(BlindspotsError, match="zeros"):
        drive(match(_rows(3, 2, 0), torch.zeros(3, 2)))


def test_a_permuted_and_scaled_copy_is_recognised() -> None:
    first = _rows(50, 8, 3)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    found = drive(match(first, 4 * first[order]))
    assert np.array_equal(order.numpy()[found.second], found.first)
    assert found.cosine == pytest.approx(1)
