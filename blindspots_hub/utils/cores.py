"""The cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_SLICES = 8
"""Slices of work a core, so that none waits long for the last."""


def cores() -> int:
    """How many there are."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def on_all_cores(work: Callable[[int, int], object], count: int) -> None:
    """`work(start, stop)` on slices of `range(count)`; it lets go of Python's lock meanwhile."""
    slices = min(count, _SLICES * cores()) or 1
    edges = [count * part // slices for part in range(slices + 1)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))
