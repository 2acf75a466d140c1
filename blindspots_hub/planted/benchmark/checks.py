"""A row of the report: a share is held against its goal by its one-sided bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blindspots_hub.measure.shares import Clustered, lower_bound, upper_bound


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


def clustered_at_least(name: str, found: Clustered, goal: float, right: float) -> Check:
    """A share whose lower bound must reach `goal`.

    Told, not judged, where so few can show neither: the goal lies between the two bounds, and a
    right method (`right`: its share, as it does what it says) would not be expected to reach it.
    """
    value = (
        f"{share(found.hits, found.of)}, at least {found.bound:.1%} "
        f"({found.clusters} concepts, worth {found.effective:,.0f})"
    )
    holds = found.bound >= goal
    if not holds and found.upper >= goal and not found.tells(goal, right):
        return told(name, f"{value}: too few to tell {right:.0%} from {goal:.0%}")
    return Check(name, value, f"≥ {goal:.0%}", holds)


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
    """ "41 of 44 (93.2%)"."""
    return f"{hits:,} of {of:,}" + (f" ({hits / of:.1%})" if of else "")


def at_least(name: str, value: float, goal: float) -> Check:
    """A value, itself a bound or no share, that must reach `goal`."""
    return Check(name, f"{value:.3f}", f"≥ {goal}", bool(value >= goal))
