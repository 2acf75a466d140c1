"""The self-distillation of the planted world's second backbone, trained without labels.

Self-distillation as in DINO (Caron et al. 2021) and iBOT (Zhou et al. 2022), at a size that two
cores train in minutes. The teacher, a running mean of the student, sees two views of an image and
assigns class tokens and patches to prototypes; the student sees the first view with patches hidden,
and must name the assignment of the hidden patches, and that of the second view's class token.
Assignments are balanced over a batch by Sinkhorn's iterations, so that nothing collapses onto one
prototype.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_register_tokens": 4,
    "patch_size": 14,
    "image_size": 112,
}
"""Settings of `Dinov2WithRegistersConfig` that differ from its defaults: 0.9 M parameters, so that
what is committed of the planted world stays small."""

PROTOTYPES = 256
HEAD_WIDTH = 64
HIDDEN = 0.4
"""Share of a view's patches that the student does not see."""

STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.06
CROP = 0.6
"""Smallest side of a view in parts of the image's."""


class Head(nn.Module):
    """Tokens to scores of the prototypes: cosines, (..., PROTOTYPES)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, HEAD_WIDTH)
        )
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, HEAD_WIDTH))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores of `tokens` (..., width)."""
        directions = functional.normalize(self.layers(tokens), dim=-1)
        return directions @ functional.normalize(self.prototypes, dim=-1).T


class Network(nn.Module):
    """A backbone with a head for the class token and one for patches."""

    def __init__(self) -> None:
        super().__init__()
        config = Dinov2WithRegistersConfig(**SHAPE, use_mask_token=True)
        self.backbone = Dinov2WithRegistersModel(config)
        self.whole = Head(SHAPE["hidden_size"])
        self.patch = Head(SHAPE["hidden_size"])

    def forward(
        self, images: torch.Tensor, hidden: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of class tokens (n, PROTOTYPES) and of patches (n, patches, PROTOTYPES)."""
        # bfloat16 is four times as fast on CPUs that know it, and accurate enough to learn
        with torch.autocast(images.device.type, torch.bfloat16):
            output = self.backbone(pixel_values=images, bool_masked_pos=hidden)
        tokens = output.last_hidden_state.float()
        return self.whole(tokens[:, 0]), self.patch(tokens[:, 1 + SHAPE["num_register_tokens"] :])


class SelfDistillation(nn.Module):
    """Student and teacher. After training the teacher's backbone is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.student = Network()
        self.teacher = deepcopy(self.student).requires_grad_(False)

    def loss(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The loss of `images` (n, 3, 112, 112); every random number comes from `generator`."""
        views = torch.cat([view(images, generator), view(images, generator)])
        first, n = views[: len(images)], len(images)
        grid = SHAPE["image_size"] // SHAPE["patch_size"]
        hidden = torch.rand(n, grid * grid, generator=generator) < HIDDEN
        with torch.no_grad():
            whole, patches = self.teacher(views)
            other = balanced(whole)[n:]
            wanted = balanced(patches[:n].flatten(0, 1)).reshape(n, grid * grid, -1)[hidden]
        whole, patches = self.student(first, hidden)
        return _cross_entropy(other, whole) + _cross_entropy(wanted, patches[hidden])

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        for ours, theirs in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            ours.lerp_(theirs, 1 - momentum)

    @torch.no_grad()
    def in_use(self, images: torch.Tensor) -> float:
        """How many prototypes the patches of `images` are spread over: exp of the entropy."""
        _, patches = self.teacher(images)
        share = (patches / STUDENT_TEMPERATURE).softmax(dim=-1).flatten(0, 1).mean(dim=0)
        return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))


def view(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random crop of each image, mirrored or not, brighter or darker: what shows the same.

    `images` (n, 3, side, side) standardised; colour itself is left as it is, for it is content.
    """
    n = len(images)
    scale = CROP + (1 - CROP) * torch.rand(n, generator=generator)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    shift = (2 * torch.rand(n, 2, generator=generator) - 1) * (1 - scale)[:, None]
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0], place[:, 1, 1], place[:, :, 2] = scale * flip, scale, shift
    where = functional.affine_grid(place, list(images.shape), align_corners=False)
    cropped = functional.grid_sample(
        images, where, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    gain = 0.8 + 0.4 * torch.rand(n, 1, 1, 1, generator=generator)
    lift = 0.4 * torch.rand(n, 1, 1, 1, generator=generator) - 0.2
    return cropped * gain + lift


def balanced(scores: torch.Tensor, rounds: int = 3) -> torch.Tensor:
    """Assignments (rows, PROTOTYPES), rows summing to 1, that use all prototypes equally."""
    weights = torch.exp((scores - scores.max()) / TEACHER_TEMPERATURE)
    for _ in range(rounds):
        weights = weights / weights.sum(dim=0, keepdim=True).clamp_min(1e-12) / weights.shape[1]
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-12) / weights.shape[0]
    return weights * weights.shape[0]


def _cross_entropy(wanted: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    told = (scores / STUDENT_TEMPERATURE).log_softmax(dim=-1)
    return -(wanted * told).sum(dim=-1).mean()
