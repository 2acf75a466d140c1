"""Moran's I by hand, on patterns that cluster, alternate or do neither."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from blindspots_hub.analysis.delta_clustering import autocorrelation, map_graph, moran


def line(n: int) -> sparse.csr_matrix:
    return sparse.diags([np.ones(n - 1), np.ones(n - 1)], [-1, 1]).tocsr()


def test_moran_by_hand() -> None:
    # z = -1.5, -0.5, 0.5, 1.5; neighbours' products 0.75, -0.25, 0.75, each twice; Σz² = 5, Σw = 6.
    assert moran(line(4), np.arange(4.0)[:, None])[0] == pytest.approx(4 / 6 * 2.5 / 5)


def test_what_alternates_repels_and_what_is_sorted_clusters() -> None:
    alternating = autocorrelation(line(60), np.tile([0.0, 1.0], 30))
    assert alternating.moran == pytest.approx(-1)
    assert alternating.p > 0.9
    sorted_ = autocorrelation(line(60), np.arange(60.0))
    assert sorted_.moran > 0.9
    assert sorted_.p == pytest.approx(1 / 500)


def test_noise_is_within_its_range_as_often_as_it_should() -> None:
    rng = np.random.default_rng(0)
    graph = map_graph(rng.normal(size=(80, 2)))
    found = [autocorrelation(graph, rng.normal(size=80), 99) for _ in range(100)]
    inside = np.mean([one.null_low <= one.moran <= one.null_high for one in found])
    assert 0.87 <= inside <= 1
    assert np.mean([one.moran for one in found]) == pytest.approx(-1 / 79, abs=0.02)
    assert np.mean([one.p < 0.05 for one in found]) <= 0.12


def test_a_map_links_the_nearest_and_nobody_without_a_place() -> None:
    xy = np.array([[0, 0], [1, 0], [0, 1.1], [50, 50], [np.nan, 0]])
    graph = map_graph(xy, 2).toarray()
    assert graph[0].nonzero()[0].tolist() == [1, 2]
    assert not graph[4].any()
    assert not graph[:, 4].any()
    assert not np.diag(graph).any()


def test_nothing_to_compare_is_nothing() -> None:
    assert np.isnan(autocorrelation(line(9), np.ones(9)).moran)
    assert autocorrelation(sparse.csr_matrix((9, 9)), np.arange(9.0)).concepts == 0
