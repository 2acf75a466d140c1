"""Weights and tokens with the statistics of the published RA-SAE, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from blindspots_hub import paper
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.concepts.rasae_config import Sparsity

FIRES = 8
"""Codes a token at the threshold; the published model's are 5 to 10."""
LAYOUT = TokenLayout(paper.CLASS_TOKENS, paper.REGISTERS, paper.PATCH_GRID)
"""Tokens of an image of the published backbone."""
TOKENS = LAYOUT.tokens
_DIRECTIONS = 36
"""Concepts that an image's tokens are mixed from, so that some 530 of 32,000 fire in it."""
_MIXED = 4


@dataclass(frozen=True)
class PublishedLike:
    """weights: of a RA-SAE but for its dictionary; tokens: (images · 261, d) float32."""

    weights: dict[str, torch.Tensor]
    tokens: torch.Tensor
    threshold: float
    common: torch.Tensor
    """(d,): what every token holds besides."""

    def model(self, sparsity: Sparsity) -> RASAE:
        """The RA-SAE with one of the two rules; the dictionary is all zeros."""
        n, d = self.weights["encoder.weight"].shape
        config = RASAEConfig(
            d=d,
            n_concepts=n,
            sparsity=sparsity,
            threshold=self.threshold if sparsity == "batch_topk" else None,
            backbone="synthetic",
            origin="synthetic",
        )
        return RASAE.from_weights(config, {**self.weights, "dictionary": torch.zeros(n, d)})

    def more_tokens(self, seed: int) -> Iterator[torch.Tensor]:
        """Tokens (261, d) of one further image after the other, without end."""
        g = torch.Generator().manual_seed(seed)
        directions = functional.normalize(self.weights["encoder.weight"], dim=1)
        while True:
            yield _image(directions, self.common, g)


def _image(directions: torch.Tensor, common: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    chosen = directions[torch.randint(len(directions), (_DIRECTIONS,), generator=g)]
    places = torch.rand(TOKENS, _DIRECTIONS, generator=g).topk(_MIXED, dim=1).indices
    shares = torch.rand(TOKENS, _MIXED, generator=g) + 0.3
    mixed = torch.zeros(TOKENS, _DIRECTIONS).scatter_(1, places, shares) @ chosen
    noise = torch.randn(TOKENS, len(common), generator=g) / 40
    return functional.layer_norm(mixed + noise + common, common.shape)


def published_like(
    images: int, d: int = 768, n_concepts: int = paper.CONCEPTS, seed: int = 0
) -> PublishedLike:
    """Tokens that mix a few of the encoder's directions an image, behind a final LayerNorm.

    The threshold is where `FIRES` codes of a token reach it on average.
    """
    g = torch.Generator().manual_seed(seed)
    directions = functional.normalize(torch.randn(n_concepts, d, generator=g), dim=1)
    common = torch.randn(d, generator=g) / 50
    tokens = [_image(directions, common, g) for _ in range(images)]
    norms = torch.exp(torch.randn(n_concepts, 1, generator=g) / 5)
    weights = {
        "encoder.weight": directions * norms,
        "encoder.bias": torch.randn(n_concepts, generator=g) / 10,
        "norm.weight": 0.25 + torch.randn(n_concepts, generator=g) / 20,
        "norm.bias": -0.1 + torch.randn(n_concepts, generator=g) / 20,
    }
    all_tokens = torch.cat(tokens)
    some = all_tokens[:: max(1, len(all_tokens) // TOKENS)]
    pre = PublishedLike(weights, all_tokens, 0.0, common).model("topk").pre_codes(some)
    nearest = pre.flatten().topk(FIRES * len(some) + 1).values[-2:]
    threshold = float(nearest.mean())  # between two codes, so that rounding decides neither
    return PublishedLike(weights, all_tokens, threshold, common)
