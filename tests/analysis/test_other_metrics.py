"""Distances, fidelity and diversity: by hand, against the libraries, on known shifts."""

from __future__ import annotations

import numpy as np
import pytest
from findings_fixtures import WIDTH, write_rich
from synthetic_bundle import Synthetic

from blindspots_hub.analysis.distribution_metrics import (
    Reference,
    all_metrics,
    kernel_distance,
    mind,
    prdc,
    vendi,
)
from blindspots_hub.analysis.other_metrics import OURS, goodness
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle


def test_kernel_distance_by_hand() -> None:
    # k(a, b) = (ab + 1)³ in one dimension: within x 1·1, within y 27, between 1 and 8 by halves.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert kernel_distance(Reference(x), y) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_mind_of_a_shift_is_its_square() -> None:
    x = np.random.default_rng(0).normal(size=(300, 8))
    shift = np.array([3.0, 4.0, *[0.0] * 6])
    assert mind(x, x) == pytest.approx(0, abs=1e-12)
    assert mind(x, x + shift) == pytest.approx(25, rel=0.15)
    assert mind(x[:200], x[:300] + shift) == pytest.approx(25, rel=0.25)


def test_mind_in_one_dimension_is_the_wasserstein_distance() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 1)), rng.gamma(2, 1, (50, 1))
    expected = ((np.sort(x, axis=0) - np.sort(y, axis=0)) ** 2).mean()
    assert mind(x, y) == pytest.approx(expected)


def test_precision_falls_outside_and_recall_where_a_half_is_missing() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 4))
    x[:200, 0] += 20
    far = x.copy()
    far[:100, 1] += 40
    assert prdc(x, x)["precision"] == 1
    assert prdc(x, far)["precision"] == pytest.approx(0.75, abs=0.03)
    half = np.vstack([x[200:], x[200:] + 0.01])
    assert prdc(x, half)["recall"] == pytest.approx(0.5, abs=0.05)
    assert prdc(x, half)["coverage"] == pytest.approx(0.5, abs=0.05)


def test_vendi_counts_what_differs() -> None:
    assert vendi(np.repeat(np.eye(4), 5, axis=0)) == pytest.approx(4)
    assert vendi(np.ones((9, 3))) == pytest.approx(1)


def test_nothing_is_printed_by_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(40, 4))
    assert set(all_metrics(x, x + 1)) >= {"precision", "coverage", "MIND", "Vendi score"}
    assert capsys.readouterr().out == ""


def test_a_larger_shift_is_worse_by_every_distance(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("bundle") / "b"
    models = {f"plain-{k}": f"Plain {k}" for k in "abcd"}
    bundle = load_bundle(write_rich(root, Synthetic(n_concepts=60, pairs=80, models=models)))
    found = analysis("other_metrics").answer(bundle, tuple(models))
    frame = found.to_pandas()
    distance = frame[frame.metric == "Fréchet distance"].value.to_numpy()
    assert (np.diff(distance) > 0).all()
    assert distance[0] == pytest.approx(WIDTH / 4, rel=0.5)  # a shift of a half in each direction
    rows = frame[frame.metric == "MIND"].iloc[0]
    agree = dict(zip(rows.others, rows.agreement, strict=True))
    assert agree["Fréchet distance"] == pytest.approx(1)
    assert set(OURS) <= set(frame.metric)
    assert (frame.low <= frame.value).all()
    assert goodness("MIND", np.array([1.0]))[0] == -1
