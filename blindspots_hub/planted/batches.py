"""Energies of many planted images at once, where an image alone is not asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from PIL import Image

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.encoder.select import at_least, top_k
from blindspots_hub.concepts.space import ConceptSpace

BATCH = 64
"""Images that the network sees at once. Energies are those of one image at a time but for the
rounding of float32, at a third of the time."""

Row = tuple[np.ndarray, np.ndarray]
"""Concepts that fire in an image, ascending, and their energies."""


def energy_rows(
    images: Iterable[Image.Image],
    space: ConceptSpace,
    tokens: str = "patches",
    plain: bool = False,
) -> Iterator[Row]:
    """Energies of each image over its `tokens`, in order (METHOD: section 3).

    `plain` takes the codes from METHOD's formula in float32 instead of the exact encoder, which is
    several times faster on so small a space; they differ where a code is within rounding of the
    threshold, which sums over a hundred thousand images do not see.
    """
    layout = space.backbone.layout
    chosen = layout.patches if tokens == "patches" else None
    waiting = iter(images)
    while batch := [space.backbone.preprocess(image) for image in islice(waiting, BATCH)]:
        with torch.inference_mode():
            seen = space.backbone.network(pixel_values=torch.stack(batch)).last_hidden_state
            codes = _plain_codes(space, seen) if plain else space.sae.encode(seen.flatten(0, 1))
        for start in range(0, codes.tokens, layout.tokens):
            yield codes.rows(start, start + layout.tokens).energies(chosen)


def _plain_codes(space: ConceptSpace, seen: torch.Tensor) -> SparseCodes:
    pre, config = space.sae.pre_codes(seen.flatten(0, 1)), space.sae.config
    if config.sparsity == "topk":
        return top_k(pre, config.k)
    assert config.threshold is not None  # RASAEConfig refuses this rule without one
    return at_least(pre, config.threshold)
