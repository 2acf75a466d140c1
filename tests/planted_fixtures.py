"""Evidence from the embedded bundle's energies, and populations made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.data.identity import pair_seed
from blindspots_hub.planted import build
from blindspots_hub.planted.benchmark.evidence import Evidence
from blindspots_hub.planted.concept_match import standing
from blindspots_hub.planted.measured import natural_pairs
from blindspots_hub.planted.models import planted_pipeline
from blindspots_hub.planted.population import Population
from blindspots_hub.progress import drive


def embedded_evidence() -> Evidence:
    """The committed energies with the truth behind them, which is drawn anew; no population."""
    bundle = load_bundle(planted.BUNDLE)
    pairs = drive(natural_pairs(build.PAIRS, build.BUNDLE_WORLD))
    assert pairs.ids == bundle.image_ids(NATURAL)
    scenes = {}
    for name in planted.TITLES:
        pipe = planted_pipeline(name)
        scenes[name] = [
            pipe.scene_for(
                pair.caption.text, torch.Generator("cpu").manual_seed(pair_seed(image_id, 0))
            )
            for image_id, pair in zip(pairs.ids, pairs.pairs, strict=True)
        ]
    natural = bundle.energies(NATURAL)
    generated = {name: bundle.energies(name) for name in planted.TITLES}
    return Evidence(pairs, natural, generated, scenes, standing(natural, pairs.factors), None)


def own_population(evidence: Evidence, scenes: int = 200_000) -> Population:
    """The sample's own sums as if they were a population of `scenes`: every claim is so in it."""
    sides = {"natural": evidence.natural, **evidence.generated}
    natural = evidence.natural.matrix
    times = scenes / evidence.natural.n_images

    def columns(matrix) -> np.ndarray:  # type: ignore[no-untyped-def]
        return np.asarray(matrix.sum(axis=0), np.float64).ravel() * times

    return Population(
        "made by hand",
        scenes,
        tuple(sides),
        np.stack([columns(e.matrix) for e in sides.values()]),
        np.stack([columns(e.matrix.multiply(e.matrix)) for e in sides.values()]),
        np.stack([columns(e.matrix.multiply(natural)) for e in sides.values()]),
        np.stack([columns(e.matrix > 0) for e in sides.values()]),
    )


def small_population(
    natural: list[float], generated: list[float], scenes: int = 100_000, spread: float = 0.0
) -> Population:
    """One model "m" with these mean energies, whose deviations are `spread` times the mean."""
    mean = np.array([natural, generated], np.float64)
    square = mean**2 * (1 + spread**2) * scenes
    cross = mean * mean[0] * scenes
    fires = (mean > 0) * float(scenes)
    return Population("k", scenes, ("natural", "m"), mean * scenes, square, cross, fires)


def with_population(evidence: Evidence) -> Evidence:
    """The evidence with its own sample as its population."""
    return replace(evidence, population=own_population(evidence))
