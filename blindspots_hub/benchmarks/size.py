"""`benchmark size`: what a lab's size costs, and how cost and memory grow on the way there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub import paper
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.harness import (
    Report,
    Row,
    at_most,
    beside,
    this_machine,
    unmeasured,
)
from blindspots_hub.benchmarks.page_server import empty_page, memory_of, served, waited
from blindspots_hub.progress import Event, Work

WORKER = "blindspots_hub.benchmarks.size_worker"
STAGE = "size"
GIB = 2**30

PARTS = ("tables", "nearest", "thumbnails", "checkpoints", "start")
"""What is measured, by name."""


@dataclass(frozen=True)
class Sizes:
    """Pairs from kept codes to a bundle, and fewer of them to compare with; concepts, and more of
    them; thumbnails; checkpoints in one bundle, and their pairs; whether goals are judged."""

    pairs: int
    fewer: int
    n_concepts: int
    more_concepts: int
    width: int
    thumbnails: int
    checkpoints: int
    their_pairs: int
    judged: bool


FULL = Sizes(100_000, 5_000, paper.CONCEPTS, 128_000, 768, 1_000, 100, paper.PAIRS, True)
QUICK = Sizes(192, 64, 600, 1_200, 32, 20, 3, 60, False)


def running(sizes: Sizes, embedded: Path, parts: Sequence[str] = PARTS) -> Work[Report]:
    """Measure the `parts`, each in processes of its own; `embedded` is the bundle of the start."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for done, part in enumerate(parts):
            yield Event(STAGE, done, len(parts), {"part": part})
            own = Path(folder) / part
            rows += _start(sizes, own, embedded) if part == "start" else _PARTS[part](sizes, own)
        yield Event(STAGE, len(parts), len(parts))
    return Report(this_machine(), rows, quick=not sizes.judged)


def _asked(work: str, **order: Any) -> dict[str, Any]:
    """The last answer of a worker."""
    *_, last = memory.in_own_process(WORKER, {"work": work, **order})
    return last


def _tables(sizes: Sizes, folder: Path) -> list[Row]:
    n, judged = sizes.n_concepts, sizes.judged
    common = {"folder": str(folder / "codes"), "pairs": sizes.pairs, "n": n}
    _asked("codes", **common)
    few, many = (
        _asked("tables", **common, use=use, bundle=str(folder / f"bundle-{use}"))
        for use in (sizes.fewer, sizes.pairs)
    )
    ratio = (many["processor"] / sizes.pairs) / (few["processor"] / sizes.fewer)
    return [
        at_most(
            f"{sizes.pairs:,} pairs from kept codes to a bundle, peak memory",
            many["peak"] / GIB, 4.0, " GiB", judged=judged, **many,
        ),
        at_most(
            f"cost of a pair, {sizes.pairs:,} over {sizes.fewer:,}", ratio, 1.2, " ×",
            judged=judged, few=few,
        ),
    ]  # fmt: skip


def _nearest(sizes: Sizes, _: Path) -> list[Row]:
    here, more = (
        _asked("nearest", n=n, d=sizes.width) for n in (sizes.n_concepts, sizes.more_concepts)
    )
    judged, few, many = sizes.judged, f"{sizes.n_concepts:,}", f"{sizes.more_concepts:,}"
    squares = (sizes.more_concepts / sizes.n_concepts) ** 2
    return [
        at_most(f"nearest atoms of {few}", here["seconds"], 15.0, " s", judged=judged, **here),
        at_most(
            f"nearest atoms of {few}, over half of their square of products alone",
            here["seconds"] / here["products"], 2.0, " ×", judged=judged,
        ),
        beside(f"nearest atoms of {many}", more["seconds"], " s"),
        at_most(
            f"nearest atoms of {many}, processor time of a product over that of {few}",
            more["processor"] / here["processor"] / squares, 1.2, " ×", judged=judged,
        ),
        at_most(
            f"nearest atoms of {many}, peak memory", more["peak"] / GIB, 4.0, " GiB",
            judged=judged, **more,
        ),
    ]  # fmt: skip


def _thumbnails(sizes: Sizes, _: Path) -> list[Row]:
    took = _asked("thumbnails", images=sizes.thumbnails)
    name, judged = "60,000 thumbnails of 512 × 512, processor time", sizes.judged
    return [
        at_most(name, took["seconds"] * 60_000, 150.0, " s", judged=judged),
        at_most(
            f"{name} over decoding alone", took["seconds"] / took["decoding"], 1.5, " ×",
            judged=judged,
        ),
    ]  # fmt: skip


def _checkpoints(sizes: Sizes, folder: Path) -> list[Row]:
    count, judged = sizes.checkpoints, sizes.judged
    _asked(
        "checkpoints", folder=str(folder), checkpoints=count, pairs=sizes.their_pairs,
        n=sizes.n_concepts,
    )  # fmt: skip
    out = folder / "all"
    found = _asked("combine", folder=str(folder), out=str(out))
    share = found["written"] / found["bytes"]
    name = f"{count} checkpoints combined: bytes written, of all"
    rows = [at_most(name, share, 0.25, " ×", judged=judged, **found)]
    what = f"the page of {count} checkpoints"
    rows_of_page = _page(what, out, folder, 5.0, 2.0, judged)
    return rows + rows_of_page + _over_empty(what, rows_of_page, 2.0, judged)


def _start(sizes: Sizes, folder: Path, embedded: Path) -> list[Row]:
    """The second of two starts: files are in memory by then, and compiled."""
    _page("", embedded, folder / "first", 2.5, 1.0, False)
    rows = _page("the embedded page", embedded, folder / "second", 2.5, 1.0, sizes.judged)
    return rows + _over_empty("the embedded page", rows, 1.25, sizes.judged)


def _over_empty(what: str, rows: Sequence[Row], most: float, judged: bool) -> list[Row]:
    """How long a page of `rows` took to answer, over an empty one of Gradio on this machine."""
    name = f"{what} answers, over an empty page of Gradio"
    if rows[0].value is None:
        return [unmeasured(name, "it did not start", f"≤ {most:g} ×")]
    empty = empty_page()
    over = rows[0].value / empty
    return [at_most(name, over, most, " ×", judged=judged, empty=empty)]


def _page(
    what: str, root: Path, folder: Path, seconds: float, gigabytes: float, judged: bool
) -> list[Row]:
    folder.mkdir(parents=True, exist_ok=True)
    with served(root, folder) as (process, address):
        answered = waited(process, address)
        held = memory_of(process.pid)
    if answered is None:
        return [unmeasured(f"{what} answers", "it did not start", f"≤ {seconds:g} s")]
    rows = [at_most(f"{what} answers", answered, seconds, " s", judged=judged)]
    if held is not None:
        rows.append(at_most(f"{what}, memory", held / 1e9, gigabytes, " GB", judged=judged))
    return rows


_PARTS = {
    "tables": _tables,
    "nearest": _nearest,
    "thumbnails": _thumbnails,
    "checkpoints": _checkpoints,
}
