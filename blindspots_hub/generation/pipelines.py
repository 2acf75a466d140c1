"""Loading diffusers pipelines, with what people put into them; no code of theirs is ever run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.adapters import add_inversions, add_loras, partly_fitting
from blindspots_hub.generation.fitting import make_fit
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.parts import load_part
from blindspots_hub.generation.pipeline_files import (
    check_safe,
    missing_file,
    revision_of,
)
from blindspots_hub.generation.pipeline_source import fetch, join
from blindspots_hub.generation.quantizing import denoiser_of, quantization
from blindspots_hub.generation.rehearsal import no_remote_code, rehearse
from blindspots_hub.generation.schedulers import set_scheduler
from blindspots_hub.generation.single_file import (
    check_checkpoint,
    load_single_file,
)
from blindspots_hub.generation.weights import own_dtype, run_as, variant_of
from blindspots_hub.generation.whole_weights import every_weight
from blindspots_hub.utils.files import sha256_file


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline in memory, and what exactly it was loaded from.

    `revision` is the commit sha of a Hub pipeline, or "sha256:…" over the files of a folder, or of
    the one file; `unet_revision` likewise for the UNet that was put in, where there is one, and
    `joined` for the pipelines it is joined with (Kandinsky's prior), by Hub id, and for every
    other part and addition, by its name.
    """

    pipe: Any
    revision: str
    unet_revision: str | None
    joined: dict[str, str]
    dtype: str
    note: str = ""
    """What is to be told of number format and additions; "" where all is as asked for."""


def load(model: KnownModel, device: str, rests_on: str) -> LoadedPipeline:
    """Load `model` for `device`; see `generate.load_pipeline` for what is checked and raised."""
    with _told(model.source, device), _quiet(), no_remote_code():
        _check_access(model)
        cls, folder = fetch(model)
        if not model.is_file:
            check_safe(folder, model.source)
            if (missing := missing_file(folder)) is not None:
                raise BlindspotsError(
                    f"{model.source} is incomplete ({missing} is missing): copy or save it again."
                )
        if model.access.bounded:
            rehearse(folder, model.source)
        joined = join(cls, folder, model)
        at = Path(model.source).expanduser() if model.is_file else folder
        dtype, note = run_as(own_dtype(at), device)
        if model.settings.dtype is not None:
            dtype, note = model.settings.dtype, ""
        quantized = _quantized(cls, model, device)
        modules, revisions = _parts(cls, model, dtype, quantized)
        unet_revision = revisions.pop("unet", None)
        if model.is_file:
            check_checkpoint(at, "vae" in modules)
            pipe = load_single_file(cls, at, folder, modules, _dtype(dtype))
            revision = f"sha256:{sha256_file(at)}"
        else:
            with every_weight(model.source):
                pipe = cls.from_pretrained(
                    folder,
                    use_safetensors=True,
                    local_files_only=True,
                    variant=_variant(folder, model),
                    trust_remote_code=False,
                    # The folder has its own.
                    **({"revision": model.prior_revision} if joined else {}),
                    **_dtype(dtype),
                    **_of_pipeline(quantized, modules),
                    **modules,
                )
            revision = revision_of(folder)
        joined |= revisions | _add(pipe, model)
        note = " ".join(filter(None, (note, partly_fitting(pipe, model.additions.loras))))
        make_fit(pipe, model.additions, model.memory, device, _dtype(dtype).popitem()[1])
        if rests_on == device and model.memory.offload is None:
            pipe.to(device)  # else they stay in main memory, in the number format of `device`
    pipe.set_progress_bar_config(disable=True)
    return LoadedPipeline(pipe, revision, unet_revision, joined, dtype, note)


def _check_access(model: KnownModel) -> None:
    if model.access.bounded and (model.additions or model.is_file):
        raise BlindspotsError(
            "Single files and what is added to a model are not loaded for visitors of a page: "
            "evaluate it on your own machine."
        )


def _quantized(cls: Any, model: KnownModel, device: str) -> dict[str, Any]:
    """How a part's weights are to be kept in fewer bits, by the part's name."""
    how = model.additions.quantize
    if how is None or how == "fp8":
        return {}
    if model.is_file and model.unet is None and model.additions.transformer is None:
        raise BlindspotsError(
            f"A single file cannot be loaded as {how}: use --quantize fp8, or a diffusers folder."
        )
    return {denoiser_of(cls): quantization(how, device)}


def _of_pipeline(quantized: dict[str, Any], modules: dict[str, Any]) -> dict[str, Any]:
    """The argument of `from_pretrained` for what was not loaded by itself."""
    rest = {name: how for name, how in quantized.items() if name not in modules}
    if not rest:
        return {}
    from diffusers import PipelineQuantizationConfig

    return {"quantization_config": PipelineQuantizationConfig(quant_mapping=rest)}


def _parts(
    cls: Any, model: KnownModel, dtype: str, quantized: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Components from elsewhere, and their revisions."""
    sources = {
        "unet": model.unet,
        "transformer": model.additions.transformer,
        "vae": model.additions.vae,
    }
    modules, revisions = {}, {}
    for part, source in sources.items():
        if source is not None:
            options = _dtype(dtype)
            if part in quantized:
                options["quantization_config"] = quantized[part]
            modules[part], revisions[part] = load_part(source, part, cls, options)
    return modules, revisions


def _add(pipe: Any, model: KnownModel) -> dict[str, str]:
    """Put in what is added to the whole pipeline; what was loaded for it, by name."""
    added = model.additions
    if added.scheduler is not None:
        set_scheduler(pipe, added.scheduler)
    return {
        **add_inversions(pipe, added.inversions, model.source),
        **add_loras(pipe, added.loras, model.source),
    }


def _variant(folder: Path, model: KnownModel) -> str | None:
    """The variant of the weights that are read."""
    asked = model.additions.variant
    if asked is None:
        return variant_of(folder)
    if not any(folder.glob(f"*/*.{asked}*.safetensors")):
        raise BlindspotsError(
            f"{model.source} has no weights of the variant {asked}: leave --variant out."
        )
    return asked


def _dtype(name: str) -> dict[str, Any]:
    """The number format as an argument of `from_pretrained`, renamed in diffusers 0.40."""
    import diffusers
    import torch
    from packaging.version import Version

    renamed = Version(diffusers.__version__) >= Version("0.40")
    return {"dtype" if renamed else "torch_dtype": getattr(torch, name)}


@contextmanager
def _told(source: str, device: str) -> Iterator[None]:
    """Turn what loading raises into a sentence, its cause kept."""
    import torch

    try:
        yield
    except BlindspotsError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise BlindspotsError(
            f"{source} does not fit into the memory of {device}: choose another device, or "
            "a smaller model."
        ) from error
    except Exception as error:  # four libraries read foreign files here
        if "meta tensor" in str(error) or type(error).__name__ == "SingleFileComponentError":
            raise BlindspotsError(
                f"{source} lacks some weights of its own kind: it is not whole, or of another kind "
                "than its configuration; fetch it again."
            ) from error
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise BlindspotsError(
            f"{source} cannot be loaded by diffusers ({type(error).__name__}: {first}): check "
            "its name, your access to it, and that its folder is whole."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No loading bars of diffusers and transformers: ours are shown instead."""
    import diffusers.utils.logging as diffusers_logging
    import transformers.utils.logging as transformers_logging

    shown = [
        logging
        for logging in (diffusers_logging, transformers_logging)
        if logging.is_progress_bar_enabled()
    ]
    for logging in shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        for logging in shown:
            logging.enable_progress_bar()
