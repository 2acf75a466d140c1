"""Every table of many pairs from kept energies alone: what `remeasure` does, and companions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from blindspots_hub.analysis.concept_map import NEIGHBOURS, co_occurring
from blindspots_hub.benchmarks.harness import Row, at_most
from blindspots_hub.benchmarks.measure_world import paired_energies
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import (
    duplicates,
    pair_distances,
    pair_mean_delta,
    top_images,
)
from blindspots_hub.measure.null import null_p
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure, measured
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.tables import EnergyPair, write_tables

SECONDS = 20.0
"""For every table of the paper's 10,000 images and 32,000 concepts."""


def tables_row(images: int, n: int, judged: bool) -> Work[Row]:
    """Read the energies of `images` pairs, compute and write every table; each part also alone."""
    yield Event("tables", 0, 3)
    sides = paired_energies(images, n)
    ids = [f"{number:08d}" for number in range(images)]
    yield Event("tables", 1, 3)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.safetensors" for name in ("natural", "generated")]
        for side, path in zip(sides, paths, strict=True):
            side.save(path)
        settings = MeasureSettings()
        started = time.perf_counter()
        natural, generated = (ImageEnergies.load(path) for path in paths)
        compared = EnergyPair(natural, generated, ids, ids, paired=True)
        write_tables(Path(folder) / "bundle", "model", compared, settings)
        co_occurring(natural, NEIGHBOURS)
        whole = time.perf_counter() - started
    yield Event("tables", 2, 3)
    parts: dict[str, Callable[[], object]] = {
        "measure": lambda: measure(natural, generated, settings, True),
        "top images": lambda: (top_images(natural), top_images(generated)),
        "distances": lambda: pair_distances(natural, generated),
        "mean δ": lambda: pair_mean_delta(natural, generated, settings.tau),
        "duplicates": lambda: duplicates(generated),
        "measure and null": lambda: measured(natural, generated, settings, True, null=null_p),
        "companions": lambda: co_occurring(natural, NEIGHBOURS),
    }
    seconds = {}
    for name, work in parts.items():
        started = time.perf_counter()
        work()
        seconds[name] = time.perf_counter() - started
    yield Event("tables", 3, 3)
    return at_most(
        f"every table of {images:,} pairs from kept energies", whole, SECONDS, " s",
        judged=judged, seconds=seconds, fires=len(natural.concepts) + len(generated.concepts),
    )  # fmt: skip
