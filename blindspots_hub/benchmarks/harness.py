"""The harness of every benchmark of speed: rows with goals, turns that are timed, the machine.

A goal is judged only where it could be measured; contestants take turns in one run, by medians.
Goals of speed are stated against the floor of the machine at hand, what its own products allow;
ratios to other programs stand beside them and are told.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.cores import cores

_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Names that Linux gives to instructions for bf16 products (x86, x86 tiles, ARM)."""


@dataclass(frozen=True)
class Machine:
    """Processor, cores that may be used, torch and its threads, bf16 products, and the GPU."""

    cpu: str
    cores: int
    torch: str
    threads: int
    bf16: bool
    gpu: str | None

    def text(self) -> str:
        """One line."""
        bf16 = "bf16 instructions" if self.bf16 else "no bf16 instructions"
        return (
            f"{self.cpu}, {self.cores} cores, {bf16}; torch {self.torch}, {self.threads} threads; "
            f"{self.gpu or 'no CUDA device'}"
        )


def this_machine() -> Machine:
    """The machine that this process runs on."""
    described = _cpuinfo()
    flags = (described.get("flags") or described.get("Features") or "").split()
    return Machine(
        cpu=described.get("model name") or platform.processor() or platform.machine(),
        cores=cores(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        bf16=any(name in flags for name in _BF16),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    )


def _cpuinfo() -> dict[str, str]:
    """What Linux tells of the first processor; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


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


def beside(name: str, value: float, unit: str, **detail: Any) -> Row:
    """A row that stands beside a judged one and has no goal: how we compare with a peer here.

    What a peer's way costs depends on the processor (how much faster its low-precision product is),
    so that the same program holds or misses such a ratio by the machine that it runs on.
    """
    return Row(name, f"{value:.4g}{unit}", "told", "not judged", value, detail)


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


def in_turns(
    contestants: Mapping[str, Callable[[int], float | None]], repeats: int, stage: str
) -> Work[dict[str, float]]:
    """Median seconds of each of `contestants` over `repeats` rounds, each of which runs all once.

    A contestant gets the number of the round, from 0, and returns the seconds it took, or None to
    be timed here. A round of all of them goes before, whose times are dropped.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    total = (repeats + 1) * len(contestants)
    for turn in range(repeats + 1):
        for place, (name, run) in enumerate(contestants.items()):
            yield Event(stage, turn * len(contestants) + place, total)
            started = time.perf_counter()
            own = run(turn)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            took = time.perf_counter() - started
            if turn:
                times[name].append(took if own is None else own)
    yield Event(stage, total, total)
    return {name: median(seconds) for name, seconds in times.items()}
