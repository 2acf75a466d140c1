"""Theorems 4 to 6 and Fréchet distances, by hand and against scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, sparse
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.frechet import frechet, frechet_wide, leave_out_error
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.theorem_checks import disordered
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.progress import drive
from blindspots_hub.runs.remeasure import remeasure


def test_a_shift_by_hand() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet(x, x + np.array([1.0, 2.0, 0.0])) == pytest.approx(5)


def test_frechet_is_the_textbook_s_and_the_wide_way_is_the_same() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 6)), rng.gamma(2, 1, size=(70, 6))
    one, two = np.cov(x.T), np.cov(y.T)
    apart = x.mean(0) - y.mean(0)
    expected = apart @ apart + np.trace(one + two - 2 * linalg.sqrtm(one @ two).real)
    assert frechet(x, y) == pytest.approx(expected, rel=1e-6)
    wide = frechet_wide(sparse.csr_matrix(x), sparse.csr_matrix(y))
    assert wide == pytest.approx(expected, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(4, 12))
def test_theorem_6_of_any_dictionary(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n, 4))
    x, y = rng.normal(size=(50, 4)), rng.gamma(2, 1, size=(50, 4))
    singular = np.linalg.svd(atoms, compute_uv=False)
    token, code = frechet(x, y), frechet(x @ atoms.T, y @ atoms.T)
    slack = 1e-6 * max(code, 1)
    assert singular.min() ** 2 * token - slack <= code <= singular.max() ** 2 * token + slack


def test_theorem_5_and_what_rounding_hides() -> None:
    rng = np.random.default_rng(2)
    assert disordered(rng.normal(size=500), 0.8) == (0, 0)
    assert disordered(np.array([40.0, 50.0, 60.0]), 0.8) == (0, 2)


def test_the_error_of_a_mean_is_that_of_the_textbook() -> None:
    x = np.random.default_rng(3).normal(size=4_000)
    found = [
        leave_out_error(lambda rows, x=x: float(x[rows].mean()), len(x), groups)
        for groups in (20, 40)
    ]
    assert np.mean(found) == pytest.approx(1 / np.sqrt(4_000), rel=0.35)


def test_in_the_planted_world_the_bound_is_loose_and_holds() -> None:
    found = analysis("theorem_checks").answer(load_bundle(planted.BUNDLE), ("cedar",)).table
    assert found["halves_agree"] == found["judged"]
    assert found["disordered"] == [0]
    assert found["bound_median"][0] > found["interval_median"][0]


def test_theorem_4_is_told_as_a_figure_at_the_level_that_was_set(tmp_path: Path) -> None:
    whole = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=80, pairs=120)))
    bundle = drive(remeasure.stream(whole, tmp_path / "c", {"confidence": 0.9}))
    sentence = analysis("theorem_checks").answer(bundle, ("plain-a",)).sentence
    assert "with the largest energy seen for its bound B" in sentence
    assert "no guarantee" in sentence
    assert "The 90% interval" in sentence
    assert "bounds the error" not in sentence
