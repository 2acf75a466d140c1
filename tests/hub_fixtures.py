"""Bundles that are worth publishing: with images, with weights, with everything that cards tell."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from local_hub import Hub
from safetensors.numpy import save_file
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.layout import MANIFEST, table_path
from blindspots_hub.artifacts.schema import GENERATIONS, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.writer import image_cell, write_table
from blindspots_hub.utils import hub_errors
from blindspots_hub.utils.files import read_json, sha256_file, write_json

MODELS = {"plain-a": "Plain A", "plain-b": "Plain B"}
PARTS = ("pairs", "generations", "deltas", "sae")
WRITES = ("commit", "tag.create", "repo.create", "lfs.upload", "collections.create")
"""What the server's log calls requests that change something."""
SHA = "0123456789abcdef0123456789abcdef01234567"


def write_publishable(root: Path, *, seed: int = 0, name: str = "birds") -> Path:
    """A small whole bundle: every second natural image comes from the web, weights are larger
    than the Hub keeps outside large-file storage."""
    spec = Synthetic(n_concepts=40, pairs=24, models=MODELS, side=32, seed=seed, name=name)
    write_synthetic(root, spec)
    _with_images(root)
    write_sae(root, 40, seed)
    restate(root)
    return root


def write_sae(root: Path, n_concepts: int, seed: int = 0, atoms: np.ndarray | None = None) -> None:
    """The two files of a RA-SAE with random weights, or with these `atoms` (n_concepts, d)."""
    d = 64 if atoms is None else atoms.shape[1]
    write_json(
        root / "sae/config.json",
        {
            "d": d,
            "n_concepts": n_concepts,
            "k": 5,
            "sparsity": "topk",
            "threshold": None,
            "backbone": "planted/backbone",
            "backbone_revision": None,
            "backbone_fingerprint": None,
            "layer_norm_eps": 1e-5,
            "relaxation": 1.0,
            "weights_dtype": "float32",
            "origin": "trained from nothing",
        },
    )
    rng = np.random.default_rng(seed)
    shapes = {
        "encoder.weight": (n_concepts, d),
        "encoder.bias": (n_concepts,),
        "norm.weight": (n_concepts,),
        "norm.bias": (n_concepts,),
        "dictionary": (n_concepts, d),
    }
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    if atoms is not None:
        weights["dictionary"] = atoms
    save_file(weights, root / "sae/model.safetensors")


def restate(root: Path, **fields: Any) -> None:
    """Write the manifest anew for the files that are there, with `fields` changed."""
    manifest = read_json(root / MANIFEST)
    paths = [path for part in ("deltas", "pairs", "generations", "sae", "backbone")
             for path in sorted((root / part).rglob("*"))]  # fmt: skip
    manifest["files"] = {
        path.relative_to(root).as_posix(): {
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
        }
        for path in paths
        if path.is_file() and path.name != "README.md"
    }
    write_json(root / MANIFEST, {**manifest, **fields})


def opened_whole(reference: str) -> Path:
    """The folder of a bundle of the Hub that was opened, and all of which was fetched."""
    bundle = load_bundle(reference, PARTS)
    bundle.fetch()
    return bundle.root


def contents(root: Path) -> dict[str, bytes]:
    """Every file that the manifest of a bundle names, and its bytes."""
    return {name: (root / name).read_bytes() for name in read_json(root / MANIFEST)["files"]}


def _with_images(root: Path) -> None:
    small = pq.read_table(table_path(root, THUMBNAILS))["image"].to_pylist()
    pairs = pq.read_table(table_path(root, PAIRS)).to_pydict()
    for row in range(len(pairs["pair_id"])):
        content = small[row % len(small)]["bytes"]
        pairs["image"][row] = image_cell(content, f"{row}.webp")
        pairs["image_sha256"][row] = hashlib.sha256(content).hexdigest()
        pairs["image_size"][row] = len(content)
        pairs["url"][row] = f"https://example.org/{row}.webp" if row % 2 else None
    write_table(root, PAIRS, pairs)
    for model in MODELS:
        drawn = pq.read_table(table_path(root, GENERATIONS, model)).to_pydict()
        for row in range(len(drawn["pair_id"])):
            drawn["image"][row] = image_cell(small[-1 - row]["bytes"], f"{row}.webp")
        write_table(root, GENERATIONS, drawn, model)


_SHARED: list[tuple[Path, str]] = []


def shared_bundle(hub: Hub) -> tuple[Path, str]:
    """A bundle, and `NAMESPACE/NAME` where it is published whole as 1.0.0, once for all tests.

    For tests that change nothing on the Hub: the first of them publishes it.
    """
    if not _SHARED:
        root = hub.server.root.parent / "shared" / "birds"
        push(write_publishable(root), hub.owner, "1.0.0", natural_images="all")
        _SHARED.append((root, f"{hub.owner}/birds"))
        shutil.rmtree(hub.cache, ignore_errors=True)
    return _SHARED[0]


def repo(hub: Hub, part: str, name: str = "birds"):  # type: ignore[no-untyped-def]
    """A part's repository as the server keeps it."""
    found = Reference(hub.owner, name).repo(part)
    return hub.server.repo(found.kind, found.id)


def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither we nor the client wait before a new try."""
    monkeypatch.setattr(hub_errors, "WAITS", (0.01, 0.02))
    hasty = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
    monkeypatch.setattr("huggingface_hub.utils._http.time", hasty)
    monkeypatch.setattr("huggingface_hub.file_download.time", hasty)
