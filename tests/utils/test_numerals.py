"""Numbers in sentences: significant digits, never an exponent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.utils.numerals import digits, percent, times


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"), (3e-5, "0.000030"), (0.0123, "0.012"), (0.48, "0.48"), (1, "1.0"),
        (9.96, "10"), (37.4, "37"), (99.4, "99"), (99.7, "100"), (123, "123"), (1234.4, "1,234"),
        (1e-9, "under 0.000001"), (math.inf, "∞"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_a_fold_change_has_two_digits(value: float, said: str) -> None:
    assert times(value) == said


@given(st.floats(1e-6, 1e12), st.integers(1, 4))
def test_no_number_has_an_exponent_and_all_are_right(value: float, count: int) -> None:
    said = digits(value, count)
    assert "e" not in said.replace("under", "")
    assert float(said.replace(",", "")) == pytest.approx(value, rel=0.51 * 10 ** (1 - count))


def test_trimmed_numbers_keep_their_zeros_before_the_point() -> None:
    assert [digits(x, 2, trim=True) for x in (50, 5, 0.5, 100, 2.35)] == [
        "50", "5", "0.5", "100", "2.4",
    ]  # fmt: skip
    assert digits(1234.5, 3) == "1,234"
    assert digits(-0.25) == "-0.25"


def test_a_level_is_told_in_all_its_digits() -> None:
    assert [percent(x) for x in (0.95, 0.995, 0.07, 0.5)] == ["95%", "99.5%", "7%", "50%"]
