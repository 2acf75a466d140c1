"""The network of the planted world's backbone and what it learns from."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from blindspots_hub.planted.factors import FACTORS

SHAPE: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 5,
    "num_attention_heads": 3,
    "num_register_tokens": 4,
    "patch_size": 14,
    "image_size": 112,
}
"""Settings of `Dinov2WithRegistersConfig` that differ from its defaults: 2.4 M parameters."""

THINGS = [i for i, name in enumerate(FACTORS) if name.startswith(("object=", "palm", "templ"))]
PLACES = [i for i, name in enumerate(FACTORS) if name.startswith("background=")]
"""Factors that exclude each other at a patch: each group is one softmax, with "none" beside it."""

UNTAUGHT = ("count=", "colour=")
"""Beginnings of the factors that are not taught. Taught colours would split every thing's concept
into one a colour, and no patch can tell a count."""

TAUGHT = [i for i, name in enumerate(FACTORS) if not name.startswith(UNTAUGHT)]
"""Numbers of the factors that are taught."""

GATHER = 0.5
"""Weight of the pull of a token towards the sum of its factors' prototypes."""


class Learner(nn.Module):
    """The backbone with the heads that teach it; only the backbone is kept."""

    def __init__(self) -> None:
        super().__init__()
        width = SHAPE["hidden_size"]
        self.backbone = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SHAPE))
        self.patch_head = nn.Linear(width, len(FACTORS) + 2)  # two more: no thing, no place
        self.image_head = nn.Linear(width, len(TAUGHT))
        self.prototypes = nn.Linear(len(TAUGHT), width)
        self._single = [i for i in TAUGHT if i not in {*THINGS, *PLACES}]

    def tokens(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class token `(n, d)` and patch tokens `(n, patches, d)` after the final LayerNorm."""
        # bfloat16 is four times as fast on CPUs that know it, and accurate enough to learn
        with torch.autocast(images.device.type, torch.bfloat16):
            output = self.backbone(pixel_values=images)
        tokens: torch.Tensor = output.last_hidden_state.float()
        return tokens[:, 0], tokens[:, 1 + SHAPE["num_register_tokens"] :]

    def _scores(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores of the patches: of all factors, of things and none, of places and none."""
        scores = self.patch_head(patches)
        things = torch.cat([scores[..., THINGS], scores[..., -2:-1]], dim=-1)
        places = torch.cat([scores[..., PLACES], scores[..., -1:]], dim=-1)
        return scores[..., :-2], things, places

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Log-probability of every factor at every patch, `(n, patches, F)`."""
        scores, things, places = self._scores(self.tokens(images)[1])
        told = functional.logsigmoid(scores)
        told[..., THINGS] = things.log_softmax(dim=-1)[..., :-1]
        told[..., PLACES] = places.log_softmax(dim=-1)[..., :-1]
        return told

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of `images` `(n, 3, 112, 112)` with patch `labels` `(n, patches, F)` bool.

        Per patch: which thing, which place, which other factors. Per image: which factors. And a
        pull of each patch token towards the sum of its factors' prototypes, so that tokens vary
        with what is seen and little else, as those of a large DINOv2 do.
        """
        summary, patches = self.tokens(images)
        truth = labels.float()
        scores, things, places = self._scores(patches)
        single = functional.binary_cross_entropy_with_logits(
            scores[..., self._single], truth[..., self._single]
        )
        whole = functional.binary_cross_entropy_with_logits(
            self.image_head(summary), truth[..., TAUGHT].amax(dim=1)
        )
        apart = (patches - self.prototypes(truth[..., TAUGHT])).square().mean()
        return (
            functional.cross_entropy(things.flatten(0, 1), _which(truth[..., THINGS]))
            + functional.cross_entropy(places.flatten(0, 1), _which(truth[..., PLACES]))
            + len(self._single) * single
            + 5 * whole
            + GATHER * apart / patches.detach().var()
        )


def _which(group: torch.Tensor) -> torch.Tensor:
    """Number of the factor of a group that each patch has, or the group's size for none."""
    nothing = 1 - group.amax(dim=-1, keepdim=True)
    return torch.cat([group, nothing], dim=-1).argmax(dim=-1).flatten()
