"""Configurations of a bundle's networks, held against what their weights hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.layout import QUALITY, SAE
from blindspots_hub.artifacts.limits import JSON_BYTES
from blindspots_hub.concepts.rasae_config import RASAEConfig
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.config_bounds import config_faults
from blindspots_hub.utils.files import read_json
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

CONFIG, WEIGHTS, PREPROCESSING = "config.json", "model.safetensors", "preprocessor_config.json"
DOMAIN = "domain.safetensors"
MODEL_TYPES = ("dinov2", "dinov2_with_registers")
PIXELS = 4096
"""Longest side of the images that a backbone may ask for."""


def network_faults(
    root: Path, part: str, there: Collection[str], space: Mapping[str, Any]
) -> Iterator[str]:
    """Faults of the files of `sae/` or `backbone/` that are `there`."""
    read: dict[str, dict[str, Any]] = {}
    for name in (CONFIG, PREPROCESSING, QUALITY):
        if f"{part}/{name}" in there:
            path = root / part / name
            if path.stat().st_size > JSON_BYTES:
                yield f"{part}/{name} has {path.stat().st_size:,} bytes"
                continue
            try:
                read[name] = read_json(path)
            except BlindspotsError as error:
                yield str(error)
    files: dict[str, TensorFile] = {}
    for name in (WEIGHTS, DOMAIN):
        if f"{part}/{name}" in there:
            try:
                files[name] = TensorFile(root / part / name)
            except (NoTensors, OSError) as error:
                yield f"{part}/{name} is damaged ({error})"
    config, weights = read.get(CONFIG), files.get(WEIGHTS)
    for metric in ("r2", "l0", "dead_share") if QUALITY in read else ():
        value = read[QUALITY].get(metric)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e12:
            yield f"{part}/{QUALITY} has {metric} = {str(value)[:40]}"
    if part == SAE:
        if config is not None:
            yield from _rasae_faults(config, weights, space["n_concepts"])
        return
    if config is not None and weights is not None:
        kind = config.get("model_type")
        if kind not in MODEL_TYPES:
            yield f"{part}/{CONFIG} is of a {str(kind)[:40]!r}, not of a DINOv2"
        shapes = [tensor.shape for tensor in weights.tensors.values()]
        yield from (f"{part}/{CONFIG} {fault}" for fault in config_faults(config, shapes))
    if PREPROCESSING in read:
        yield from (f"{part}/{PREPROCESSING} {told}" for told in _pixel_faults(read[PREPROCESSING]))


def _rasae_faults(
    config: dict[str, Any], weights: TensorFile | None, n_concepts: int
) -> Iterator[str]:
    if config.get("n_concepts", n_concepts) != n_concepts:
        yield f"{SAE}/{CONFIG} has another number of concepts than the {n_concepts} of the bundle"
    if weights is None:
        return
    try:
        settings = RASAEConfig.from_json(config)
    except BlindspotsError as error:
        yield str(error)
        return
    n, d = settings.n_concepts, settings.d
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.weight": (n, d),
        "encoder.bias": (n,),
        "norm.weight": (n,),
        "norm.bias": (n,),
        "dictionary": (n, d),
    }
    for name, shape in shapes.items():
        found = weights.tensors.get(name)
        if found is None or found.shape != shape:
            there = "nothing" if found is None else list(found.shape)
            yield f"{SAE}/{WEIGHTS} holds {there} for {name}, its config {list(shape)}"
        elif found.kind not in ("F32", "F16", "BF16", "F64"):
            yield f"{SAE}/{WEIGHTS} holds {name} as {found.kind}"


def _pixel_faults(config: Mapping[str, Any]) -> Iterator[str]:
    for name in ("size", "crop_size"):
        value = config.get(name)
        for side in value.values() if isinstance(value, dict) else [value]:
            if not (isinstance(side, int) and 0 < side <= PIXELS):
                yield f"asks for {name} = {str(side)[:40]}, of {PIXELS} pixels at most"
    for name in ("image_mean", "image_std", "rescale_factor"):
        value = config.get(name, 1.0)
        for number in value if isinstance(value, list) else [value]:
            if not (isinstance(number, (int, float)) and math.isfinite(number)):
                yield f"has {name} = {str(number)[:40]}"
            elif name == "image_std" and not number > 0:
                yield f"has {name} = {number}"
