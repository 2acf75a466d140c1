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
from blindspots_hub.measure.significance import benjamini_hochberg, sign_flip
from blindspots_hub.measure.table import MeasureSettings, measure

RATES = np.array([0.5, 0.3, 0.2, 0.4, 0.02, 0.0, 0.3])
SHIFT = np.array([1.0, 0.4, 2.5, 1.0, 1.0, 1.0, 0.0])
SETTINGS = MeasureSettings()


def test_near_copies_tell_theorem_4_no_more_than_one_pair() -> None:
    """N is what is independent, not the rows; of dead concepts no figure is told."""
    x, y = (side.astype(np.float32) for side in correlated(300, RATES, SHIFT, 0))
    once = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)["delta_bound"]
    fires = (x > 0).sum(axis=1) >= 3  # so many concepts tell that images are copies
    five = np.concatenate([np.arange(300), *[np.flatnonzero(fires)] * 4])
    sides = [from_dense(side[five]) for side in (x, y)]
    again = measure(*sides, SETTINGS, paired=True)["delta_bound"]
    assert again == pytest.approx(once, nan_ok=True)
    assert np.isnan(once).tolist() == [rate == 0 for rate in RATES]
    alone = measure(*sides, SETTINGS, paired=False)["delta_bound"]
    assert alone == pytest.approx(once, nan_ok=True)


def gamma_limits(
    mean: float, variance: float, weight: float, confidence: float
) -> tuple[float, float]:
    """METHOD §3, with χ² as it stands there."""
    alpha = 1 - confidence
    low = variance / (2 * mean) * stats.chi2.ppf(alpha / 2, 2 * mean**2 / variance) if mean else 0.0
    more, spread = mean + weight, variance + weight**2
    high = spread / (2 * more) * stats.chi2.isf(alpha / 2, 2 * more**2 / spread)
    return low, high


Ends = tuple[float, float]


def mover(
    natural: tuple[float, float, float], generated: tuple[float, float, float], k: float
) -> tuple[Ends, Ends]:
    """METHOD §3: intervals of g and of r from (mean, low, high) of both sides."""
    (e, low, high), (f, f_low, f_high) = natural, generated
    a1, b1, a2, b2 = f - f_low, f_high - f, e - low, high - e
    gap = (
        f - e - math.sqrt(a1**2 + b2**2 - 2 * k * a1 * b2),
        f - e + math.sqrt(b1**2 + a2**2 - 2 * k * b1 * a2),
    )
    b = e * f - k * a1 * b2
    rho_low = 0.0
    if f > 0:
        rho_low = (f**2 - a1**2) / (b + math.sqrt(b**2 - (e**2 - b2**2) * (f**2 - a1**2)))
    b = e * f - k * b1 * a2
    if e**2 <= a2**2:
        return gap, ((rho_low - 1) / (rho_low + 1), 1.0)
    rho_high = (b + math.sqrt(b**2 - (e**2 - a2**2) * (f**2 - b1**2))) / (e**2 - a2**2)
    return gap, ((rho_low - 1) / (rho_low + 1), (rho_high - 1) / (rho_high + 1))


def dense_intervals(x: np.ndarray, y: np.ndarray, confidence: float) -> tuple[Ends, Ends]:
    """Both intervals of one concept's paired energies, image by image."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    n = len(x)
    pooled = ((x**2).sum() + (y**2).sum()) / (x.sum() + y.sum())
    sides, spreads = [], []
    for side in (x, y):
        own = (side**2).sum() / side.sum() if side.any() else 0.0
        variance, weight = side.var(ddof=1) / n, max(own, pooled) / n
        limits = gamma_limits(side.mean(), variance, weight, confidence)
        sides.append((side.mean(), *limits))
        spreads.append(max(math.sqrt(variance), weight))
    covariance = np.cov(x, y)[0, 1] / n
    return mover(sides[0], sides[1], covariance / spreads[0] / spreads[1])


def test_golden_table_by_hand() -> None:
    x = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [1.0, 0.0]])
    table = measure(from_dense(x), from_dense(y), MeasureSettings(min_support=1), paired=True)
    # Means 1.5 and 0.5; variances of the means 1.6667 / 4 and 0.3333 / 4; S2/S1 = 14 / 6 and 1,
    # pooled 16 / 8, so that one image weighs 0.58333 and 0.5; covariance 0.66667 / 4.
    assert table["energy_natural"] == pytest.approx([1.5, 0.5])
    assert table["gap"] == pytest.approx([-1.0, 0.5])
    x_side = gamma_limits(1.5, 5 / 12, 14 / 6 / 4, 0.95)
    y_side = gamma_limits(0.5, 1 / 12, 0.5, 0.95)
    k = (1 / 6) / (math.sqrt(5 / 12) * 0.5)  # 0.5 is more than the standard error of 0.5
    (low, high), _ = mover((1.5, *x_side), (0.5, *y_side), k)
    assert table["gap_low"][0] == pytest.approx(low)
    assert table["gap_high"][0] == pytest.approx(high)
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
    assert table["gap"] == pytest.approx(d.mean(axis=0))
    q = table["q"][np.isfinite(table["q"])]
    level = max(1 - 0.05 * (q < 0.05).sum() / len(q), 0.95)
    for name, confidence in (("", 0.95), ("_selected", level)):
        for concept in np.flatnonzero(np.isfinite(table["q"])):
            gap, relative = dense_intervals(x[:, concept], y[:, concept], confidence)
            for prefix, ends in (("gap", gap), ("relative_gap", relative)):
                for end, expected in zip(("low", "high"), ends, strict=True):
                    found = table[f"{prefix}{name}_{end}"][concept]
                    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert np.isnan(table["gap_low"][5])
    assert np.isnan(table["relative_delta_selected_high"][5])
    many = (d != 0).sum(axis=0) >= 30
    expected = stats.ttest_rel(y[:, many].astype(np.float64), x[:, many].astype(np.float64))
    assert table["p"][many] == pytest.approx(expected.pvalue)
    assert table["images_natural"].tolist() == (x > 0).sum(axis=0).tolist()
    assert table["support"].tolist() == ((x > 0) | (y > 0)).sum(axis=0).tolist()
    assert table["state"][5] == table["relative_state"][5] == "dead"
    assert table["relative_state"][6] == "suppressed"
    assert bool(table["relative_certain"][6])


def test_a_concept_absent_on_one_side_is_certain_only_with_enough_images() -> None:
    pairs = 1000
    x = np.zeros((pairs, 2))
    x[:25, 0], x[:200, 1] = 1.0, 1.0
    y = np.zeros((pairs, 2))
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=True)
    assert table["relative_state"].tolist() == ["suppressed", "suppressed"]
    assert table["relative_gap_high"][0] > table["relative_gap_high"][1] > -1
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


def test_unpaired_is_welch() -> None:
    x, y = correlated(300, RATES[:4], SHIFT[:4], seed=7)
    y = y[:220]
    # Every concept fires in every image: often enough for t.
    rng = np.random.default_rng(0)
    x, y = x + rng.random(x.shape), y + rng.random(y.shape)
    table = measure(from_dense(x), from_dense(y), SETTINGS, paired=False)
    expected = stats.ttest_ind(y.astype(np.float64), x.astype(np.float64), equal_var=False)
    assert table["p"] == pytest.approx(expected.pvalue, rel=1e-4)


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
