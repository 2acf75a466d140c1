"""`benchmark analyses`: time and memory of every analysis at the paper's size, models together."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from blindspots_hub import paper
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.analyses_worker import CODES_MAP
from blindspots_hub.benchmarks.harness import Report, Row, Verdict, this_machine, unmeasured
from blindspots_hub.progress import Event, Work

SECONDS = 60.0
"""That an analysis may take of all models together."""

MAP_SECONDS = 120.0
"""That laying out the codes of all concepts may take."""

MEMORY = 4 << 30
"""Bytes that the process may hold meanwhile."""

MODELS = 5
QUICK = (200, 1_000, 2)
FULL = (paper.PAIRS, paper.CONCEPTS, MODELS)
"""Pairs, concepts, models."""

WORKER = "blindspots_hub.benchmarks.analyses_worker"


def running(sizes: tuple[int, int, int], names: Sequence[str] = ()) -> Work[Report]:
    """Write a synthetic bundle, and ask each analysis in a process of its own.

    `sizes` are pairs, concepts and models; only FULL is judged.
    """
    judged = sizes == FULL
    asked = [one.name for one in ANALYSES if not names or one.name in names]
    asked += [] if names else [CODES_MAP]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        made = {"root": str(Path(folder) / "bundle"), "sizes": list(sizes)}
        for told in memory.in_own_process(WORKER, made):
            yield Event("make the bundle", told["done"], told["total"])
        for done, name in enumerate(asked):
            yield Event("analyse", done, len(asked), {"analysis": name})
            try:
                (found,) = memory.in_own_process(WORKER, {**made, "name": name})
                rows.append(_row(name, found, judged))
            except memory.Failed as failed:
                rows.append(Row(name, f"failed: {failed}", "an answer", "missed"))
    yield Event("analyse", len(asked), len(asked))
    return Report(this_machine(), rows, quick=not judged)


def _row(name: str, found: dict[str, float], judged: bool) -> Row:
    allowed = MAP_SECONDS if name == CODES_MAP else SECONDS
    goal = f"≤ {allowed:g} s, ≤ {MEMORY / 2**30:g} GiB"
    if not found["answers"]:
        return unmeasured(name, "the bundle lacks what it needs", goal)
    measured = f"{found['seconds']:.1f} s, {found['peak'] / 2**30:.2f} GiB"
    held = found["seconds"] <= allowed and found["peak"] <= MEMORY
    verdict: Verdict = ("held" if held else "missed") if judged else "not judged"
    return Row(name, measured, goal, verdict, found["seconds"], dict(found))
