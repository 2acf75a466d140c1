"""The table of a model against independent computations."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from energy_worlds import correlated, from_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.null import null_share
from blindspots_hub.measure.significance import benjamini_hochberg, sign_flip
from blindspots_hub.measure.table import MeasureSettings, measure

RATES = np.array([0.5, 0.3, 0.2, 0.4, 0.02, 0.0, 0.3])
SHIFT = np.array([1.0, 0.4, 2.5, 1.0, 1.0, 1.0, 0.0])
SETTINGS = MeasureSettings()


def test_golden_table_by_hand() -> None:
    x = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [1.0, 0.0]])
    table = measure(from_dense(x), from_dense(y), MeasureSettings(min_support=1), paired=True)
    # d = (-1, -2, 0, -1): mean -1, sd 0.81650, se 0.40825; t(3, 0.975) = 3.18245.
    assert table["energy_natural"] == pytest.approx([1.5, 0.5])
    assert table["gap"] == pytest.approx([-1.0, 0.5])
    assert table["gap_low"][0] == pytest.approx(-1 - 3.182446 * 0.408248, abs=1e-5)
    assert table["delta"][0] == pytest.approx(1 / (1 + math.exp(1 / 0.8)))
    assert table["relative_gap"] == pytest.approx([-0.5, 1 / 3])
    assert table["relative_delta"][0] == pytest.approx(1 / (1 + math.exp(0.5 / 0.4)))
    assert table["support"].tolist() == [3, 1]
    # Three differences of one sign: 2 of the 8 sign patterns reach |-4|.
    assert table["p"] == pytest.approx([0.25, 1.0])


def test_every_column_against_a_dense_computation() -> None:
    x, y = correlated(400, RATES, SHIFT, seed=1)
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    d = y.astype(np.float64) - x
    n = len(d)
    half = stats.t.ppf(0.975, n - 1) * d.std(axis=0, ddof=1) / math.sqrt(n)
    assert table["gap"] == pytest.approx(d.mean(axis=0))
    assert table["gap_low"] == pytest.approx(d.mean(axis=0) - half)
    assert table["gap_high"] == pytest.approx(d.mean(axis=0) + half)
    many = (d != 0).sum(axis=0) >= 30
    expected = stats.ttest_rel(y[:, many].astype(np.float64), x[:, many].astype(np.float64))
    assert table["p"][many] == pytest.approx(expected.pvalue)
    assert table["images_natural"].tolist() == (x > 0).sum(axis=0).tolist()
    assert table["support"].tolist() == ((x > 0) | (y > 0)).sum(axis=0).tolist()
    assert table["state"][5] == table["relative_state"][5] == "dead"
    assert table["relative_state"][6] == "suppressed"
    assert bool(table["relative_certain"][6])


def test_intervals_agree_with_a_paired_bootstrap() -> None:
    """METHOD section 3: the bootstrap over pairs is what the formulas are held against."""
    x, y = correlated(800, RATES[:4], SHIFT[:4], seed=2)
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(x), (1000, len(x)))
    mean_x = np.array([x[rows].mean(axis=0) for rows in draws], np.float64)
    mean_y = np.array([y[rows].mean(axis=0) for rows in draws], np.float64)
    for name, samples in (
        ("gap", mean_y - mean_x),
        ("relative_gap", (mean_y - mean_x) / (mean_y + mean_x)),
    ):
        low, high = np.quantile(samples, [0.025, 0.975], axis=0)
        width = high - low
        assert np.all(np.abs(table[f"{name}_low"] - low) < 0.12 * width)
        assert np.all(np.abs(table[f"{name}_high"] - high) < 0.12 * width)


def test_ninety_five_percent_intervals_cover_ninety_five_percent() -> None:
    rates, shift = np.full(300, 0.25), np.full(300, 0.6)
    x, y = correlated(600, rates, shift, seed=3)
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    true_r = (0.6 - 1) / (0.6 + 1)
    covered = (table["relative_gap_low"] <= true_r) & (true_r <= table["relative_gap_high"])
    assert 0.91 <= covered.mean() <= 0.99


def test_a_concept_absent_on_one_side_is_certain_only_with_enough_images() -> None:
    """The delta method alone would give a width of 0 from a single image."""
    pairs = 1000
    x = np.zeros((pairs, 2))
    x[:25, 0], x[:200, 1] = 1.0, 1.0
    y = np.zeros((pairs, 2))
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    assert table["relative_state"].tolist() == ["suppressed", "suppressed"]
    assert table["relative_certain"].tolist() == [False, True]
    mirrored = measure(from_dense(y), from_dense(x), SETTINGS, paired=True)
    assert mirrored["relative_state"].tolist() == ["exaggerated", "exaggerated"]
    assert mirrored["relative_certain"].tolist() == [False, True]
    assert mirrored["relative_gap_low"] == pytest.approx(-table["relative_gap_high"])


@given(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=9))
def test_sign_flip_is_exact(differences: list[int]) -> None:
    row = np.array([differences], np.float64)
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in product((1, -1), repeat=len(differences))]  # fmt: skip
    expected = np.mean([total >= abs(sum(differences)) for total in sums])
    assert sign_flip(row)[0] == pytest.approx(expected)


def test_sampled_sign_flip_agrees_with_the_exact_one() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(0.4, 1.0, (40, 14))
    signs = np.array(list(product((1.0, -1.0), repeat=14)))
    exact = (np.abs(rows @ signs.T) >= np.abs(rows.sum(axis=1))[:, None] - 1e-12).mean(axis=1)
    assert np.abs(sign_flip(rows) - exact).max() < 0.02


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_q_values_are_scipys(p: list[float]) -> None:
    values = np.array(p)
    q = benjamini_hochberg(values, np.ones(len(p), bool))
    assert q == pytest.approx(stats.false_discovery_control(values))


def test_unsupported_concepts_have_no_q_and_do_not_cost_the_others() -> None:
    p = np.array([0.01, 0.02, 0.9])
    q = benjamini_hochberg(p, np.array([True, True, False]))
    assert q[:2] == pytest.approx([0.02, 0.02])
    assert np.isnan(q[2])


@settings(max_examples=20)
@given(st.permutations(range(60)))
def test_order_of_pairs_does_not_matter(order: list[int]) -> None:
    x, y = correlated(60, RATES, SHIFT, seed=5)
    straight = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    shuffled = measure(from_dense(x[order]), from_dense(y[order]), SETTINGS, paired=True)
    for name, column in straight.items():
        if column.dtype == np.float64:
            assert shuffled[name] == pytest.approx(column, rel=1e-9, abs=1e-12, nan_ok=True)
        else:
            assert shuffled[name].tolist() == column.tolist()


def test_nothing_differs_is_not_flagged() -> None:
    rates = np.random.default_rng(6).uniform(0.02, 0.6, 400)
    x, _ = correlated(1000, rates, np.ones(400), seed=6)
    null = null_share(from_dense(x), 500, SETTINGS)
    assert null["pairs"] == 500
    assert null["differs"] <= 0.05
    assert null["relative_flagged"] <= 0.01


def test_unpaired_is_welch() -> None:
    x, y = correlated(300, RATES[:4], SHIFT[:4], seed=7)
    y = y[:220]
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=False)
    expected = stats.ttest_ind(y.astype(np.float64), x.astype(np.float64), equal_var=False)
    assert table["p"] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert table["gap_low"] == pytest.approx(interval.low)
    assert table["gap_high"] == pytest.approx(interval.high)


def test_unpaired_rare_concepts_use_fishers_exact_test() -> None:
    x, y = np.zeros((40, 1)), np.zeros((50, 1))
    x[:9], y[:2] = 1.0, 1.0
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=False)
    law = stats.hypergeom(90, 11, 50)
    assert table["p"][0] == pytest.approx(min(1, 2 * min(law.cdf(2), law.sf(1))))


def test_too_few_images_and_other_concepts_are_told() -> None:
    one = from_dense(np.ones((1, 3)))
    with pytest.raises(BlindspotsError, match="at least 2"):
        measure(one, one, SETTINGS, paired=True)
    with pytest.raises(BlindspotsError, match="same RA-SAE"):
        measure(from_dense(np.ones((3, 3))), from_dense(np.ones((3, 4))), SETTINGS, paired=True)
