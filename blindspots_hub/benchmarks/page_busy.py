"""Fifty visitors of a page on which a model is being evaluated."""

from __future__ import annotations

from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np

from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.benchmarks.harness import Row, at_most, unmeasured
from blindspots_hub.benchmarks.page_server import memory_of, served, waited
from blindspots_hub.benchmarks.page_users import Opening, crowd
from blindspots_hub.benchmarks.page_visit import Visit, reachable, visiting
from blindspots_hub.errors import BlindspotsError

if TYPE_CHECKING:
    from blindspots_hub.benchmarks.page import PageSizes

BEGIN = 0.25
"""Share of the time after which the server's memory is first looked at: by then all is loaded."""


def busy_rows(bundle: Path, folder: Path, sizes: PageSizes, chromium: str) -> list[Row]:
    """Serve a bundle that can be evaluated in, run one on its page, and let visitors open cards."""
    with served(bundle, folder) as (process, address):
        if waited(process, address) is None:
            raise BlindspotsError(f"The page of {bundle} did not start: python app.py says why.")
        with visiting(chromium, address) as visit:
            n_concepts = int(Manifest.read(bundle).concept_space["n_concepts"])
            visit.click(reachable(visit, n_concepts, 1)[0])
            _run(visit, sizes.evaluated)
            return _visited(visit, sizes, process.pid, n_concepts)


def _run(visit: Visit, pairs: int) -> None:
    """Begin an evaluation of that many pairs, and wait until its first images are there."""
    page = visit.page
    page.get_by_role("tab", name="Evaluate my model").click()
    box = page.locator("#eval-pairs input[type=number]")
    box.fill(str(pairs))
    box.blur()
    page.locator("#run").click()
    page.locator("#status img").first.wait_for(timeout=120_000)


def _visited(visit: Visit, sizes: PageSizes, pid: int, n_concepts: int) -> list[Row]:
    name = f"{sizes.users} visitors while a model is evaluated, p95"
    if visit.card is None or visit.event is None:
        return [unmeasured(name, "no card was opened", "≤ 1000 ms")]
    early: list[int | None] = []
    look = Timer(BEGIN * sizes.seconds, lambda: early.append(memory_of(pid)))
    look.start()
    opening = Opening(visit.page.url, visit.card, visit.event)
    found = crowd(opening, n_concepts, sizes.users, sizes.seconds)
    look.join()
    took = 1000 * np.array(found.cards)
    runs = visit.page.locator("#status .running").count() > 0
    rows = [
        at_most(
            name, float(np.percentile(took, 95)), 1000.0, " ms", judged=sizes.judged and runs,
            p50=float(np.median(took)), cards=len(took), still_ran=runs,
        ),
        at_most(
            "cards that failed beside an evaluation", float(len(found.faults)), 0.0, "",
            judged=sizes.judged, first=found.faults[:1],
        ),
    ]  # fmt: skip
    before, after = early[0], memory_of(pid)
    if before is None or after is None:
        return [*rows, unmeasured("memory meanwhile", "this system does not tell it", "≤ 1.1 ×")]
    grown = after / before
    return [
        *rows,
        at_most("memory meanwhile, end over begin", grown, 1.1, " ×", judged=sizes.judged),
    ]
