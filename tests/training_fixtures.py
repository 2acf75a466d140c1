"""Tokens with known directions, a store of them, and a training that takes seconds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.concepts.training.train import TrainConfig


def planted_tokens(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """8,000 tokens of width 24 and norm 8, of one or two of 16 directions each; the directions.

    All of one norm, as a backbone's tokens nearly are after its LayerNorm: the encoder's own
    LayerNorm cannot see a token's length.
    """
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(24, 24)))[0][:16]
    codes = np.zeros((8000, 16))
    codes[np.arange(8000), rng.integers(0, 16, 8000)] += rng.uniform(5, 10, 8000)
    second = np.flatnonzero(rng.random(8000) < 0.4)
    codes[second, rng.integers(0, 16, len(second))] += rng.uniform(5, 10, len(second))
    tokens = codes @ directions + 0.1 * rng.normal(size=(8000, 24))
    tokens *= 8 / np.linalg.norm(tokens, axis=1, keepdims=True)
    return tokens.astype(np.float32), directions


def small(**changed: Any) -> TrainConfig:
    """A recipe for the planted tokens."""
    settings: dict[str, Any] = {
        "n_concepts": 48,
        "n_centroids": 48,
        "k": 2,
        "steps": 500,
        "batch": 512,
        "peak_rate": 5e-3,
        "kmeans_steps": 30,
        "backbone": "synthetic",
    }
    return TrainConfig(**{**settings, **changed})


def write_store(folder: Path, tokens: np.ndarray, images_a_shard: int = 16) -> dict[str, Any]:
    """A token store of `tokens` (images, T, d), from the written format alone; its store.json."""
    images, per_image, width = tokens.shape
    settings = {
        "backbone": "synthetic",
        "backbone_revision": None,
        "backbone_fingerprint": "f" * 64,
        "preprocessing": {},
        "layout": {"cls": 1, "registers": 0, "grid": [1, per_image - 1]},
        "width": width,
        "dtype": str(tokens.dtype),
        "n_images": images,
        "images": "0" * 64,
        "images_a_shard": images_a_shard,
    }
    identity = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    folder.mkdir(parents=True)
    shards = []
    for number, start in enumerate(range(0, images, images_a_shard)):
        rows = tokens[start : start + images_a_shard].reshape(-1, width)
        path = folder / f"tokens-{number:05d}.npy"
        np.save(path, rows)
        shard = {"file": path.name, "images": len(rows) // per_image, "tokens": len(rows)}
        shard |= {"bytes": path.stat().st_size, "config_hash": identity, "skipped": []}
        shards.append({**shard, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    manifest = {"schema_version": 1, "config": settings, "config_hash": identity}
    (folder / "store.json").write_text(json.dumps({**manifest, "shards": shards}))
    return {**manifest, "shards": shards}
