"""Correlations with intervals, and how far noise lowers them."""

from __future__ import annotations

import numpy as np
import pytest

from blindspots_hub.analysis import reliability as own
from blindspots_hub.analysis.correlation import pearson, rank_correlation


def test_an_interval_of_r_is_fishers() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    found = pearson(x, x + rng.normal(size=60))
    z, half = np.arctanh(found.value), 1.959964 / np.sqrt(57)
    assert found[1:] == pytest.approx((np.tanh(z - half), np.tanh(z + half)), abs=1e-6)


def test_rank_correlation_of_a_falling_line_is_minus_one() -> None:
    found = rank_correlation(np.arange(1, 41), np.arange(40, 0, -1) / 100)
    assert found == pytest.approx((-1, -1, -1), abs=1e-3)


@pytest.mark.parametrize("correlate", [pearson, rank_correlation])
def test_too_few_or_equal_values_say_nothing(correlate) -> None:  # type: ignore[no-untyped-def]
    assert np.isnan(correlate(np.arange(3), np.arange(3))).all()
    assert np.isnan(correlate(np.ones(9), np.arange(9))).all()


def test_halves_brought_to_the_whole_tell_what_two_runs_reach() -> None:
    """Split halves of one run, stepped up, against two runs on other pairs of one truth."""
    from energy_worlds import correlated, from_dense

    n = 300
    rng = np.random.default_rng(1)
    rates, shift = rng.uniform(0.1, 0.4, n), rng.uniform(0.8, 1.25, n)
    runs = [[from_dense(side) for side in correlated(600, rates, shift, seed)] for seed in (3, 4)]
    judged = np.ones(n, bool)
    gaps = [own._measures(own._means(x), own._means(y), 0.8, judged) for x, y in runs]
    for measure in own.MEASURES:
        reached = pearson(gaps[0][measure], gaps[1][measure]).value
        told = [own._halves(x, y, True, 0.8, judged)[measure] for x, y in runs]
        assert np.mean(told) == pytest.approx(reached, abs=0.1)
        assert 0.3 < reached < 0.97
