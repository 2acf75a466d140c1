"""Where a pipeline comes from: its class, checked, and its folder, here or in the Hub's cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.foreign import own_code
from blindspots_hub.generation.models import PIPELINE_CLASSES, KnownModel
from blindspots_hub.generation.pipeline_files import (
    INDEX,
    check_safe,
    local_first,
    missing_file,
    revision_of,
    snapshot_sha,
)
from blindspots_hub.generation.single_file import base_folder
from blindspots_hub.generation.text_to_image import check_text_to_image
from blindspots_hub.utils.files import read_json


def fetch(model: KnownModel) -> tuple[Any, Path]:
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


def join(cls: Any, folder: Path, model: KnownModel) -> dict[str, str]:
    """Put the pipelines that `cls` joins with `folder` into the cache; their ids and revisions."""
    if not cls._load_connected_pipes:
        return {}
    if model.access.bounded:
        raise BlindspotsError(
            f"A {cls.__name__} is joined with pipelines that its card names, which this page does "
            "not load for visitors: evaluate it on your own machine."
        )
    from diffusers import DiffusionPipeline
    from huggingface_hub import ModelCard

    joined = {}
    for prior in getattr(ModelCard.load(folder / "README.md").data, "prior", None) or ():
        part = _download(DiffusionPipeline, prior, model.prior_revision)
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
