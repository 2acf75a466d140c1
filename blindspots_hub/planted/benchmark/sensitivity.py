"""Which metric sees which fault, and from which strength on: δ beside the metrics of the field.

Models with one planted fault each, at several strengths, draw the captions of natural images. A
metric sees a fault where it lies beyond what the same model without faults gives under other
seeds: by the number of that null's standard deviations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.analysis.deltas import CHANGED_STATES
from blindspots_hub.analysis.distribution_metrics import LOWER_IS_BETTER, all_metrics
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.identity import pair_seed
from blindspots_hub.data.images import open_image
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.planted.faults import Fault, faults_to_config
from blindspots_hub.planted.measured import Natural, natural_pairs
from blindspots_hub.planted.training import load_space
from blindspots_hub.progress import Event, Work

FAULTS = (
    ("suppress", "object=bird feeder"),
    ("suppress", "background=snow"),
    ("exaggerate", "background=wood"),
    ("exaggerate", "palm tree"),
    ("drift", "count=4"),
    ("memorise", "template=t-shirt outline"),
)
"""Kind and factor: rare and common, suppressed and exaggerated, counts, memorised."""

STRENGTHS = (0.25, 0.5, 1.0)
SEEN = 2.0
"""Standard deviations of the null from which on a fault counts as seen."""

CHANGED = "concepts called changed"
"""δ's own count: concepts that surely changed two-fold or more."""

BATCH = 32


@dataclass(frozen=True)
class Sight:
    """How far each metric lies from the null under one fault, in standard deviations, worse > 0."""

    kind: str
    factor: str
    strength: float
    beyond: dict[str, float]


@dataclass(frozen=True)
class _Read:
    energies: ImageEnergies
    tokens: np.ndarray


def sensitivity(
    pairs: int = 400,
    seed: int = 3,
    faults: Sequence[tuple[str, str]] = FAULTS,
    strengths: Sequence[float] = STRENGTHS,
    null_runs: int = 6,
) -> Work[list[Sight]]:
    """Measure every fault at every strength on the same captions; `null_runs` runs have none."""
    space = load_space(planted.BUNDLE)
    natural = yield from natural_pairs(pairs, seed)
    total = null_runs + len(faults) * len(strengths)
    stored = _read((open_image(file) for file in natural.files), space)
    null = []
    for run in range(null_runs):
        yield Event("draw without faults", run, total)
        null.append(_metrics(stored, _drawn(natural, space, (), 100 + run)))
    found = []
    for number, (kind, factor) in enumerate(faults):
        for place, strength in enumerate(strengths):
            done = null_runs + number * len(strengths) + place
            yield Event("draw with one fault", done, total)
            drawn = _drawn(natural, space, (Fault(kind, factor, strength),), seed)
            found.append(Sight(kind, factor, strength, _beyond(_metrics(stored, drawn), null)))
    yield Event("draw with one fault", total, total)
    return found


def _beyond(values: dict[str, float], null: list[dict[str, float]]) -> dict[str, float]:
    """Deviations of a further run from the null, in its standard deviations; worse is > 0."""
    told = {}
    for name, value in values.items():
        usual = np.array([one[name] for one in null])
        # The value is a run of its own, and the mean is of few: both vary.
        spread = usual.std(ddof=1) * np.sqrt(1 + 1 / len(usual))
        sign = 1 if name in LOWER_IS_BETTER or name == CHANGED else -1
        apart = sign * (value - usual.mean())
        if apart == 0:
            told[name] = 0.0
        else:
            told[name] = (
                float(apart / spread) if spread > 1e-12 else float(np.copysign(np.inf, apart))
            )
    return told


def _metrics(natural: _Read, drawn: _Read) -> dict[str, float]:
    table = measure(natural.energies, drawn.energies, MeasureSettings(), paired=True)
    changed = float(np.isin(table["relative_state"].astype(str), CHANGED_STATES).sum())
    return {**all_metrics(natural.tokens, drawn.tokens), CHANGED: changed}


def _drawn(natural: Natural, space: ConceptSpace, faults: tuple[Fault, ...], seed: int) -> _Read:
    from blindspots_hub.planted.pipelines import PlantedPipeline

    pipe = PlantedPipeline(name="one fault", faults=faults_to_config(faults))
    return _read(
        (
            pipe(
                pair.caption.text,
                generator=torch.Generator("cpu").manual_seed(pair_seed(image_id, seed)),
                return_dict=False,
            )[0][0]
            for image_id, pair in zip(natural.ids, natural.pairs, strict=True)
        ),
        space,
    )


def _read(images: Iterator[Image.Image], space: ConceptSpace) -> _Read:
    rows, tokens = [], []
    patches = space.backbone.layout.patches
    while batch := [space.backbone.preprocess(image) for image in islice(images, BATCH)]:
        for codes in space.codes_of_batch(torch.stack(batch)):
            rows.append(codes.energies(patches))
            tokens.append(codes.features[0])
    energies = ImageEnergies.stack(rows, space.sae.config.n_concepts)
    return _Read(energies, np.stack(tokens).astype(np.float64))


def text(found: Sequence[Sight]) -> str:
    """A Markdown table: a row a fault and strength, deviations of each metric, bold where seen."""
    names = list(found[0].beyond)
    lines = [f"| fault | strength | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for one in found:
        cells = [
            f"**{value:.1f}**" if value >= SEEN else f"{value:.1f}" for value in one.beyond.values()
        ]
        lines.append(f"| {one.kind} {one.factor} | {one.strength:g} | {' | '.join(cells)} |")
    return "\n".join(lines)
