"""Timing of things that are to be compared: in turns, in one process run, by medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch

from blindspots_hub.progress import Event, Work


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
