"""Co-activation against a dense Z'Z, numpy's eigenvalues, and worlds of known company."""

from __future__ import annotations

import numpy as np
import pytest
from energy_bundle import EnergyBundle
from energy_worlds import from_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots_hub import planted
from blindspots_hub.analysis.coactivation import Coactivation, Halves, _natural, words
from blindspots_hub.analysis.coactivation_shared import THRESHOLDS, Shared, shared_entries
from blindspots_hub.analysis.coactivation_spectrum import PowerLaw, Spectrum
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle


def dense(images: int, n: int, seed: int, share: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.gamma(2, 1, (images, n)) * (rng.random((images, n)) < share), np.float32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), share=st.sampled_from([0.0, 0.05, 0.4]))
def test_entries_are_those_of_the_dense_square(seed: int, n: int, share: float) -> None:
    one, other = dense(30, n, seed, share), dense(25, n, seed + 1, share)
    found = shared_entries(from_dense(one), from_dense(other))
    squares = [side.T.astype(np.float64) @ side / len(side) for side in (one, other)]
    for square in squares:
        np.fill_diagonal(square, 0)
    for place, threshold in enumerate(THRESHOLDS):
        a, b = (square > threshold for square in squares)
        assert (found.one[place], found.other[place]) == (a.sum(), b.sum())
        assert found.both[place] == (a & b).sum()


def test_unshared_by_hand() -> None:
    # The other has entries (0, 1), (1, 0), (2, 3), (3, 2); the one only the first two.
    one = np.array([[1, 1, 0, 0]], np.float32)
    other = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.float32)
    found = shared_entries(from_dense(one), from_dense(other))
    assert found.unshared[0] == pytest.approx(0.5)
    assert np.isnan(Shared.of(np.zeros((4, 2, 3), int)).unshared).all()


@pytest.mark.parametrize("shape", [(60, 40), (30, 80)])
def test_spectrum_is_numpys(shape: tuple[int, int]) -> None:
    z = dense(*shape, seed=3)
    found = Spectrum.of(from_dense(z).matrix, top=10)
    values, vectors = np.linalg.eigh(z.T.astype(np.float64) @ z / len(z))
    assert found.values == pytest.approx(values[::-1][:10], rel=1e-2)
    turned = np.abs(found.vectors.T @ vectors[:, ::-1][:, :10])
    assert np.diag(turned)[:3] == pytest.approx(1, abs=1e-2)
    assert found.overlap(found) == pytest.approx(1, abs=1e-4)


def test_subspaces_of_other_concepts_do_not_overlap() -> None:
    left, right = np.zeros((40, 30)), np.zeros((40, 30))
    left[:, :15], right[:, 15:] = dense(40, 15, 0, 0.6), dense(40, 15, 1, 0.6)
    one, other = (Spectrum.of(from_dense(side).matrix, 10) for side in (left, right))
    assert one.overlap(other) == pytest.approx(0, abs=1e-6)


def test_a_power_law_is_found_and_an_exponential_is_none() -> None:
    rank = np.arange(1.0, 101)
    law = PowerLaw.of(3 * rank**-1.7)
    assert law.exponent == pytest.approx(1.7)
    assert law.r2 == pytest.approx(1)
    falling = PowerLaw.of(np.exp(-rank / 8))
    assert falling.exponential_r2 > falling.r2
    assert np.isnan(PowerLaw.of(np.ones(2)).exponent)


def _beside_chance(unshared: float, null: float, error: float) -> str:
    def entries(share: float) -> Shared:
        thresholds = len(THRESHOLDS)
        whole = np.full(thresholds, 10_000)
        both = np.full(thresholds, round(10_000 * (1 - share)))
        return Shared(whole, whole, both, error)

    one = Spectrum(1 / np.arange(1.0, 30), np.zeros((40, 29)))
    cosines = np.eye(29)
    found = Coactivation(entries(unshared), entries(null), one, one, 0.9, 0.9, cosines, cosines)
    return words(load_bundle(planted.BUNDLE), "cedar", found, "images")


def test_more_than_chance_is_beyond_the_error_of_both() -> None:
    assert "(more than chance)" in _beside_chance(0.5, 0.3, 0.05)
    assert "(less than chance)" in _beside_chance(0.1, 0.3, 0.05)
    assert "(no more than can be chance)" in _beside_chance(0.42, 0.3, 0.05)
    assert "(no more than can be chance)" in _beside_chance(0.3, 0.3, 0.0)


def test_natural_halves_follow_the_order_of_the_ids() -> None:
    """Not the bundle's own, wherever there are as many: the model's images stand beside them."""
    rng = np.random.default_rng(0)
    dense = rng.gamma(1.0, 1.0, (60, 12)) * (rng.random((60, 12)) < 0.4)
    bundle = EnergyBundle(from_dense(dense), from_dense(dense))
    turned = np.arange(60)[::-1]
    ids = np.array(bundle.image_ids("natural"))[turned]
    first, _, _ = _natural(bundle, tuple(ids))  # type: ignore[arg-type]
    rows = turned[Halves.of(60).first]
    assert first.values == pytest.approx(Spectrum.of(from_dense(dense[rows]).matrix).values)


def test_the_paper_s_signs_in_the_planted_world() -> None:
    """Sparsity is kept, entries differ beyond the null, leading subspaces overlap partly (F)."""
    bundle = load_bundle(planted.BUNDLE)
    one = analysis("coactivation")
    tuned, base = (one.answer(bundle, (name,)).table for name in ("alder-1-tuned", "alder-1"))
    for table in (tuned, base):
        natural, own = table["sparsity_natural"][0][0], table["sparsity_generated"][0][0]
        assert own == pytest.approx(natural, abs=0.02)
        assert table["overlap"][0] <= table["overlap_null"][0] + 0.02
    assert base["unshared"][0][0] > base["unshared_null"][0][0]
    assert tuned["overlap"][0] > base["overlap"][0]
