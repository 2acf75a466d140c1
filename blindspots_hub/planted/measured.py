"""Natural pairs of the planted world as a bundle stores them, with the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from blindspots_hub.data.identity import pair_id
from blindspots_hub.data.images import encode_webp
from blindspots_hub.planted.factors import factor_vector
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


def thumbnail(image: Image.Image) -> bytes:
    """A small webp, smaller than `evaluate` makes them: thousands of them are committed."""
    return encode_webp(image, lossless=False, quality=65, size=96)
