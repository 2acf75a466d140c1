"""Tokens of planted images: those of a trained vision transformer, at hand without a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blindspots_hub import planted
from blindspots_hub.artifacts.layout import BACKBONE
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.data.images import open_image
from blindspots_hub.planted.measured import natural_pairs
from blindspots_hub.progress import Event, Work


def planted_tokens(images: int, seed: int) -> Work[NDArray[np.float32]]:
    """Tokens of `images` natural images of world `seed` by the embedded DINOv2: (images, T, d)."""
    backbone = Backbone.load(planted.BUNDLE / BACKBONE)
    natural = yield from natural_pairs(images, seed)
    tokens = np.empty((images, backbone.layout.tokens, backbone.width), np.float32)
    for done, file in enumerate(natural.files):
        tokens[done] = backbone.tokens(backbone.preprocess(open_image(file))[None])[0].numpy()
        if done % 50 == 0:
            yield Event("read tokens", done, images)
    return tokens
