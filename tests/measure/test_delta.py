"""δ, its thresholds and its states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindspots_hub import paper
from blindspots_hub.measure.delta import (
    delta,
    mcdiarmid_epsilon,
    relative_delta,
    relative_gap,
    states,
)
from blindspots_hub.measure.settings import MeasureSettings

gaps = arrays(
    np.float64, st.integers(2, 30), elements=st.floats(-20, 20).map(lambda g: round(g, 3))
)


def test_delta_crosses_the_thresholds_where_the_logistic_does() -> None:
    # ln 9 = 2.1972: σ(±ln 9) = 0.9 and 0.1; computed by hand.
    edge = 2.1972245773362196 * paper.TAU
    assert delta(np.array([0.0, edge, -edge])) == pytest.approx([0.5, 0.9, 0.1], abs=1e-12)
    assert relative_delta(np.array([-1.0, 1.0])) == pytest.approx(
        [0.07585818002124355, 0.9241418199787566], abs=1e-12
    )


@given(gaps)
def test_delta_gap_and_odds_ratio_rank_alike(gap: np.ndarray) -> None:
    """Theorem 5."""
    order = np.argsort(gap, kind="stable")
    for ranking in (delta(gap), np.exp(gap)):
        assert np.all(np.diff(ranking[order]) >= 0)
        assert np.all((np.diff(ranking[order]) > 0) == (np.diff(gap[order]) > 0))


@given(
    arrays(np.float64, 8, elements=st.floats(0, 100)),
    arrays(np.float64, 8, elements=st.floats(0, 100)),
)
def test_relative_gap_is_bounded_and_antisymmetric(a: np.ndarray, b: np.ndarray) -> None:
    r = relative_gap(a, b)
    assert np.all(np.abs(r) <= 1)
    assert np.array_equal(r, -relative_gap(b, a))


def test_states_need_support_significance_and_size() -> None:
    value = np.array([0.05, 0.05, 0.05, 0.05, 0.3, 0.95, 0.95])
    low = np.array([0.01, 0.01, 0.01, 0.01, 0.2, 0.91, 0.85])
    high = np.array([0.09, 0.12, 0.09, 0.09, 0.4, 0.99, 0.99])
    q = np.array([0.01, 0.01, 0.20, np.nan, 0.01, 0.01, 0.01])
    support = np.array([50, 50, 50, 0, 50, 50, 19])
    found = states(value, low, high, q, support, MeasureSettings())
    assert found.state.tolist() == [
        "suppressed",
        "suppressed",
        "aligned",
        "dead",
        "leaning",
        "exaggerated",
        "undetermined",
    ]
    assert found.certain.tolist() == [True, False, False, False, False, True, False]


def test_mcdiarmid_bound_solves_theorem_4() -> None:
    largest, pairs = np.array([3.0, 10.0]), 10_000
    epsilon = mcdiarmid_epsilon(largest, pairs, paper.TAU)
    back = 2 * np.exp(-16 * pairs * paper.TAU**2 * epsilon**2 / largest**2)
    assert back == pytest.approx([0.05, 0.05])
    assert mcdiarmid_epsilon(np.array([1e6]), 2, paper.TAU) == 1.0
