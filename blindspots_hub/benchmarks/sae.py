"""`benchmark sae`: speed of training and encoding, and quality, against overcomplete and floors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from blindspots_hub.benchmarks import sae_quality, sae_training
from blindspots_hub.benchmarks.encode import measure_encode
from blindspots_hub.benchmarks.harness import Report, this_machine
from blindspots_hub.benchmarks.sae_cuda import cuda_rows
from blindspots_hub.progress import Work


@dataclass(frozen=True)
class Sizes:
    """What is measured, how often, and whether goals are judged on it.

    encoded: tokens that are encoded at once, with the width and the concepts of `step`.
    """

    step: sae_training.StepShape
    encoded: int
    quality: sae_quality.QualityShape
    repeats: int
    judged: bool


FULL = Sizes(sae_training.FULL, 2088, sae_quality.FULL, repeats=5, judged=True)
QUICK = Sizes(sae_training.QUICK, 261, sae_quality.QUICK, repeats=3, judged=False)
"""Small shapes: every part runs, but fixed costs hide what the goals are about."""


def running(sizes: Sizes, cache: Path, tokens: sae_quality.QualityTokens) -> Work[Report]:
    """Measure everything that this machine can; see the modules of the rows for what and how.

    `cache`: folder of overcomplete's environment; `tokens`: those of the quality rows.
    """
    rows = yield from sae_training.step_rows(sizes.step, sizes.repeats, cache, sizes.judged)
    encoding = yield from measure_encode(
        sizes.encoded, sizes.step.d, sizes.step.n_concepts, sizes.repeats
    )
    rows += [row if sizes.judged else replace(row, verdict="not judged") for row in encoding]
    rows += yield from sae_quality.quality_rows(tokens, sizes.quality, cache, sizes.judged)
    rows += yield from cuda_rows(sizes.repeats, sizes.judged)
    return Report(this_machine(), rows, quick=not sizes.judged)
