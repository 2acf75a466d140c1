"""Numbers as sentences show them: significant digits, and never a power of ten."""

from __future__ import annotations

import math

SMALLEST = 6
"""Decimals of the smallest number that is told; of what lies below it only that it does."""


def digits(value: float, count: int = 2, *, trim: bool = False) -> str:
    """`count` significant digits in full: "0.48", "3.1", "12", "1,234", "0"; "∞", and "–" for NaN.

    Whole numbers where their digits reach the units. `trim` leaves out zeros at the end of
    decimals.
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if abs(value) < 10.0**-SMALLEST:
        return f"under {10.0**-SMALLEST:.{SMALLEST}f}"
    # The exponent of what is told, not of the value: 99.7 has the digits of 100.
    exponent = int(f"{value:.{count - 1}e}".partition("e")[2])
    told = f"{value:,.{max(count - 1 - exponent, 0)}f}"
    return told.rstrip("0").rstrip(".") if trim and "." in told else told


def times(ratio: float) -> str:
    """A fold change as a bare number of two digits: "0.48", "3.1", "120"; "∞" where E is 0."""
    return digits(ratio)


def percent(share: float) -> str:
    """A share as a percentage that was set, in all its digits: "95%", "99.5%"."""
    return f"{digits(100 * share, 6, trim=True)}%"
