"""Planted pairs and models through the ordinary pipeline: backbone, RA-SAE, TextToImage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.identity import pair_id, pair_seed
from blindspots_hub.data.images import encode_webp, open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, load_pipeline
from blindspots_hub.generation.models import resolve
from blindspots_hub.measure.store import CodedImages
from blindspots_hub.planted.factors import factor_vector
from blindspots_hub.planted.models import planted_pipeline
from blindspots_hub.planted.scene import Scene
from blindspots_hub.planted.train_backbone import IMAGE
from blindspots_hub.planted.world import WorldPair, world_pair
from blindspots_hub.progress import Event, Work

STORED = IMAGE
"""Side in pixels of the stored natural images: that which the backbone reads. Its own resizing
then changes nothing, and tokens are those of the full image, at a third of the size."""


@dataclass(frozen=True)
class Natural:
    """Natural pairs of the world in the order of their ids, with the truth behind them."""

    ids: list[str]
    pairs: list[WorldPair]
    files: list[bytes]
    """Each image as a lossless webp of `STORED` px: what a bundle stores, and what is measured."""

    @property
    def factors(self) -> np.ndarray:
        """Truth, (N, F) uint8."""
        return np.stack([factor_vector(pair.scene) for pair in self.pairs])

    @property
    def captions(self) -> dict[str, str]:
        """Caption by pair id."""
        return {i: pair.caption.text for i, pair in zip(self.ids, self.pairs, strict=True)}


@dataclass(frozen=True)
class Drawn:
    """What a planted model drew for the pairs, with the truth behind it."""

    name: str
    scenes: list[Scene]
    coded: CodedImages

    @property
    def factors(self) -> np.ndarray:
        """Truth of the generated images, (N, F) uint8."""
        return np.stack([factor_vector(scene) for scene in self.scenes])

    @property
    def memorised(self) -> np.ndarray:
        """Which images are a stored template, (N,) bool."""
        return np.array([scene.memorised for scene in self.scenes])


def natural_pairs(count: int, seed: int) -> Work[Natural]:
    """Draw `count` natural pairs of world `seed`; repeated pairs are taken once."""
    found: dict[str, tuple[WorldPair, bytes]] = {}
    index = 0
    while len(found) < count:
        pair = world_pair(index, seed)
        small = pair.image.resize((STORED, STORED), Image.Resampling.BICUBIC)
        file = encode_webp(small, lossless=True)
        found.setdefault(pair_id(pair.caption.text, file), (pair, file))
        index += 1
        if index % 50 == 0:
            yield Event("draw natural images", min(len(found), count), count)
    ids = sorted(found)
    return Natural(ids, [found[i][0] for i in ids], [found[i][1] for i in ids])


def encode_natural(natural: Natural, space: ConceptSpace) -> Work[CodedImages]:
    """Codes of the natural images."""
    codes = []
    for done, file in enumerate(natural.files):
        codes.append(space.encode(open_image(file)))
        if done % 50 == 0:
            yield Event("encode natural images", done, len(natural.files))
    return coded(natural.ids, codes, space)


def draw_model(name: str, natural: Natural, space: ConceptSpace, seed: int) -> Work[Drawn]:
    """Draw every caption with a planted model, as `evaluate` does, and keep the scene records."""
    planted.register()
    pipeline = load_pipeline(resolve(f"planted/{name}"), "cpu")
    truth = planted_pipeline(name)
    scenes, codes = [], []
    for done, (image_id, pair) in enumerate(zip(natural.ids, natural.pairs, strict=True)):
        outcome = pipeline.generate(pair.caption.text, image_id, seed)
        if isinstance(outcome, Failed):
            raise BlindspotsError(f"planted/{name} failed on a caption: {outcome.reason}")
        generator = torch.Generator("cpu").manual_seed(pair_seed(image_id, seed))
        scenes.append(truth.scene_for(pair.caption.text, generator))
        codes.append(space.encode(outcome.image))
        if done % 50 == 0:
            yield Event(f"draw and encode {name}", done, len(natural.ids))
    return Drawn(name, scenes, coded(natural.ids, codes, space))


def thumbnail(image: Image.Image) -> bytes:
    """A small webp, smaller than `evaluate` makes them: thousands of them are committed."""
    return encode_webp(image, lossless=False, quality=65, size=96)


def coded(ids: Sequence[str], codes: Sequence[SparseCodes], space: ConceptSpace) -> CodedImages:
    """Codes of images that were all read."""
    layout, n_concepts = space.backbone.layout, space.sae.config.n_concepts
    return CodedImages.of(dict(zip(ids, codes, strict=True)), {}, layout, n_concepts)
