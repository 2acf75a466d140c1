"""Tiny DINOv2s and RA-SAEs with random weights, saved as the real ones are."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig

TINY = Preprocessing(shortest_edge=32, crop=28)


def save_backbone(folder: Path, registers: int | None = 4, seed: int = 0) -> Path:
    """A one-layer DINOv2 of width 16, patches of 7 px; `registers` None = a model without them."""
    from transformers import (
        Dinov2Config,
        Dinov2Model,
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
    )

    torch.manual_seed(seed)
    shape = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 7,
    }
    if registers is None:
        model = Dinov2Model(Dinov2Config(**shape))
    else:
        config = Dinov2WithRegistersConfig(**shape, num_register_tokens=registers)
        model = Dinov2WithRegistersModel(config)
    model.save_pretrained(folder)
    save_preprocessing(folder)
    return folder


def save_preprocessing(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(TINY.to_config()))


def tiny_rasae(seed: int = 0, **settings: object) -> RASAE:
    """A RA-SAE with random weights everywhere (d = 6, n = 40 unless said otherwise)."""
    config = RASAEConfig(**{"d": 6, "n_concepts": 40, "k": 3, "backbone": "tiny", **settings})
    g = torch.Generator().manual_seed(seed)
    n, d = config.n_concepts, config.d
    return RASAE.from_weights(
        config,
        {
            "encoder.weight": torch.randn(n, d, generator=g),
            "encoder.bias": torch.randn(n, generator=g) / 4,
            "norm.weight": 1 + torch.randn(n, generator=g) / 4,
            "norm.bias": torch.randn(n, generator=g) / 4,
            "dictionary": torch.randn(n, d, generator=g),
        },
    )
