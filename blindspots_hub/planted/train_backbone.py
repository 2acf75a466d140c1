"""Train the planted world's DINOv2: a small stand-in for `facebook/dinov2-with-registers-base`.

It is supervised with the world's own factor labels, patch by patch, because no self-supervised
training fits into minutes on two cores; its card says so. The dictionary that reads its tokens
never sees a label. Run `python -m blindspots_hub.planted.train_backbone OUT` to train it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Dinov2WithRegistersModel

from blindspots_hub.planted import factors as f
from blindspots_hub.planted.backbone_learner import SHAPE, TAUGHT, Learner
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw, factor_masks
from blindspots_hub.planted.scene import FLATTENED, NATURAL, Prior, sample_scene
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils import files

IMAGE: int = SHAPE["image_size"]
"""Side in pixels of the images that the backbone reads."""

PATCH: int = SHAPE["patch_size"]
"""Side of a patch; `IMAGE // PATCH` = 8 patches a row."""

PREPROCESSING: dict[str, Any] = {
    "image_processor_type": "BitImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": IMAGE},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": IMAGE, "width": IMAGE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
"""What `preprocessor_config.json` holds: the format of DINOv2's own."""


def train_backbone(
    out: Path,
    steps: int = 1500,
    seed: int = 0,
    images: int = 10_000,
    batch: int = 32,
    learning_rate: float = 1e-3,
    held_out: int = 800,
) -> Work[dict[str, Any]]:
    """Train the backbone and save it into folder `out` as transformers does, in half precision.

    Half of the `images` come from the natural world, half from the one with a lifted tail; what
    is learned from them is `Learner.loss`; `held_out` more are for the AUROCs. Deterministic for a
    `seed` on one machine and one thread count.

    Returns `{"auroc": {factor: patch AUROC on held-out scenes}, "loss", "parameters", "steps",
    "seed"}`; untaught factors and those that no held-out scene has are left out.
    """
    pixels, labels = yield from _rendered("draw training scenes", images, derive(seed, "train"))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        learner = Learner()
    optimiser = torch.optim.AdamW(
        learner.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.02
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.1
    )
    learner.train()
    value = 0.0
    for step, chosen in enumerate(batches(images, batch, steps, seed), start=1):
        loss = learner.loss(normalised(pixels[chosen]), torch.from_numpy(labels[chosen]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        value = float(loss.detach())
        yield Event("train backbone", step, steps, {"loss": value})
    learner.eval()
    pixels, labels = yield from _rendered("draw held-out scenes", held_out, derive(seed, "test"))
    auroc = _patch_auroc(learner, pixels, labels)
    save_backbone(learner.backbone, out)
    return {
        "auroc": auroc,
        "loss": value,
        "parameters": sum(weight.numel() for weight in learner.backbone.parameters()),
        "steps": steps,
        "seed": seed,
    }


def normalised(pixels: np.ndarray) -> torch.Tensor:
    """Images `(n, 112, 112, 3)` uint8 as the backbone's input `(n, 3, 112, 112)` float32."""
    mean = torch.tensor(PREPROCESSING["image_mean"])
    std = torch.tensor(PREPROCESSING["image_std"])
    values = (torch.tensor(pixels).float() / 255 - mean) / std
    return values.permute(0, 3, 1, 2).contiguous()


def _rendered(stage: str, count: int, seed: int) -> Work[tuple[np.ndarray, np.ndarray]]:
    """Draw `count` scenes: pixels `(count, 112, 112, 3)` uint8, labels `(count, 64, F)` bool."""
    grid = IMAGE // PATCH
    pixels = np.empty((count, IMAGE, IMAGE, 3), np.uint8)
    labels = np.empty((count, grid * grid, len(f.FACTORS)), bool)
    for index in range(count):
        prior: Prior = NATURAL if index % 2 else FLATTENED
        scene = sample_scene(derive(seed, index), prior)
        small = draw(scene).resize((IMAGE, IMAGE), Image.Resampling.BICUBIC)
        pixels[index] = np.asarray(small)
        labels[index] = factor_masks(scene, grid).T
        if (index + 1) % 100 == 0 or index + 1 == count:
            yield Event(stage, index + 1, count)
    return pixels, labels


def batches(images: int, batch: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """`steps` batches of image numbers, every image once before any comes again."""
    rng = np.random.default_rng(seed)
    queue = np.empty(0, np.int64)
    for _ in range(steps):
        while len(queue) < batch:
            queue = np.concatenate([queue, rng.permutation(images)])
        yield queue[:batch]
        queue = queue[batch:]


def _patch_auroc(learner: Learner, pixels: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How well the patch head tells each taught factor that the scenes have, over all patches."""
    from sklearn.metrics import roc_auc_score

    scores = []
    with torch.inference_mode():
        for start in range(0, len(pixels), 64):
            scores.append(learner.predict(normalised(pixels[start : start + 64])).numpy())
    score = np.concatenate(scores).reshape(-1, len(f.FACTORS))
    truth = labels.reshape(-1, len(f.FACTORS))
    return {
        name: float(roc_auc_score(truth[:, index], score[:, index]))
        for index, name in enumerate(f.FACTORS)
        if index in TAUGHT and 0 < truth[:, index].sum() < len(truth)
    }


def save_backbone(model: Dinov2WithRegistersModel, out: Path) -> None:
    """Write config, fp16 weights and preprocessing, each file whole or not at all."""
    config = deepcopy(model.config)
    config.architectures = ["Dinov2WithRegistersModel"]
    config.dtype = "float16"
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    with files.atomic(out / "model.safetensors") as partial:
        save_file(weights, partial, metadata={"format": "pt"})
    files.write_json(out / "config.json", config.to_dict())
    files.write_json(out / "preprocessor_config.json", PREPROCESSING)


def main() -> None:
    """Train with the defaults into the folder named on the command line."""
    import json
    import sys

    from blindspots_hub.progress import TerminalProgress, drive

    with TerminalProgress() as progress:
        metrics = drive(train_backbone(Path(sys.argv[1])), progress)
    print(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
