"""Finding, checking and loading diffusers pipelines; no code of theirs is ever run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.adapters import add_inversions, add_loras
from blindspots_hub.generation.fitting import make_fit
from blindspots_hub.generation.foreign import own_code
from blindspots_hub.generation.models import PIPELINE_CLASSES, KnownModel
from blindspots_hub.generation.parts import load_part
from blindspots_hub.generation.pipeline_files import (
    INDEX,
    check_safe,
    local_first,
    missing_file,
    revision_of,
    snapshot_sha,
)
from blindspots_hub.generation.rehearsal import no_remote_code, rehearse
from blindspots_hub.generation.schedulers import set_scheduler
from blindspots_hub.generation.single_file import (
    base_folder,
    check_checkpoint,
    load_single_file,
)
from blindspots_hub.generation.text_to_image import check_text_to_image
from blindspots_hub.generation.weights import own_dtype, run_as, variant_of
from blindspots_hub.utils.files import read_json, sha256_file


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
    """What is to be told of the number format; "" where it is as asked for."""


def load(model: KnownModel, device: str, rests_on: str) -> LoadedPipeline:
    """Load `model` for `device`; see `generate.load_pipeline` for what is checked and raised."""
    with _told(model.source, device), _quiet(), no_remote_code():
        _check_access(model)
        cls, folder = _fetch(model)
        if not model.is_file:
            check_safe(folder, model.source)
            if (missing := missing_file(folder)) is not None:
                raise BlindspotsError(
                    f"{model.source} is incomplete ({missing} is missing): copy or save it again."
                )
        if model.access.bounded:
            rehearse(folder, model.source)
        joined = _join(cls, folder, model.access)
        at = Path(model.source).expanduser() if model.is_file else folder
        dtype, note = run_as(own_dtype(at), device)
        if model.settings.dtype is not None:
            dtype, note = model.settings.dtype, ""
        modules, revisions = _parts(cls, model, dtype)
        unet_revision = revisions.pop("unet", None)
        if model.is_file:
            check_checkpoint(at, "vae" in modules)
            pipe = load_single_file(cls, at, folder, modules, _dtype(dtype))
            revision = f"sha256:{sha256_file(at)}"
        else:
            pipe = cls.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                variant=_variant(folder, model),
                trust_remote_code=False,
                **_dtype(dtype),
                **modules,
            )
            revision = revision_of(folder)
        joined |= revisions | _add(pipe, model)
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


def _parts(cls: Any, model: KnownModel, dtype: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Components from elsewhere, and their revisions."""
    sources = {
        "unet": model.unet,
        "transformer": model.additions.transformer,
        "vae": model.additions.vae,
    }
    modules, revisions = {}, {}
    for part, source in sources.items():
        if source is not None:
            modules[part], revisions[part] = load_part(source, part, cls, _dtype(dtype))
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


def _fetch(model: KnownModel) -> tuple[Any, Path]:
    """Pipeline class and folder; the class is checked before any weight is downloaded.

    Of a single file the folder is that of its configuration.
    """
    if model.is_file:
        folder = base_folder(Path(model.source).expanduser(), model.additions.base)
        return _pipeline_class(folder / INDEX, model), folder
    if model.is_local:
        folder = Path(model.source).expanduser()
        index = folder / INDEX
        if not index.is_file():
            raise BlindspotsError(
                f"{model.source} is not a diffusers pipeline folder (it has no model_index.json): "
                "give the folder that save_pretrained wrote."
            )
        return _pipeline_class(index, model), folder

    from huggingface_hub import hf_hub_download

    index = local_first(
        model.source,
        lambda local: Path(
            hf_hub_download(
                model.source,
                INDEX,
                revision=model.revision,
                local_files_only=local,
                token=model.access.token,
                cache_dir=model.access.cache,
            )
        ),
    )
    cls = _pipeline_class(index, model)
    # The commit that model_index.json came from, so that a push in between cannot mix two.
    revision = snapshot_sha(index.parent)
    return cls, _download(cls, model.source, revision, model.access, model.additions.variant)


def _download(
    cls: Any,
    source: str,
    revision: str | None,
    access: Access = OWNER,
    variant: str | None = None,
) -> Path:
    """Folder of a Hub pipeline, whole and in the cache."""

    def attempt(local: bool) -> Path:
        missing: Exception | None = None
        for one in (variant,) if variant else (None, "fp16"):  # many hold nothing but the second
            options = {
                "revision": revision,
                "variant": one,
                "local_files_only": local,
                "token": access.token,
                "cache_dir": access.cache,
                "trust_remote_code": False,
            }
            try:
                folder = Path(cls.download(source, use_safetensors=True, **options))
            except (OSError, ValueError) as error:  # no weights without, or with, that variant
                missing = missing or error
                continue
            if not local or missing_file(folder) is None:  # else a download was cut short
                return folder
            missing = missing or FileNotFoundError(missing_file(folder))
        if missing is not None:
            raise missing
        raise FileNotFoundError(source)

    return local_first(source, attempt)


def _join(cls: Any, folder: Path, access: Access) -> dict[str, str]:
    """Put the pipelines that `cls` joins with `folder` into the cache; their ids and revisions."""
    if not cls._load_connected_pipes:
        return {}
    if access.bounded:
        raise BlindspotsError(
            f"A {cls.__name__} is joined with pipelines that its card names, which this page does "
            "not load for visitors: evaluate it on your own machine."
        )
    from diffusers import DiffusionPipeline
    from huggingface_hub import ModelCard

    joined = {}
    for prior in getattr(ModelCard.load(folder / "README.md").data, "prior", None) or ():
        part = _download(DiffusionPipeline, prior, None)
        check_safe(part, prior)
        if (missing := missing_file(part)) is not None:
            raise BlindspotsError(f"{prior} is incomplete ({missing} is missing): fetch it again.")
        joined[prior] = revision_of(part)
    return joined


def _pipeline_class(index: Path, model: KnownModel) -> Any:
    """The class that model_index.json names, where it is known and draws from captions."""
    import diffusers
    from diffusers.pipelines.auto_pipeline import _get_connected_pipeline

    name = read_json(index).get("_class_name")
    if isinstance(name, list):
        raise own_code(model.source)
    cls: Any = PIPELINE_CLASSES.get(str(name))
    if cls is None:
        cls = getattr(diffusers, str(name), None)
        if not (isinstance(cls, type) and issubclass(cls, diffusers.DiffusionPipeline)):
            raise BlindspotsError(
                f"{model.source} names the pipeline class {name}, which diffusers "
                f"{diffusers.__version__} does not have: give a pipeline that it has, or upgrade "
                "diffusers."
            )
        # Some repositories hold only the decoder; diffusers knows the pipeline that adds the prior.
        cls = _get_connected_pipeline(cls) or cls
    negative = model.additions.negative_prompt
    more = {} if negative is None else {"negative_prompt": negative}
    check_text_to_image(cls, model.source, model.settings, more)
    if model.is_local and cls._load_connected_pipes:
        raise BlindspotsError(
            f"{model.source} is half of a {cls.__name__}, whose other half is a Hub repository: "
            "give its Hub id instead of a folder."
        )
    return cls


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
