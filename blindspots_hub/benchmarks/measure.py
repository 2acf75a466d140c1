"""`benchmark measure`: everything after generation, against the authors' way and its own floor."""

from __future__ import annotations

from dataclasses import dataclass

from blindspots_hub import paper
from blindspots_hub.benchmarks.harness import Report, this_machine
from blindspots_hub.benchmarks.measure_files import Network, cuda_row, files_rows
from blindspots_hub.benchmarks.measure_image import image_rows, memory_row
from blindspots_hub.benchmarks.measure_scale import scale_rows
from blindspots_hub.benchmarks.measure_tables import tables_row
from blindspots_hub.benchmarks.synthetic import published_like
from blindspots_hub.progress import Work


@dataclass(frozen=True)
class Sizes:
    """What is measured, how often, and whether goals are judged on it.

    network: the backbone, whose width the RA-SAE reads; images: those of the rows of one image;
    pairs: the most that are taken from tokens to tables; kept: the pairs whose tables are
    recomputed, and that CUDA takes.
    """

    network: Network
    n_concepts: int
    images: int
    repeats: int
    pairs: int
    kept: int
    judged: bool


FULL = Sizes(
    Network(), paper.CONCEPTS, images=64, repeats=5, pairs=1_000, kept=paper.PAIRS, judged=True
)
QUICK = Sizes(
    Network(width=64, layers=2, heads=2), 2_000, images=20, repeats=2, pairs=96, kept=500,
    judged=False,
)  # fmt: skip
"""Small shapes: every part runs, but fixed costs hide what the goals are about."""


def running(sizes: Sizes) -> Work[Report]:
    """Measure everything that this machine can; see the modules of the rows for what and how."""
    d, n, judged = sizes.network.width, sizes.n_concepts, sizes.judged
    like = published_like(images=1, d=d, n_concepts=n)
    rows = yield from image_rows(like, sizes.images, sizes.repeats, judged)
    rows.append((yield from memory_row(d, n, judged)))
    rows += yield from scale_rows(d, n, pair_sizes(sizes.pairs), judged)
    rows += yield from files_rows(like, sizes.network, sizes.repeats, judged)
    rows.append((yield from tables_row(sizes.kept, n, judged)))
    rows.append((yield from cuda_row(like, sizes.network, sizes.kept, judged)))
    return Report(this_machine(), rows, quick=not judged)


def pair_sizes(largest: int) -> list[int]:
    """The numbers of pairs to stop at: 100, 1,000 …, and the largest; a third of it if small."""
    steps = [10**power for power in range(2, 9) if 10**power < largest]
    return [*(steps or [max(2, largest // 3)]), largest]
