"""What a pipeline's weights are stored as: their number format and variant, from headers alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from blindspots_hub.utils.dtypes import DType
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

_FORMATS: dict[str, DType] = {"F64": "float32", "F32": "float32", "F16": "float16"}
"""Formats of safetensors, and what they run as; bfloat16 and the eight-bit floats below."""

_VARIANT = re.compile(r"\.([A-Za-z0-9_]+?)(-\d{5}-of-\d{5})?\.safetensors")


def weights_of(part: Path) -> list[Path]:
    """Weights in a component's folder that are loaded: without a variant where there are any."""
    files = sorted(part.glob("*.safetensors"))
    return [file for file in files if _variant(file) is None] or files


def variant_of(folder: Path) -> str | None:
    """The variant, mostly fp16, that some component in `folder` has no weights without."""
    found = (variant_in(weights_of(part)) for part in _parts(folder))
    return next((variant for variant in found if variant is not None), None)


def variant_in(weights: list[Path]) -> str | None:
    """The variant that these weights of one component are, None where they are the plain ones."""
    return _variant(weights[0]) if weights else None


def own_dtype(folder: Path) -> DType | None:
    """The number format of most of a pipeline's weights, by bytes; None where there are none.

    `folder` is that of the pipeline, or of one component, or a single file.
    """
    sizes = _sizes(folder) if folder.is_file() else Counter[DType]()
    for part in () if folder.is_file() else (folder, *_parts(folder)):
        for file in weights_of(part):
            sizes += _sizes(file)
    return sizes.most_common(1)[0][0] if sizes else None


def run_as(own: DType | None, device: str) -> tuple[DType, str]:
    """The format that weights of the format `own` are run in on `device`, and why it is another.

    Off CUDA that is float32: half precision is slow on CPUs and gives black images on MPS. The
    second is "" where there is nothing to tell.
    """
    if not device.startswith("cuda"):
        return "float32", ""
    if own == "bfloat16" and not _has_bfloat16():
        return "float32", (
            f"The weights are bfloat16, which {device} does not have: they are run as float32, "
            "which needs twice the memory (--dtype float16 needs less, and may draw black images)."
        )
    return own or "float16", ""


def _has_bfloat16() -> bool:
    import torch

    # Without a device here the one that is borrowed is a recent one.
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)


def _parts(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != ".")


def _variant(file: Path) -> str | None:
    found = _VARIANT.search(file.name)
    return found.group(1) if found else None


def _sizes(file: Path) -> Counter[DType]:
    """Bytes of a file's floating-point tensors by what they run as; nothing of a damaged file."""
    sizes = Counter[DType]()
    try:
        tensors = TensorFile(file).tensors.values()
    except (OSError, NoTensors):  # told when diffusers reads it
        return sizes
    for tensor in tensors:
        if tensor.kind in _FORMATS:
            sizes[_FORMATS[tensor.kind]] += tensor.bytes
        elif tensor.kind.startswith(("BF16", "F8")):
            sizes["bfloat16"] += tensor.bytes
    return sizes
