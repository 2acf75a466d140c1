"""From tokens to tables for more and more pairs: what it costs and what memory it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.layout import heatmaps_path
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.harness import Row, at_most, unmeasured
from blindspots_hub.benchmarks.synthetic import LAYOUT, PublishedLike
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.store import CodeStore
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.encoding import SHARD
from blindspots_hub.runs.tables import EnergyPair, write_tables

LIMIT = 2 << 30
"""Bytes that `LIMITED` pairs must do with, torch and weights included."""
LIMITED = 1_000
LINEAR = 1.2
"""What an image may cost at the largest size, over what it costs at the smallest."""
FLAT = 1.1
"""What memory encoding may take at the largest size, over what it takes at the smallest."""

_SIDES = ("natural", "generated")


@dataclass(frozen=True)
class Size:
    """What a number of pairs cost so far.

    encoding, tables: seconds an image, of encoding and as its share of the tables; encoding_peak,
    peak: bytes of the process while encoding and in all; codes: bytes of the kept codes.
    """

    pairs: int
    encoding: float
    tables: float
    encoding_peak: int
    peak: int
    codes: int


def measured_sizes(like: PublishedLike, folder: Path, sizes: Sequence[int]) -> Iterator[int | Size]:
    """Encode synthetic tokens shard by shard, then compute every table of each of `sizes`.

    Yields how many pairs are encoded so far, then what each size cost, both in ascending order.
    """
    sae = like.model("batch_topk")
    ids = [f"{number:08d}" for number in range(sizes[-1])]
    n = sae.config.n_concepts
    stores = {side: CodeStore(folder / side, ids, "", LAYOUT, n, SHARD) for side in _SIDES}
    streams = {side: like.more_tokens(seed) for seed, side in enumerate(_SIDES)}
    sae.encode(next(like.more_tokens(len(_SIDES))))  # prepares the weights
    seconds, images, shard = 0.0, 0, 0
    encoding: list[tuple[float, int]] = []
    memory.forget_peak()
    for size in sizes:
        while shard * SHARD < size:
            for side, store in stores.items():
                ids_here = store.shards[shard]
                tokens = torch.stack([next(streams[side]) for _ in ids_here])
                started = time.perf_counter()
                store.write(shard, dict(zip(ids_here, sae.encode_images(tokens), strict=True)), {})
                seconds += time.perf_counter() - started
                images += len(tokens)
            shard += 1
            yield min(shard * SHARD, sizes[-1])
        encoding.append((seconds / images, memory.peak()))
    for size, (of_image, encoding_peak) in zip(sizes, encoding, strict=True):
        memory.forget_peak()
        started = time.perf_counter()
        shards = range(-(-size // SHARD))
        coded = [store.load(shards).take(ids[:size]) for store in stores.values()]
        _write(folder / "bundle", *coded)
        tables = (time.perf_counter() - started) / (2 * size)
        codes = sum(one.values.nbytes + one.concepts.nbytes for side in coded for one in side.codes)
        del coded
        peak = max(encoding_peak, memory.peak())
        yield Size(size, of_image, tables, encoding_peak, peak, codes)


def _write(root: Path, natural: CodedImages, generated: CodedImages) -> None:
    """Every table of the pairs, and the heatmaps of the top images."""
    settings = MeasureSettings()
    compared = EnergyPair(
        natural.energies(settings.tokens),
        generated.energies(settings.tokens),
        natural.ids,
        generated.ids,
        paired=True,
    )
    written = write_tables(root, "model", compared, settings)
    for name, side, top in (
        ("natural", natural, written.top_natural),
        ("model", generated, written.top_generated),
    ):
        keys = sorted((int(row), concept) for concept, rows in enumerate(top) for row in rows)
        entries = [(concept, row, *side.heat(row, concept)) for row, concept in keys]
        Heatmaps.build(entries).save(heatmaps_path(root, name))


def scale_rows(d: int, n: int, sizes: Sequence[int], judged: bool) -> Work[list[Row]]:
    """Measured in a process of its own that Linux gives no more than `LIMIT` bytes of data.

    The limit is lifted after the tables of `LIMITED` pairs. `sizes`: numbers of pairs, ascending.
    """
    limited = max((size for size in sizes if size <= LIMITED), default=sizes[0])
    names = (
        f"memory: {limited:,} pairs from tokens to tables",
        f"cost of an image, {sizes[-1]:,} pairs over {sizes[0]:,}",
        f"peak memory of encoding, {sizes[-1]:,} pairs over {sizes[0]:,}",
    )
    goals = (f"≤ {LIMIT / 2**30:g} GiB", f"≤ {LINEAR:g} ×", f"≤ {FLAT:g} ×")
    if not memory.known():
        why = "only Linux limits and tells a process's memory"
        return [unmeasured(name, why, goal) for name, goal in zip(names, goals, strict=True)]
    order = {"work": "sizes", "d": d, "n": n, "sizes": list(sizes), "limited": limited}
    found = []
    try:
        for told in memory.in_own_process(memory.WORKER, order):
            if "size" in told:
                found.append(Size(**told["size"]))
            else:
                yield Event("from tokens to tables", told["pairs"], sizes[-1])
    except memory.Failed as failed:
        return [
            Row(name, f"failed: {failed}", goal, "missed" if judged else "not judged")
            for name, goal in zip(names, goals, strict=True)
        ]
    return rows_of(found, limited, names, judged)


def rows_of(found: list[Size], limited: int, names: Sequence[str], judged: bool) -> list[Row]:
    """The three rows of what was measured."""
    first, last = found[0], found[-1]
    peak = next(size.peak for size in found if size.pairs == limited)
    linear = (last.encoding + last.tables) / (first.encoding + first.tables)
    enough = limited == LIMITED  # fewer pairs show nothing
    detail: dict[str, Any] = {"sizes": [asdict(size) for size in found]}
    return [
        at_most(names[0], peak / 2**30, LIMIT / 2**30, " GiB", judged=judged and enough),
        at_most(names[1], linear, LINEAR, " ×", judged=judged, **detail),
        at_most(names[2], last.encoding_peak / first.encoding_peak, FLAT, " ×", judged=judged),
    ]
