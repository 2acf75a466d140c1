"""`benchmark page`: how quick the page is, and how much it sends and holds, on a large bundle."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from blindspots_hub import paper
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.harness import Report, Row, at_most, this_machine, unmeasured
from blindspots_hub.benchmarks.page_busy import busy_rows
from blindspots_hub.benchmarks.page_server import empty_page, memory_of, served, waited
from blindspots_hub.benchmarks.page_users import PAUSE, Opening, crowd
from blindspots_hub.benchmarks.page_visit import Visit, reachable, visiting
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

WORKER = "blindspots_hub.benchmarks.page_worker"
NAMES = ("chromium", "chromium-browser", "google-chrome")
STAGE = "measure the page"


NEXT_PAGE = """async () => {
  const root = document.querySelector('#concepts-table');
  const rows = () => root.querySelector('tbody')?.innerHTML, before = rows();
  const began = performance.now(), took = () => performance.now() - began;
  root.querySelector('button[aria-label="Next page"]').click();
  while (rows() === before && took() < 9000) await new Promise(requestAnimationFrame);
  return took();
}"""
"""Milliseconds until the table of all concepts has turned a page."""

TURNS = 5
"""Pages of that table that are turned."""


@dataclass(frozen=True)
class PageSizes:
    """What is measured on.

    Pairs, concepts and models of the bundle; clicks; visitors at once, and for how long; pairs of
    the evaluation that runs beside them.
    """

    pairs: int
    n_concepts: int
    models: int
    clicks: int
    users: int
    seconds: float
    evaluated: int
    judged: bool


FULL = PageSizes(paper.PAIRS, paper.CONCEPTS, 5, 40, 50, 60.0, 1_000, True)
QUICK = PageSizes(200, 1_000, 2, 5, 4, 3.0, 60, False)


def find_chromium(given: Path | None) -> str:
    """The browser: the one that is given, or one of the usual names; else `BlindspotsError`."""
    if given is not None:
        if not given.is_file():
            raise BlindspotsError(f"{given} is no browser: name a Chromium with --chromium.")
        return str(given)
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise BlindspotsError(
            "The page is measured in a real browser: install Chromium (apt install chromium), or "
            "name one with --chromium."
        )
    try:
        import playwright  # noqa: F401
    except ImportError as error:
        raise BlindspotsError(
            "The page is measured by playwright: pip install 'blindspots_hub[dev]'."
        ) from error
    return found


def running(
    sizes: PageSizes, chromium: str, embedded: Path, bundle: Path | None = None
) -> Work[Report]:
    """Make the bundle, or take the one that is given, serve it in its own process, and visit it.

    `embedded` is a bundle whose models can be evaluated here, for visitors beside an evaluation.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = bundle
        if root is None:
            root = Path(folder) / "bundle"
            order = {"make": str(root), "sizes": [sizes.pairs, sizes.n_concepts, sizes.models]}
            for told in memory.in_own_process(WORKER, order):
                yield Event("make the bundle", told["done"], told["total"])
        manifest = Manifest.read(root)
        n_concepts = int(manifest.concept_space["n_concepts"])
        yield Event(STAGE, 0, 5)
        empty = empty_page()
        with served(root, Path(folder)) as (process, address):
            answered = waited(process, address)
            if answered is None:
                raise BlindspotsError(f"The page of {root} did not start: python app.py says why.")
            rows = [
                _most("page answers after its start", answered, 3.0, " s", sizes),
                _most("the same over an empty page of Gradio", answered / empty, 1.25, " ×", sizes),
            ]
            with visiting(chromium, address) as visit:
                yield Event(STAGE, 1, 5)
                rows += _first_load(visit, sizes)
                rows += _clicks(visit, sizes, n_concepts)
                yield Event(STAGE, 2, 5)
                rows += _models(visit, sizes, len(manifest.models))
                rows += _searches(visit, sizes)
                rows.append(_table(visit, sizes))
                rows.append(_memory("after all models were viewed", process.pid, sizes))
                yield Event(STAGE, 3, 5)
                rows += _users(visit, sizes, process.pid, n_concepts)
        yield Event(STAGE, 4, 5)
        rows += busy_rows(embedded, Path(folder), sizes, chromium)
        yield Event(STAGE, 5, 5)
    return Report(this_machine(), rows, quick=not sizes.judged)


def _most(name: str, value: float, bound: float, unit: str, sizes: PageSizes) -> Row:
    return at_most(name, value, bound, unit, judged=sizes.judged)


def _first_load(visit: Visit, sizes: PageSizes) -> list[Row]:
    visit.page.wait_for_timeout(1_500)
    ready = visit.times("ready")
    received, requests = visit.traffic.bytes, visit.traffic.requests
    return [
        _most("map ready after the page answers", ready / 1000, 2.0, " s", sizes),
        at_most("first load", received / 1e6, 1.0, " MB", judged=sizes.judged, requests=requests),
    ]


def _clicks(visit: Visit, sizes: PageSizes, n_concepts: int) -> list[Row]:
    chosen = reachable(visit, n_concepts, sizes.clicks + 1)
    if len(chosen) < 2:
        return [unmeasured("click to card", "no concept stands alone on the map", "≤ 150 ms")]
    visit.click(chosen[0])  # reads what every card needs
    found = [visit.click(concept) for concept in chosen[1:]]
    took = [ms for ms, _, _ in found]
    right = sum(hit for _, _, hit in found)
    p50, p95 = (float(np.percentile(took, p)) for p in (50, 95))
    return [
        at_most(
            f"click to card, p95 of {len(took)}",
            p95, 150.0, " ms", judged=sizes.judged, p50=p50, right=right,
        ),
        _most("clicks that opened another concept", len(took) - right, 0, "", sizes),
        _most("largest card", max(size for _, size, _ in found) / 1000, 15.0, " kB", sizes),
    ]  # fmt: skip


def _models(visit: Visit, sizes: PageSizes, there: int) -> list[Row]:
    if there < 2:
        return [unmeasured("switch of model", "the bundle has one model", "≤ 300 ms")]
    around = [*range(1, there), 0]
    for number in around:
        visit.switch(number)  # each is read once
    found = [visit.switch(number) for number in around]
    return [
        _most("switch of model, median", median(ms for ms, _ in found), 300, " ms", sizes),
        _most("bytes of a switch, most", max(sent for _, sent in found) / 1000, 100, " kB", sizes),
    ]


def _searches(visit: Visit, sizes: PageSizes) -> list[Row]:
    visit.search("kettle")  # makes the index
    took = [visit.search(words) for words in ("bridge", "garden metal", "2171", "no such")]
    return [_most("search of every caption, slowest of 4", max(took), 300.0, " ms", sizes)]


def _table(visit: Visit, sizes: PageSizes) -> Row:
    """A page of the table of all concepts, where that tab is there."""
    name, goal = f"page of the concept table, median of {TURNS}", "≤ 300 ms"
    tab = visit.page.get_by_role("tab", name="Concepts", exact=True)
    if tab.count() == 0:
        return unmeasured(name, "there is no such tab", goal)
    tab.click()
    try:
        visit.page.locator("#concepts-table tbody tr").first.wait_for(timeout=10_000)
        took = []
        for _ in range(TURNS):
            took.append(float(visit.page.evaluate(NEXT_PAGE)))
            visit.page.wait_for_timeout(400)
    except Exception as error:  # whatever that tab is, the other rows stand
        return unmeasured(name, f"the tab could not be measured ({type(error).__name__})", goal)
    finally:
        visit.page.get_by_role("tab", name="Explore", exact=True).click()
        visit.page.wait_for_timeout(500)
    return _most(name, float(np.median(took)), 300.0, " ms", sizes)


def _memory(when: str, pid: int, sizes: PageSizes) -> Row:
    name = f"memory of the server {when}"
    held = memory_of(pid)
    if held is None:
        return unmeasured(name, "this system does not tell it", "≤ 800 MB")
    return _most(name, held / 1e6, 800.0, " MB", sizes)


def _users(visit: Visit, sizes: PageSizes, pid: int, n_concepts: int) -> list[Row]:
    name = f"{sizes.users} visitors, a card every {PAUSE:g} s each, p95"
    if visit.card is None or visit.event is None:
        return [unmeasured(name, "no card was opened", "≤ 500 ms")]
    opening = Opening(visit.page.url, visit.card, visit.event)
    found = crowd(opening, n_concepts, sizes.users, sizes.seconds)
    took = 1000 * np.array(found.cards)
    rate = len(took) / sizes.seconds
    return [
        at_most(
            name, float(np.percentile(took, 95)), 500.0, " ms", judged=sizes.judged,
            p50=float(np.median(took)), cards_a_second=rate, pictures=found.pictures,
        ),
        Row(
            "cards that failed meanwhile", f"{len(found.faults)} of {len(took)}", "0",
            ("missed" if found.faults else "held") if sizes.judged else "not judged",
            float(len(found.faults)), {"first": found.faults[:1]},
        ),
        _memory("after that", pid, sizes),
    ]  # fmt: skip
