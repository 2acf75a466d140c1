"""Writing a token store: shard by shard, by one process or many, and on after a kill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.tokens.store import (
    MANIFEST,
    SCHEMA_VERSION,
    TokenStore,
    read_manifest,
    size_fault,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.distributed import ALONE, Processes
from blindspots_hub.utils.files import (
    atomic,
    fingerprint,
    public_name,
    read_json,
    sha256_file,
    write_json,
)

IMAGES_A_SHARD = 256
"""Images of a shard; a kill loses the work of one at most."""

_BATCH = 16
"""Images that the backbone sees at a time on CUDA."""

StoreDtype = Literal["float16", "float32"]


def store_config(backbone: Backbone, images: Sequence[Path], dtype: StoreDtype) -> dict[str, Any]:
    """The configuration of the store of these images' tokens; equal stores have equal ones."""
    if dtype not in ("float16", "float32"):
        raise BlindspotsError(f"Tokens are stored as float16 or float32, not {dtype!r}.")
    return {
        "backbone": public_name(backbone.source),
        "backbone_revision": backbone.revision,
        "backbone_fingerprint": backbone.fingerprint,
        "preprocessing": backbone.preprocessing.to_config(),
        "layout": {**asdict(backbone.layout), "grid": list(backbone.layout.grid)},
        "width": backbone.width,
        "dtype": dtype,
        "n_images": len(images),
        "images": fingerprint([[path.name, path.stat().st_size] for path in images]),
        "images_a_shard": IMAGES_A_SHARD,
    }


def writing_store(
    folder: Path,
    images: Sequence[Path],
    load: Callable[[Path], Image.Image],
    backbone: Backbone,
    dtype: StoreDtype = "float16",
    processes: Processes = ALONE,
) -> Work[TokenStore]:
    """Write the tokens of `images` to `folder`, unless they are there, and open the store.

    `load` decodes a file; where it raises `BlindspotsError` the image is skipped and listed. Run
    again after a kill it goes on with the shard that was being written. Several `processes` share
    the shards. Raises `BlindspotsError` where `folder` holds tokens of another configuration, and
    for tokens that are NaN or too large for `dtype`.
    """
    config = store_config(backbone, images, dtype)
    identity = fingerprint(config)
    if (folder / MANIFEST).is_file():
        _same(folder, read_manifest(folder)["config_hash"], identity)
        return TokenStore.open(folder)
    starts = range(0, len(images), IMAGES_A_SHARD)
    names = [f"tokens-{number:05d}" for number in range(len(starts))]
    mine = range(processes.rank, len(starts), processes.count)
    for done, number in enumerate(mine):
        yield Event("read tokens", done, len(mine))
        entry = folder / f"{names[number]}.json"
        if entry.is_file():
            _same(folder, read_json(entry).get("config_hash"), identity)
            if size_fault(folder, read_json(entry)) is None:
                continue
        shard = yield from _shard(
            folder / f"{names[number]}.npy",
            images[starts[number] : starts[number] + IMAGES_A_SHARD],
            load,
            backbone,
            dtype,
            (done, len(mine)),
        )
        write_json(entry, {**shard, "config_hash": identity})
    processes.wait()
    if processes.is_first:
        shards = [read_json(folder / f"{name}.json") for name in names]
        manifest = {"schema_version": SCHEMA_VERSION, "config": config, "config_hash": identity}
        write_json(folder / MANIFEST, {**manifest, "shards": shards})
        for name in names:
            (folder / f"{name}.json").unlink()
    processes.wait()
    return TokenStore.open(folder)


def _shard(
    path: Path,
    images: Sequence[Path],
    load: Callable[[Path], Image.Image],
    backbone: Backbone,
    dtype: StoreDtype,
    progress: tuple[int, int],
) -> Work[dict[str, Any]]:
    """Write one shard; returns its entry but for the configuration's hash."""
    skipped, pixels, tokens = [], [], []
    for number, image in enumerate(images):
        try:
            pixels.append(backbone.preprocess(load(image)))
        except BlindspotsError as error:
            skipped.append({"image": image.name, "reason": str(error)})
        if pixels and (len(pixels) == _BATCH or number == len(images) - 1):
            import torch

            found = backbone.tokens(torch.stack(pixels)).cpu().numpy()
            with np.errstate(over="ignore"):  # told below, of the whole shard
                tokens.append(found.astype(dtype))
            pixels = []
            yield Event("read tokens", *progress, {"images": number + 1})
    rows = [np.empty((0, backbone.layout.tokens, backbone.width), dtype), *tokens]
    content = np.concatenate(rows).reshape(-1, backbone.width)
    if not np.isfinite(content).all():
        raise BlindspotsError(
            f"The backbone gives tokens of {images[0].name} to {images[-1].name} that are NaN or "
            f"too large for {dtype}: check its weights, or store float32."
        )
    with atomic(path) as partial, open(partial, "wb") as handle:
        np.save(handle, content.astype(np.dtype(dtype).newbyteorder("<")), allow_pickle=False)
    return {
        "file": path.name,
        "images": len(images) - len(skipped),
        "tokens": len(content),
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "skipped": skipped,
    }


def _same(folder: Path, found: object, wanted: str) -> None:
    if found != wanted:
        raise BlindspotsError(
            f"{folder} holds tokens of other images, another backbone or another type: choose "
            "another folder."
        )
