"""Two models on the same captions."""

from __future__ import annotations

import numpy as np
import pytest
from energy_worlds import from_dense
from scipy import stats

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.between import between
from blindspots_hub.measure.settings import MeasureSettings


def world(pairs: int = 400, n: int = 40, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Natural energies and those of two models that draw the same, with other dice."""
    rng = np.random.default_rng(seed)
    caption = rng.random((pairs, n)) < 0.3

    def drawn() -> np.ndarray:
        fires = np.where(rng.random((pairs, n)) < 0.8, caption, rng.random((pairs, n)) < 0.3)
        return (fires * rng.gamma(2.0, 1.0, (pairs, n))).astype(np.float32)

    return drawn(), drawn(), drawn()


def test_the_difference_is_a_paired_t_test() -> None:
    natural, first, second = world()
    found = between(*(from_dense(one) for one in (natural, first, second)), MeasureSettings())
    expected = stats.ttest_rel(second, first).pvalue
    assert found.p == pytest.approx(expected, rel=1e-3)
    assert found.second - found.first == pytest.approx((second - first).mean(axis=0), abs=1e-5)
    assert found.support == pytest.approx(((first > 0) | (second > 0)).sum(axis=0))


def test_it_is_the_difference_of_both_differences_from_nature() -> None:
    natural, first, second = world(seed=1)
    d = (second - natural) - (first - natural)
    found = between(*(from_dense(one) for one in (natural, first, second)), MeasureSettings())
    assert found.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=1e-3)


def test_a_model_against_itself_under_another_seed_flags_at_most_five_percent() -> None:
    flagged = judged = 0
    for seed in range(25):
        sides = [from_dense(one) for one in world(seed=seed)]
        found = between(*sides, MeasureSettings())
        flagged += int(found.differs.sum())
        judged += int(found.judged.sum())
    assert judged == 1000
    assert flagged / judged <= 0.05


def test_intervals_hold_a_known_difference() -> None:
    held = []
    for seed in range(25):
        natural, first, second = world(seed=100 + seed)
        second = second * np.float32(1.5)
        found = between(*(from_dense(one) for one in (natural, first, second)), MeasureSettings())
        held.append((found.relative.low <= 0.2) & (found.relative.high >= 0.2))  # r of 1.5-fold
    assert np.mean(held) >= 0.93


def test_near_copies_of_a_natural_image_count_once() -> None:
    natural, first, second = world(pairs=60)
    five = [np.repeat(one, 5, axis=0) for one in (natural, first, second)]
    once = between(*(from_dense(one) for one in (natural, first, second)), MeasureSettings())
    copied = between(*(from_dense(one) for one in five), MeasureSettings())
    assert copied.p == pytest.approx(once.p, rel=1e-3)


def test_one_pair_is_too_few() -> None:
    one = from_dense(np.ones((1, 3)))
    with pytest.raises(BlindspotsError, match="at least 2 captions"):
        between(one, one, one, MeasureSettings())
