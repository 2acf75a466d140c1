"""What a benchmark of speed found: rows with goals, judged only where they could be measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from blindspots_hub.benchmarks.machine import Machine

Verdict = Literal["held", "missed", "not judged"]


@dataclass(frozen=True)
class Row:
    """One thing that was measured, or why it was not.

    value: the number that the goal is about, None where nothing was measured; measured: how it is
    shown; goal: in words; verdict: `not judged` where there is nothing to hold against the goal;
    detail: further numbers for the JSON.
    """

    name: str
    measured: str
    goal: str
    verdict: Verdict
    value: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def at_least(
    name: str, value: float, bound: float, unit: str, *, judged: bool = True, **detail: Any
) -> Row:
    """A row whose value must be ≥ `bound`; reported only, where not `judged`."""
    return _row(name, value, f"≥ {bound:g}{unit}", value >= bound, unit, judged, detail)


def at_most(
    name: str, value: float, bound: float, unit: str, *, judged: bool = True, **detail: Any
) -> Row:
    """A row whose value must be ≤ `bound`; reported only, where not `judged`."""
    return _row(name, value, f"≤ {bound:g}{unit}", value <= bound, unit, judged, detail)


def unmeasured(name: str, why: str, goal: str) -> Row:
    """A row that says why there is no number."""
    return Row(name, why, goal, "not judged")


def _row(
    name: str,
    value: float,
    goal: str,
    holds: bool,
    unit: str,
    judged: bool,
    detail: dict[str, Any],
) -> Row:
    verdict: Verdict = ("held" if holds else "missed") if judged else "not judged"
    return Row(name, f"{value:.4g}{unit}", goal, verdict, value, detail)


@dataclass(frozen=True)
class Report:
    """All rows, and the machine that they were measured on."""

    machine: Machine
    rows: list[Row]
    quick: bool

    @property
    def held(self) -> bool:
        """Whether no judged criterion was missed."""
        return all(row.verdict != "missed" for row in self.rows)

    def text(self) -> str:
        """The report as a terminal shows it, and as a Markdown table."""
        lines = [self.machine.text(), ""]
        if self.quick:
            lines += ["Quick: small shapes, on which speed and quality are not judged.", ""]
        cells = [("", "measured", "goal", ""), ("---",) * 4]
        cells += [(row.name, row.measured, row.goal, row.verdict) for row in self.rows]
        lines += [f"| {' | '.join(row)} |" for row in cells]
        judged = sum(row.verdict != "not judged" for row in self.rows)
        missed = sum(row.verdict == "missed" for row in self.rows)
        if judged:
            lines += ["", f"{judged - missed} of {judged} criteria that could be measured held."]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The content of the JSON report."""
        return {
            "machine": asdict(self.machine),
            "quick": self.quick,
            "held": self.held,
            "rows": [asdict(row) for row in self.rows],
        }
