"""The natural side of the planted world: pairs of a caption and its image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from blindspots_hub.planted.captions import Caption, caption
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.scene import Scene, sample_scene


@dataclass(frozen=True)
class WorldPair:
    """One natural pair with the truth behind it."""

    index: int
    scene: Scene
    caption: Caption

    @cached_property
    def image(self) -> Image.Image:
        """The natural image, 224×224 RGB, drawn when first asked for."""
        return draw(self.scene)


def world_pair(index: int, seed: int = 0) -> WorldPair:
    """Pair `index` of world `seed`: the same whatever else is asked for."""
    scene = sample_scene(derive(seed, index, "scene"))
    return WorldPair(index, scene, caption(scene, derive(seed, index, "caption")))


def world_pairs(n: int, seed: int = 0) -> Iterator[WorldPair]:
    """The first `n` pairs of world `seed`; about 3% are templates, 12% of the rest are noisy."""
    for index in range(n):
        yield world_pair(index, seed)
