"""Is a token store what it says it is? Every byte is read, and every bad shard is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.concepts.tokens.store import open_shard, read_manifest, size_fault
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import sha256_file


def checking_store(folder: Path) -> Work[list[str]]:
    """All faults of a store's shards, each a phrase that names the file; none where it is whole.

    Missing, of another size, of another sha256, of another shape or type, with NaN or infinity,
    written for another configuration, or not part of the store at all. Raises `BlindspotsError`
    where `store.json` itself cannot be used.
    """
    manifest = read_manifest(folder)
    faults = []
    for done, shard in enumerate(manifest["shards"]):
        yield Event("check shards", done, len(manifest["shards"]))
        faults += _faults(folder, manifest, shard)
    known = {shard["file"] for shard in manifest["shards"]}
    strangers = sorted(path.name for path in folder.glob("tokens-*") if path.name not in known)
    return faults + [f"{name} is not part of the store" for name in strangers]


def _faults(folder: Path, manifest: dict[str, Any], shard: dict[str, Any]) -> list[str]:
    name, config = shard["file"], manifest["config"]
    found = []
    if shard["config_hash"] != manifest["config_hash"]:
        found.append(f"{name} was written for another configuration")
    if fault := size_fault(folder, shard):
        return [*found, fault]
    if sha256_file(folder / name) != shard["sha256"]:
        found.append(f"{name} has another sha256")
    try:
        tokens = open_shard(folder / name)
    except (ValueError, OSError, EOFError):
        return [*found, f"{name} is no NumPy array"]
    shape = (shard["tokens"], config["width"])
    if tokens.shape != shape or tokens.dtype != np.dtype(config["dtype"]).newbyteorder("<"):
        return [
            *found,
            f"{name} holds {tokens.dtype} {tokens.shape} instead of {config['dtype']} {shape}",
        ]
    if not all(np.isfinite(part).all() for part in np.array_split(tokens, 16)):
        found.append(f"{name} holds NaN or infinity")
    return found
