"""`train-sae`: a folder of images in, a RA-SAE out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.artifacts.cards import write_sae_card
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.rasae_config import Sparsity
from blindspots_hub.concepts.train import TrainConfig, evaluate_sae, train_sae
from blindspots_hub.data.generate import pick_device
from blindspots_hub.data.images import list_images, open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

HELD_OUT = 20
"""One image in this many is kept from training and measures the quality."""


def training(
    images: Path,
    backbone: str,
    out: Path,
    *,
    n_concepts: int,
    steps: int,
    batch: int,
    sparsity: str,
    k: int,
    seed: int,
    device: str | None = None,
) -> Work[dict[str, float]]:
    """Train a RA-SAE on all tokens of the images in a folder and write it to `out`.

    Returns R², codes a token and the share of dead concepts on images that were held out. Raises
    `BlindspotsError` for images or settings that cannot be used.
    """
    if sparsity not in ("topk", "batch_topk"):
        raise BlindspotsError(f"Sparsity must be topk or batch_topk, not {sparsity!r}.")
    kind: Sparsity = "topk" if sparsity == "topk" else "batch_topk"
    paths = list_images(images)
    if len(paths) < 2 * HELD_OUT:
        raise BlindspotsError(
            f"{images} holds {len(paths)} images: give at least {2 * HELD_OUT}, and thousands for "
            "concepts that mean something."
        )
    chosen = pick_device(device)
    network = Backbone.load(backbone, device=chosen)
    tokens = np.empty((len(paths), network.layout.tokens, network.width), np.float32)
    for done, path in enumerate(paths):
        yield Event("read tokens", done, len(paths))
        tokens[done] = image_tokens(network, path)
    config = TrainConfig(
        n_concepts=n_concepts,
        n_centroids=min(n_concepts, tokens.shape[0] * tokens.shape[1]),
        sparsity=kind,
        k=k,
        steps=steps,
        batch=batch,
        device=chosen,
        backbone=backbone,
        backbone_fingerprint=network.fingerprint,
        origin=f"trained on {len(paths)} images with blindspots_hub",
    )
    held_out = np.arange(len(paths)) % HELD_OUT == 0
    width = network.width
    sae = yield from train_sae(tokens[~held_out].reshape(-1, width), config, seed)
    sae.save_pretrained(out)
    quality = evaluate_sae(sae, tokens[held_out].reshape(-1, width))
    write_sae_card(out, f"RA-SAE, {n_concepts:,} concepts", sae.config.to_json(), quality)
    return quality


def image_tokens(network: Backbone, path: Path) -> NDArray[np.float32]:
    """Tokens of one image file, float32 (T, d)."""
    pixels = network.preprocess(open_image(path))
    found: NDArray[np.float32] = network.tokens(pixels[None])[0].cpu().numpy()
    return found
