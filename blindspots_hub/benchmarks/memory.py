"""Memory of this machine and of single processes, as Linux tells it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WORKER = "blindspots_hub.benchmarks.worker"
"""The module that measures memory in a process of its own."""

_STATUS = Path("/proc/self/status")


def known() -> bool:
    """Whether this system tells these things."""
    return _STATUS.is_file()


def available() -> int:
    """Bytes that processes can take before this machine swaps."""
    return _bytes(Path("/proc/meminfo"), "MemAvailable")


def resident() -> int:
    """Bytes that this process holds in memory."""
    return _bytes(_STATUS, "VmRSS")


def peak() -> int:
    """Most bytes that this process has held since it started, or since `forget_peak`."""
    return _bytes(_STATUS, "VmHWM")


def forget_peak() -> None:
    """Let `peak` start anew."""
    Path("/proc/self/clear_refs").write_text("5")


def raised_by(work: Callable[[], object]) -> int:
    """Bytes by which `work` raises this process's memory at most."""
    before = resident()
    forget_peak()
    work()
    return peak() - before


class Failed(Exception):
    """A process of its own ended badly; the message is the last line that it wrote."""


def in_own_process(module: str, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run `python -m module ORDER` and yield each JSON object that it prints, a line each.

    Raises `Failed`. The process does not outlive the iterator.
    """
    command = [sys.executable, "-m", module, json.dumps(order)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield json.loads(line)
            if process.wait():
                errors.seek(0)
                raise Failed(errors.read().strip().rpartition("\n")[2] or "no word of it")
        finally:
            process.kill()


def _bytes(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
