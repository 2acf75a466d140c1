"""One component from elsewhere: a UNet, a transformer or a VAE by folder or Hub id."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import SHARDS, check_part, component_kind
from blindspots_hub.generation.pipeline_files import local_first, revision_of, snapshot_sha
from blindspots_hub.generation.weights import variant_in, weights_of
from blindspots_hub.generation.whole_weights import every_weight
from blindspots_hub.utils.files import read_json


def load_part(source: str, part: str, pipeline: type, options: dict[str, Any]) -> tuple[Any, str]:
    """The component `part` ("unet", "transformer", "vae") of `source`, and its revision.

    It lies in a folder of that name in `source`, or is all of `source`. Raises `BlindspotsError`
    where pipelines of the class `pipeline` have no such part, and where it is none of diffusers'
    classes or not whole and plain (`foreign`). `options` go to diffusers' `from_pretrained`.
    """
    if part not in inspect.signature(pipeline.__init__).parameters:  # type: ignore[misc]
        raise BlindspotsError(f"{source} cannot be put in: a {pipeline.__name__} has no {part}.")
    folder = _folder(source, part)
    check_part(folder, part, "model", source)
    cls = _class(folder, part, source)
    files = weights_of(folder)
    if not files:
        raise BlindspotsError(
            f"{source} has no weights of a {part} as safetensors: give a repository that has."
        )
    with every_weight(source):
        loaded = cls.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            variant=variant_in(files),
            **options,
        )
    return loaded, revision_of(folder)


def _class(folder: Path, part: str, source: str) -> Any:
    import diffusers

    name = str(read_json(folder / "config.json").get("_class_name") or "")
    if part == "unet" and not name:
        name = "UNet2DConditionModel"  # older configurations do not say
    known = component_kind("diffusers", name, source, part) == "model"
    if not known or not _serves(cls := getattr(diffusers, name), part):
        raise BlindspotsError(f"{source} is a {name[:60]}, which is no {part}: give another.")
    return cls


def _serves(cls: type, part: str) -> bool:
    """Whether models of a class do what `part` is for; pipelines find out at the first image."""
    if part == "vae":
        return hasattr(cls, "decode")
    named = {"unet": ("UNet",), "transformer": ("Transformer", "DiT")}[part]
    return any(name in cls.__name__ for name in named)


def _folder(source: str, part: str) -> Path:
    """Where the component's config.json and weights lie."""
    here = Path(source).expanduser()
    if here.is_file():
        raise BlindspotsError(
            f"{source} is one file, whose layout nothing tells: give the folder of a {part}, with "
            "its config.json beside the weights, or a Hub id."
        )
    if here.is_dir():
        for folder in (here / part, here):
            if (folder / "config.json").is_file():
                return folder
        raise BlindspotsError(
            f"{source} has no {part} (no {part}/config.json, nor config.json): give the folder "
            "that save_pretrained wrote."
        )
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    name, _, revision = source.partition("@")

    def attempt(local: bool) -> Path:
        for below in (f"{part}/", ""):
            try:
                config = Path(
                    hf_hub_download(
                        name,
                        f"{below}config.json",
                        revision=revision or None,
                        local_files_only=local,
                    )
                )
            except EntryNotFoundError:  # of the cache, too
                continue
            sha = snapshot_sha(config.parent)
            kinds = [f"{below}*.safetensors", f"{below}{SHARDS}"]
            snapshot_download(name, revision=sha, allow_patterns=kinds, local_files_only=local)
            if weights_of(config.parent):
                return config.parent
        raise FileNotFoundError(source)

    return local_first(source, attempt)
