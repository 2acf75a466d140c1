"""The population that a table's claims are held against: every side's mean energies, cached.

What a concept's gap is in the world, not in some thousand pairs of it, is known only from many more
scenes than a benchmark can draw. They are drawn once, by `planted population`, and what is kept of
them are sums: a file of a few hundred kilobytes that names the world, the models and the concept
space it was made with, and is refused where any of them has changed.

Sides share dice: where a model's scene holds what the natural scene holds, both are drawn with the
same layout and are one image. A layout is drawn independently of what a scene holds, so that every
side's mean is what it would be with dice of its own, while a third of the images need drawing and
the difference of two sides is known far better.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import relative_gap
from blindspots_hub.planted.batches import energy_rows
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.models import MODELS, planted_pipeline
from blindspots_hub.planted.pipelines import PlantedPipeline
from blindspots_hub.planted.scene import Scene
from blindspots_hub.planted.world import WorldPair, world_pair
from blindspots_hub.utils.files import atomic, fingerprint

WORLD = 2
"""Seed of the world that populations are drawn from: none that is measured, trained on or shown."""

BLOCK = 500
"""Scenes that are drawn and written at once: what a kill can lose."""

_PARTS = ("total", "square", "cross", "fires")
_NATURAL = "natural"
_PROBES = 24
"""Pairs whose captions and pictures stand for the world's program in the key."""


@dataclass(frozen=True)
class Population:
    """Sums over the scenes of one world for natural images and every model: (sides, n) float64.

    `total` Σ ξ, `square` Σ ξ², `cross` Σ ξ · ξ of the natural image of the same scene, in energy
    units and their squares; `fires` images in which a concept fires. Side 0 is natural.
    """

    key: str
    scenes: int
    sides: tuple[str, ...]
    total: np.ndarray
    square: np.ndarray
    cross: np.ndarray
    fires: np.ndarray

    def __add__(self, other: Population) -> Population:
        """Both together; of other scenes with the same key."""
        if (self.key, self.sides) != (other.key, other.sides):
            raise ValueError("populations of different worlds, models or concepts do not add up")
        sums = {part: getattr(self, part) + getattr(other, part) for part in _PARTS}
        return replace(self, scenes=self.scenes + other.scenes, **sums)

    def relative_gap(self, model: str) -> np.ndarray:
        """r of every concept, (n,) in [-1, 1]; 0 where it fires on neither side."""
        return relative_gap(self.total[0], self.total[self.sides.index(model)])

    def energies(self, model: str = _NATURAL) -> np.ndarray:
        """Mean energy of every concept, (n,) in energy units."""
        mean: np.ndarray = self.total[self.sides.index(model)] / self.scenes
        return mean

    def fired(self, model: str) -> np.ndarray:
        """Images in which each concept fires, natural and generated, (n,)."""
        fired: np.ndarray = self.fires[0] + self.fires[self.sides.index(model)]
        return fired

    def error(self, model: str) -> np.ndarray:
        """Standard error of `relative_gap`, (n,): what this many scenes leave open of it.

        By the delta method on the paired sums, which this many scenes allow; 0 where a concept
        fires on one side only, infinite where it fires on neither.
        """
        side = self.sides.index(model)
        n = self.scenes
        x, y = self.total[0] / n, self.total[side] / n
        var_x = self.square[0] / n - x**2
        var_y = self.square[side] / n - y**2
        cov = self.cross[side] / n - x * y
        spread = y**2 * var_x + x**2 * var_y - 2 * x * y * cov
        whole = (x + y) ** 2
        error = 2 * np.sqrt(np.maximum(spread, 0) / n)
        return np.divide(error, whole, out=np.full_like(x, np.inf), where=whole > 0)

    def save(self, path: Path) -> None:
        """Write as safetensors, atomically."""
        from safetensors.numpy import save_file

        metadata = {
            "key": self.key,
            "scenes": str(self.scenes),
            "sides": json.dumps(list(self.sides)),
        }
        with atomic(path) as partial:
            save_file({part: getattr(self, part) for part in _PARTS}, partial, metadata=metadata)

    @classmethod
    def load(cls, path: Path, key: str) -> Population:
        """Read what `save` wrote with `key`; another key or a damaged file: `BlindspotsError`."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                told = file.metadata() or {}
                sums = {part: file.get_tensor(part) for part in _PARTS}
            found = cls(told["key"], int(told["scenes"]), tuple(json.loads(told["sides"])), **sums)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BlindspotsError(
                f"{path} is not a file of population energies ({error}): make it with "
                "`blindspots-hub planted population`."
            ) from error
        if found.key != key:
            raise BlindspotsError(
                f"{path} was made with another world, other models, another backbone or another "
                "RA-SAE than the ones at hand: make it again with `blindspots-hub planted "
                "population`."
            )
        return found


def population_key(space: ConceptSpace) -> str:
    """Hex sha256 of all that a population depends on: world, models and concept space."""
    models = _models()
    digest = sha256()
    for index in range(_PROBES):
        pair = world_pair(index, WORLD)
        digest.update(pair.caption.text.encode())
        for scene in _scenes(pair, models):
            digest.update(repr(scene).encode())
        digest.update(draw(pair.scene).tobytes())
    faults = {name: pipe.config["faults"] for name, pipe in models.items()}
    return fingerprint(
        {
            "world": WORLD,
            "pictures": digest.hexdigest(),
            "models": faults,
            "space": space.fingerprint,
        }
    )


def block_population(block: int, space: ConceptSpace, key: str, size: int = BLOCK) -> Population:
    """Draw, encode and sum scenes `block · size` to `(block + 1) · size` of the world."""
    models = _models()
    pairs = [world_pair(block * size + i, WORLD) for i in range(size)]
    scenes = [_scenes(pair, models) for pair in pairs]
    number: dict[Scene, int] = {}
    which = np.array(
        [[number.setdefault(scene, len(number)) for scene in row] for row in scenes], np.int64
    )
    energies = np.zeros((len(number), space.sae.config.n_concepts))
    for row, (concepts, values) in enumerate(energy_rows(map(draw, number), space, plain=True)):
        energies[row, concepts] = values
    sums = {part: np.zeros((which.shape[1], energies.shape[1])) for part in _PARTS}
    natural = energies[which[:, 0]]
    for side in range(which.shape[1]):
        x = energies[which[:, side]]
        sums["total"][side] = x.sum(axis=0)
        sums["square"][side] = (x * x).sum(axis=0)
        sums["cross"][side] = (x * natural).sum(axis=0)
        sums["fires"][side] = (x > 0).sum(axis=0)
    return Population(key, size, (_NATURAL, *models), **sums)


def merged(blocks: Sequence[Population]) -> Population:
    """All of `blocks` (at least one) together."""
    whole = blocks[0]
    for block in blocks[1:]:
        whole = whole + block
    return whole


def _models() -> dict[str, PlantedPipeline]:
    return {name: planted_pipeline(name) for name in MODELS}


def _scenes(pair: WorldPair, models: dict[str, PlantedPipeline]) -> list[Scene]:
    """The pair's natural scene and every model's, all with the natural one's dice for the layout.

    A stored template has no dice: it is one picture.
    """
    found = [pair.scene]
    seed = derive(WORLD, pair.index, "generator")
    for pipe in models.values():
        scene = pipe.scene_for(pair.caption.text, torch.Generator("cpu").manual_seed(seed))
        found.append(replace(scene, seed=0 if scene.memorised else pair.scene.seed))
    return found
