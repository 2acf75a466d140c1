"""What the benchmark judges: energies of every side with the truth behind them, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.identity import pair_seed
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, load_pipeline
from blindspots_hub.generation.models import resolve
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.planted.batches import BATCH, energy_rows
from blindspots_hub.planted.concept_match import ConceptMatch, standing
from blindspots_hub.planted.measured import Natural, natural_pairs
from blindspots_hub.planted.models import RENDERED, planted_pipeline
from blindspots_hub.planted.population import Population, population_key
from blindspots_hub.planted.rendering import rendering_from_config
from blindspots_hub.planted.scene import Scene
from blindspots_hub.planted.training import load_space
from blindspots_hub.progress import Event, Work

NAMING_WORLD = 7
"""World by whose images concepts are matched with factors: not the one that is measured."""

NAMING_IMAGES = 2000


@dataclass(frozen=True)
class Evidence:
    """Energies through one concept space and the truth of the images, row by row.

    `rendered` are images of the model that renders otherwise, `altered` natural images altered as
    it alters its own (row 5; None where not asked for). `population` is None where none was made.
    """

    pairs: Natural
    natural: ImageEnergies
    generated: dict[str, ImageEnergies]
    scenes: dict[str, list[Scene]]
    stands: dict[str, ConceptMatch]
    population: Population | None
    rendered: ImageEnergies | None = None
    altered: ImageEnergies | None = None


@dataclass(frozen=True)
class Through:
    """A concept space that images are read through, and the population made with it."""

    space: ConceptSpace
    population: Population | None

    @classmethod
    def open(cls, folder: Path, population: Path) -> Through:
        """From a folder of backbone/ and sae/ and the population's file, if it is there.

        A population made with another world, models or concept space raises `BlindspotsError`.
        """
        space = load_space(folder)
        made = population.is_file()
        return cls(space, Population.load(population, population_key(space)) if made else None)


EncodedImages = list[ImageEnergies]
"""Energies of one side through each of the spaces."""


def gathering(pairs: int, seed: int, through: list[Through]) -> Work[list[Evidence]]:
    """Draw every side of `pairs` pairs of world `seed` once and read it through every space."""
    spaces = [one.space for one in through]
    naming = yield from natural_pairs(NAMING_IMAGES, NAMING_WORLD)
    named = yield from _read("encode images that name concepts", _stored(naming), naming, spaces)
    natural = yield from natural_pairs(pairs, seed)
    coded = yield from _read("encode natural images", _stored(natural), natural, spaces)
    planted.register()
    generated: list[dict[str, ImageEnergies]] = [{} for _ in spaces]
    scenes = {}
    for name in planted.TITLES:
        drawn = yield from _read(
            f"draw and encode {name}", _generated(name, natural, seed), natural, spaces
        )
        scenes[name] = _scenes(name, natural, seed)
        for sides, side in zip(generated, drawn, strict=True):
            sides[name] = side
    rendered = yield from _read(
        f"draw and encode {RENDERED}", _generated(RENDERED, natural, seed), natural, spaces
    )
    altered = yield from _read("alter and encode", _altered(natural), natural, spaces)
    return [
        Evidence(
            natural,
            coded[i],
            generated[i],
            scenes,
            standing(named[i], naming.factors),
            one.population,
            rendered[i],
            altered[i],
        )
        for i, one in enumerate(through)
    ]


def _read(
    stage: str, images: Iterable[Image.Image], natural: Natural, spaces: list[ConceptSpace]
) -> Work[EncodedImages]:
    """Energies of `images`, one a pair of `natural`, through every space."""
    rows: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in spaces]
    total = len(natural.ids)
    for batch in _drawn_ahead(images):
        for kept, space in zip(rows, spaces, strict=True):
            kept += energy_rows(batch, space)
        yield Event(stage, len(rows[0]), total)
    return [
        ImageEnergies.stack(kept, space.sae.config.n_concepts)
        for kept, space in zip(rows, spaces, strict=True)
    ]


def _drawn_ahead(images: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    """Batches of `images`; the next one is drawn while the network reads the last."""
    waiting = iter(images)

    def draw() -> list[Image.Image]:
        return list(islice(waiting, BATCH))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw)
        while batch := coming.result():
            coming = pool.submit(draw)
            yield batch


def _stored(natural: Natural) -> Iterator[Image.Image]:
    return (open_image(file) for file in natural.files)


def _altered(natural: Natural) -> Iterator[Image.Image]:
    """Natural images at their full size, altered as the other renderer alters its own."""
    alteration = rendering_from_config(planted_pipeline(RENDERED).config["rendering"]).alteration
    return (alteration(pair.image) for pair in natural.pairs)


def _generated(name: str, natural: Natural, seed: int) -> Iterator[Image.Image]:
    """What `evaluate` would draw for every caption."""
    pipeline = load_pipeline(resolve(f"planted/{name}"), "cpu")
    for image_id, pair in zip(natural.ids, natural.pairs, strict=True):
        outcome = pipeline.generate(pair.caption.text, image_id, seed)
        if isinstance(outcome, Failed):
            raise BlindspotsError(f"planted/{name} failed on a caption: {outcome.reason}")
        yield outcome.image


def _scenes(name: str, natural: Natural, seed: int) -> list[Scene]:
    """The scenes of the images that `_generated` draws."""
    truth = planted_pipeline(name)
    return [
        truth.scene_for(
            pair.caption.text, torch.Generator("cpu").manual_seed(pair_seed(image_id, seed))
        )
        for image_id, pair in zip(natural.ids, natural.pairs, strict=True)
    ]
