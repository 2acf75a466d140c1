"""Loading a denoiser's weights in fewer bits, by what diffusers offers for that."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

from blindspots_hub.errors import BlindspotsError

DENOISERS = ("transformer", "unet")
"""Parts of a pipeline that take nearly all of its memory and time."""


def quantization(how: str, device: str) -> Any:
    """The configuration that loads a model's weights as `how` says, for `device`.

    `how` is one of `additions.QUANTIZE` but for fp8, which is done after loading (`fitting`).
    Raises `BlindspotsError` where its package is not installed, or where it needs a GPU.
    """
    package = how.partition("_")[0]
    if importlib.util.find_spec(package) is None:
        raise BlindspotsError(
            f"--quantize {how} needs the package {package}: pip install {package}, or use fp8."
        )
    if package == "bitsandbytes":
        if not device.startswith("cuda"):
            raise BlindspotsError(
                f"--quantize {how} needs a GPU, and {device} was chosen: use fp8 or torchao_int8."
            )
        from diffusers import BitsAndBytesConfig

        return BitsAndBytesConfig(**{f"load_in_{how.rpartition('_')[2]}": True})
    from diffusers import TorchAoConfig
    from torchao.quantization import Int8WeightOnlyConfig

    return TorchAoConfig(Int8WeightOnlyConfig(version=2))


def denoiser_of(pipeline: type) -> str:
    """Name of the part of a pipeline's class that denoises."""
    there = inspect.signature(pipeline.__init__).parameters  # type: ignore[misc]
    for name in DENOISERS:
        if name in there:
            return name
    raise BlindspotsError(f"A {pipeline.__name__} has no denoiser to quantize: leave it out.")
