"""A pipeline made to fit: sliced, tiled, offloaded, its weights as 8-bit floats."""

from __future__ import annotations

from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.additions import Additions, Memory
from blindspots_hub.generation.quantizing import DENOISERS


def make_fit(pipe: Any, additions: Additions, memory: Memory, device: str, dtype: Any) -> None:
    """Do to `pipe` what `additions` and `memory` ask for; raises where it cannot be done."""
    if additions.quantize == "fp8":
        _as_fp8(pipe, dtype)
    if additions.vae_tiling:
        vae: Any = getattr(pipe, "vae", None)
        if not hasattr(vae, "enable_tiling"):
            raise BlindspotsError(
                f"The VAE of a {type(pipe).__name__} cannot decode in tiles: leave it out."
            )
        vae.enable_tiling()
    if memory.attention_slicing:
        pipe.enable_attention_slicing()
    if memory.offload is not None:
        if not device.startswith("cuda"):
            raise BlindspotsError(
                f"Offloading needs a GPU, and {device} was chosen: leave --offload out."
            )
        if memory.offload == "model":
            pipe.enable_model_cpu_offload(device=device)
        else:
            pipe.enable_sequential_cpu_offload(device=device)


def _as_fp8(pipe: Any, dtype: Any) -> None:
    """Keep the denoiser's weights as float8_e4m3fn, each layer's cast as it is needed."""
    import torch

    for name in DENOISERS:
        part: Any = getattr(pipe, name, None)
        if hasattr(part, "enable_layerwise_casting"):
            part.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
            return
    raise BlindspotsError(f"A {type(pipe).__name__} has no denoiser to keep as fp8: leave it out.")
