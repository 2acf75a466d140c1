"""Train the planted world's second DINOv2, by self-distillation: no label is ever read.

It stands beside the one that was taught the world's factors, so that the benchmark shows how kind
the labels were. Same images, same preprocessing, same RA-SAE training.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.scene import FLATTENED, NATURAL, sample_scene
from blindspots_hub.planted.train_backbone import IMAGE, batches, normalised, save_backbone
from blindspots_hub.planted.unlabelled_learner import SelfDistillation
from blindspots_hub.progress import Event, Work

_MOMENTUM = 0.99
"""Of the teacher at the start; it rises to 1 with the half cosine, as in DINO."""


def train_unlabelled(
    out: Path,
    steps: int = 1500,
    seed: int = 0,
    images: int = 10_000,
    batch: int = 32,
    learning_rate: float = 1e-3,
) -> Work[dict[str, Any]]:
    """Train the backbone and save the teacher into folder `out` as transformers does, in fp16.

    Deterministic for a `seed` on one machine and one thread count. Returns `{"loss", "prototypes",
    "parameters", "steps", "seed"}`; `prototypes` is how many the patches are spread over: near 1,
    training has collapsed.
    """
    pixels = yield from _drawn(images, derive(seed, "train"))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        learner = SelfDistillation()
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(
        learner.student.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.04
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.1
    )
    learner.train()
    value = 0.0
    for step, chosen in enumerate(batches(images, batch, steps, seed), start=1):
        loss = learner.loss(normalised(pixels[chosen]), generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.student.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        learner.follow(1 - (1 - _MOMENTUM) * (math.cos(math.pi * step / steps) + 1) / 2)
        value = float(loss.detach())
        yield Event("train backbone without labels", step, steps, {"loss": value})
    learner.eval()
    backbone = learner.teacher.backbone
    save_backbone(backbone, out)
    return {
        "loss": value,
        "prototypes": learner.in_use(normalised(pixels[:256])),
        "parameters": sum(weight.numel() for weight in backbone.parameters()),
        "steps": steps,
        "seed": seed,
    }


def _drawn(count: int, seed: int) -> Work[np.ndarray]:
    """Pixels `(count, 112, 112, 3)` uint8: half from the natural world, half from the lifted."""
    pixels = np.empty((count, IMAGE, IMAGE, 3), np.uint8)
    for index in range(count):
        scene = sample_scene(derive(seed, index), NATURAL if index % 2 else FLATTENED)
        pixels[index] = np.asarray(draw(scene).resize((IMAGE, IMAGE), Image.Resampling.BICUBIC))
        if (index + 1) % 100 == 0 or index + 1 == count:
            yield Event("draw training images", index + 1, count)
    return pixels
