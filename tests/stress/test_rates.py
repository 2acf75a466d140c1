"""Rates and verdicts: intervals hold the truth by simulation, verdicts follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.stress.rates import Contrast, Shown, natural_level
from blindspots_hub.stress.verdict import Comparison, holm, judge


def shown(hits: list[int], images: int = 5) -> Shown:
    return Shown(np.array(hits, np.int64), np.full(len(hits), images, np.int64))


def drawn(rng: np.random.Generator, share: float, alike: float, prompts: int, m: int) -> Shown:
    """Images of prompts whose own shares are a Beta with correlation `alike` within a prompt."""
    if alike == 0:
        own = np.full(prompts, share)
    else:
        size = 1 / alike - 1
        own = rng.beta(share * size, (1 - share) * size, prompts)
    return Shown(rng.binomial(m, own).astype(np.int64), np.full(prompts, m, np.int64))


@pytest.mark.parametrize("alike", [0, 0.2, 0.8])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
@pytest.mark.parametrize("prompts", [10, 50])
def test_the_interval_holds_the_truth(share: float, alike: float, prompts: int) -> None:
    rng = np.random.default_rng([int(100 * share), int(10 * alike), prompts])
    held = 0
    for _ in range(200):
        low, high = drawn(rng, share, alike, prompts, 5).limits()
        held += low <= share <= high
    assert held >= 184  # 95% less three standard errors of 200


def test_images_of_a_prompt_are_not_counted_as_independent() -> None:
    """Ten prompts, five images each, all alike within a prompt: worth ten images, not fifty."""
    alike = shown([5] * 5 + [0] * 5)
    spread = shown([2, 3] * 5)
    assert alike.share == spread.share == 0.5
    assert 8 <= alike.effective <= 12
    assert spread.effective > 2.5 * alike.effective


def test_none_of_many_is_no_certainty_and_one_more_hit_is_no_leap() -> None:
    ends = [shown([n] + [0] * 49).limits() for n in range(6)]
    highs = [high for _, high in ends]
    assert ends[0][0] == 0
    # Fifty prompts of five images alike are worth fifty: Clopper and Pearson's 0 of 50.
    assert highs[0] == pytest.approx(stats.beta.ppf(0.975, 1, 50), abs=0.01)
    assert np.diff(highs).min() > -0.003  # one hit more is hardly ever less
    assert shown([5] * 50).limits()[1] == 1


def test_without_images_anything_is_possible() -> None:
    nothing = shown([0, 0], images=0)
    assert nothing.limits() == (0, 1)
    assert nothing.share == 0


def test_the_natural_level_is_a_quantile_of_what_fires() -> None:
    energies = np.concatenate([np.zeros(900), np.arange(1, 101)])
    level = natural_level(energies, 7)
    assert (energies[energies > 0] >= level).mean() == 0.75
    with pytest.raises(BlindspotsError, match="Concept 7 fires in no natural image"):
        natural_level(np.zeros(100), 7)
    with pytest.raises(BlindspotsError, match="fires in 19 natural images only of this"):
        natural_level(energies[:919], 7)


def test_images_are_counted_by_prompt() -> None:
    energies, prompt = np.array([0.0, 2.0, 3.0, 1.0, 2.0]), np.array([0, 0, 1, 1, 3])
    found = Shown.of(energies, prompt, 4, 2.0)
    assert found.hits.tolist() == [1, 1, 0, 1]
    assert found.images.tolist() == [2, 2, 0, 1]
    assert (found.count, found.total, found.share) == (3, 5, 0.6)


def test_a_full_fault_is_confirmed_and_an_equal_share_is_not() -> None:
    absent, present = shown([0] * 20), shown([4, 5, 3, 5] * 5)
    verdicts = judge([Comparison(absent, present), Comparison(present, present)])
    assert [one.verdict for one in verdicts] == ["confirmed", "not confirmed"]
    assert [one.reference for one in verdicts] == ["against", "against"]
    assert verdicts[0].fold == 0
    assert verdicts[0].fold_high < 0.25
    assert verdicts[1].fold_low < 1 < verdicts[1].fold_high


def test_a_half_as_often_is_undecided() -> None:
    (found,) = judge([Comparison(shown([2, 3] * 10), shown([5] * 20))])
    assert found.verdict == "undecided"
    assert found.fold_low < 0.5 < found.fold_high
    assert found.p > 0.5


def test_without_a_reference_that_shows_it_nothing_is_decided() -> None:
    absent = shown([0] * 20)
    for against, natural in ((None, None), (absent, None), (absent, shown([0] * 30, 1))):
        (found,) = judge([Comparison(absent, against, natural)])
        assert (found.verdict, found.reference) == ("undecided", "none")
        assert np.isnan(found.p)
    (found,) = judge([Comparison(absent, absent, shown([1] * 30, 1))])
    assert (found.verdict, found.reference) == ("confirmed", "natural")


def test_a_model_none_of_whose_images_could_be_measured_is_undecided() -> None:
    (found,) = judge([Comparison(shown([0] * 20, 0), shown([5] * 20))])
    assert found.verdict == "undecided"


def test_several_concepts_are_corrected_together() -> None:
    """Holm by hand: 0.01 · 3, then 0.02 · 2, then 0.04, ascending; what was not tested is none."""
    assert holm(np.array([0.04, np.nan, 0.01, 0.02])).tolist()[2:] == [0.03, 0.04]
    assert holm(np.array([0.04, np.nan, 0.01, 0.02]))[0] == 0.04
    assert np.isnan(holm(np.array([np.nan]))[0])
    one = Comparison(shown([0, 1] * 6, 5), shown([3, 1, 2] * 4, 5))
    alone = judge([one])[0]
    among = judge([one] * 20)[0]
    assert alone.p == among.p
    assert among.p_holm == min(1.0, 20 * alone.p)


@pytest.mark.parametrize("alike", [0.1, 0.5])
def test_a_false_verdict_is_rare_at_the_very_half(alike: float) -> None:
    """Where the truth is half the reference, either verdict is wrong: one in twenty at most."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(100):
        one = Comparison(drawn(rng, 0.35, alike, 30, 4), drawn(rng, 0.7, alike, 30, 4))
        wrong += judge([one])[0].verdict != "undecided"
    assert wrong <= 11  # 5% and three standard errors of 100


@pytest.mark.parametrize("share", [0.02, 0.15])
def test_a_false_verdict_is_rare_at_the_very_twice(share: float) -> None:
    """Of an exaggerated concept: natural images are many, one a caption, and show it seldom."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(100):
        natural = drawn(rng, share, 0.1, 800, 1)
        one = Comparison(drawn(rng, 2 * share, 0.3, 50, 5), None, natural, "exaggerated")
        wrong += judge([one])[0].verdict != "undecided"
    assert wrong <= 11  # 5% and three standard errors of 100


def test_what_is_drawn_too_often_is_confirmed_and_what_is_not_is_not() -> None:
    often, natural = shown([2, 3] * 20), shown([1] + [0] * 49, 1)
    both = [
        Comparison(often, None, natural, "exaggerated"),
        Comparison(shown([0, 1] * 40, 5), None, shown([1, 0] * 200, 1), "exaggerated"),
        Comparison(often, shown([2, 3] * 20), None, "exaggerated"),
        Comparison(often, None, None, "exaggerated"),
    ]
    found = judge(both)
    assert [one.verdict for one in found] == [
        "confirmed", "not confirmed", "not confirmed", "undecided",
    ]  # fmt: skip
    assert [one.reference for one in found] == ["natural", "natural", "against", "none"]
    assert found[0].fold_low > 2
    (never,) = judge([Comparison(often, None, shown([0] * 500, 1), "exaggerated")])
    assert never.verdict == "confirmed"
    assert np.isnan(never.fold)
    assert never.fold_low > 2


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=30),
    st.lists(st.integers(0, 5), min_size=3, max_size=30),
)
def test_p_is_where_the_interval_begins_to_exclude(a: list[int], b: list[int]) -> None:
    contrast = Contrast(shown(a), shown(b))
    p = contrast.p_value(0.5)
    assert 0 < p <= 1
    if 1e-11 < p < 0.9:
        low, high = contrast.limits(0.5, p * 1.02)
        assert low > 0 or high < 0
        low, high = contrast.limits(0.5, p * 0.98)
        assert low <= 0 <= high
    value, low, high = contrast.fold()
    assert low <= high
    assert np.isnan(value) or low <= value * (1 + 1e-3) + 1e-3
