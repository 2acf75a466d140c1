"""The dense way: what METHOD section 5 says of the authors' scripts, written anew to measure it.

Two passes, each of which encodes every image: one sums energies and the co-activation, ten images
at a time, the other looks for every concept's top images, four at a time. Dense codes, a dense
square of all concepts, a loop over all concepts. Its results are right: the threshold is the
RA-SAE's, and what is compared with ours is compared like with like.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.concepts.rasae import RASAE

FEATURES_BATCH, RANKING_BATCH = 10, 4
"""Images that the two passes take at once."""

TOP = 10
"""Images that are kept for a concept, with their maps."""


def dense_pixels(image: Image.Image) -> torch.Tensor:
    """Pixels (3, 224, 224) by the usual transform: the whole image resized, then cropped."""
    paper = Preprocessing()
    scale = paper.shortest_edge / min(image.size)
    size = (int(image.width * scale), int(image.height * scale))
    resized = image.convert("RGB").resize(size, Image.Resampling(paper.resample))
    left, top = ((side - paper.crop) // 2 for side in size)
    cropped = resized.crop((left, top, left + paper.crop, top + paper.crop))
    channels = torch.from_numpy(np.array(cropped)).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (paper.mean, paper.std))
    return (channels - mean) / std


def dense_codes(sae: RASAE, tokens: torch.Tensor) -> torch.Tensor:
    """Codes (B · T, n) float32 of `tokens` (B, T, d): all of them, most of them zero."""
    assert sae.config.threshold is not None, "the published model has a threshold"
    codes = sae.pre_codes(tokens.flatten(0, 1))
    return codes * (codes >= sae.config.threshold)


class DenseFeatures:
    """First pass: `energies` (n,) over all tokens and `co_occurrence` (n, n), sums over images."""

    def __init__(self, sae: RASAE) -> None:
        n = sae.config.n_concepts
        self.sae = sae
        self.energies = torch.zeros(n)
        self.co_occurrence = torch.zeros(n, n)

    @torch.no_grad()
    def add(self, tokens: torch.Tensor) -> None:
        """Add the images of `tokens` (B, T, d)."""
        codes = dense_codes(self.sae, tokens)
        self.co_occurrence += codes.T @ codes
        self.energies += codes.sum(0)


class DenseRanking:
    """Second pass: of each concept the `TOP` images by its mean over the patches, with maps.

    maps (n, TOP, rows, columns), −inf where there is no image yet; images (n lists): their ids.
    """

    def __init__(self, sae: RASAE, layout: TokenLayout) -> None:
        n = sae.config.n_concepts
        self.sae, self.layout = sae, layout
        self.maps = torch.full((n, TOP, *layout.grid), -torch.inf)
        self.images: list[list[int]] = [[-1] * TOP for _ in range(n)]

    @torch.no_grad()
    def add(self, tokens: torch.Tensor, ids: list[int]) -> None:
        """Let the images `ids` of `tokens` (B, T, d) into the lists."""
        codes = dense_codes(self.sae, tokens).unflatten(0, tokens.shape[:2])
        maps = codes[:, self.layout.patches].unflatten(1, self.layout.grid)
        for concept in range(len(self.images)):
            among = torch.cat([self.maps[concept], maps[..., concept]])
            images = self.images[concept] + ids
            best = among.mean(dim=(1, 2)).topk(TOP).indices
            self.maps[concept] = among[best]
            self.images[concept] = [images[place] for place in best.tolist()]
