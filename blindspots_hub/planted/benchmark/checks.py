"""A row of the report, and the bounds by which shares are judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scipy import stats

CONFIDENCE = 0.95
"""Of the one-sided bounds: a share is held against its goal by the bound, not by its value."""


@dataclass(frozen=True)
class Check:
    """One row: what was measured, what was asked for, and whether it holds.

    `holds` is None for a row that is told and not judged.
    """

    name: str
    value: str
    wanted: str
    holds: bool | None


def told(name: str, value: str) -> Check:
    """A row that is not judged."""
    return Check(name, value, "told", None)


def unjudged(check: Check) -> Check:
    """The same row, told only."""
    return replace(check, wanted="told", holds=None)


def lower_bound(hits: int, of: int, confidence: float = CONFIDENCE) -> float:
    """Clopper and Pearson's one-sided lower bound of a share of which `hits` `of` were seen."""
    return float(stats.beta.ppf(1 - confidence, hits, of - hits + 1)) if hits else 0.0


def upper_bound(hits: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The upper bound; 1 where nothing was seen."""
    return float(stats.beta.ppf(confidence, hits + 1, of - hits)) if hits < of else 1.0


def share_at_least(name: str, hits: int, of: int, goal: float) -> Check:
    """A share whose lower bound must reach `goal`; told where so few could not show it anyway."""
    bound = lower_bound(hits, of)
    value = f"{share(hits, of)}, at least {bound:.1%}"
    if hits == of and bound < goal:  # not one miss, and no fault of the method
        return told(name, f"{value}: too few to show ≥ {goal:.0%}")
    return Check(name, value, f"≥ {goal:.0%}", bound >= goal)


def share_at_most(name: str, hits: int, of: int, goal: float) -> Check:
    """A share whose upper bound must not pass `goal`; told where so few cannot show it."""
    bound = upper_bound(hits, of)
    value = f"{share(hits, of)}, at most {bound:.1%}"
    if hits == 0 and bound > goal:
        return told(name, f"{value}: too few to show ≤ {goal:.0%}")
    return Check(name, value, f"≤ {goal:.0%}", bound <= goal)


def share_told(name: str, hits: int, of: int) -> Check:
    """A share with its lower bound, not judged."""
    return told(name, f"{share(hits, of)}, at least {lower_bound(hits, of):.1%}")


def share(hits: int, of: int) -> str:
    """ "41 of 44 (93.2 %)"."""
    return f"{hits:,} of {of:,}" + (f" ({hits / of:.1%})" if of else "")


def at_least(name: str, value: float, goal: float) -> Check:
    """A value, itself a bound or no share, that must reach `goal`."""
    return Check(name, f"{value:.3f}", f"≥ {goal}", bool(value >= goal))
