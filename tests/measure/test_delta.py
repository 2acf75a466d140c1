"""δ, its thresholds and its states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindspots_hub import paper
from blindspots_hub.measure.delta import (
    LEAST_ABSOLUTE,
    TWO_FOLD,
    delta,
    differs,
    fold,
    judged,
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


#   value, selected ends of δ, of r, differs, support: state by relative δ, by absolute δ, certain
CASES = [
    (0.05, (0.01, 0.09), (-1.0, -0.9), True, 50, "suppressed", "suppressed", True),
    (0.05, (0.01, 0.12), (-1.0, -0.8), True, 50, "suppressed", "suppressed", False),
    (0.05, (0.01, 0.09), (-0.3, -0.1), True, 50, "suppressed", "leaning", True),
    (0.05, (0.01, 0.09), (-1.0, -0.9), False, 50, "aligned", "aligned", False),
    (0.05, (0.01, 0.09), (-1.0, -0.9), False, 0, "dead", "dead", False),
    (0.95, (0.91, 0.99), (0.9, 1.0), True, 50, "exaggerated", "exaggerated", True),
    (0.95, (0.85, 0.99), (0.15, 1.0), True, 50, "exaggerated", "leaning", False),
    (0.95, (0.91, 0.99), (0.9, 1.0), True, 19.5, "undetermined", "undetermined", False),
    (0.15, (0.11, 0.29), (-0.9, -0.34), True, 50, "weakened", "weakened", False),
    (0.15, (0.11, 0.31), (-0.9, -0.33), True, 50, "leaning", "leaning", False),
    (0.8, (0.71, 0.89), (0.34, 0.8), True, 50, "strengthened", "strengthened", False),
    (0.8, (0.71, 0.89), (0.34, 0.8), False, 50, "aligned", "aligned", False),
]


def test_states_say_how_much_and_how_sure() -> None:
    value, selected, r, differs, support, relative, absolute, certain = zip(*CASES, strict=True)
    parts = (np.array(value), np.array(selected).T, np.array(r).T, np.array(differs))
    for least, expected in ((0.0, relative), (LEAST_ABSOLUTE, absolute)):
        found = states(*parts, np.array(support), MeasureSettings(), least)
        assert found.state.tolist() == list(expected)
        sure = [c and name in ("suppressed", "exaggerated") for c, name in zip(
            certain, expected, strict=True)]  # fmt: skip
        assert found.certain.tolist() == sure


def test_two_fold_is_a_third() -> None:
    assert fold(np.array([-1, -TWO_FOLD, 0, TWO_FOLD, 1])) == pytest.approx([0, 0.5, 1, 2, np.inf])


def test_mcdiarmid_bound_solves_theorem_4() -> None:
    largest, pairs = np.array([3.0, 10.0]), 10_000
    epsilon = mcdiarmid_epsilon(largest, pairs, paper.TAU)
    back = 2 * np.exp(-16 * pairs * paper.TAU**2 * epsilon**2 / largest**2)
    assert back == pytest.approx([0.05, 0.05])
    assert mcdiarmid_epsilon(np.array([1e6]), 2, paper.TAU) == 1.0
    # Of a concept that was never seen nothing is known: no bound of 0.
    assert np.isnan(mcdiarmid_epsilon(np.array([0.0]), pairs, paper.TAU)).all()


def test_what_differs_has_a_small_q_and_an_interval_off_zero() -> None:
    q = np.array([0.01, 0.01, 0.01, 0.2, np.nan, 0.01])
    low = np.array([0.1, -2.0, -0.1, 0.1, np.nan, np.nan])
    high = np.array([2.0, -0.1, 2.0, 2.0, np.nan, np.nan])
    found = differs(q, (low, high), 0.05)
    assert found.tolist() == [True, True, False, False, False, False]
    assert not differs(q, (low, high), 0.005).any()


def test_judged_are_those_with_support() -> None:
    support = np.array([0.0, 5.0, 20.0, 19.9])
    assert judged(support, MeasureSettings()).tolist() == [False, False, True, False]
    assert judged(support, MeasureSettings(min_support=1)).tolist() == [False, True, True, True]
