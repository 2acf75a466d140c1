"""The text-to-image models known by name, and how any other one is named."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.catalogue import CATALOGUE
from blindspots_hub.generation.known_model import KnownModel
from blindspots_hub.utils.files import near_name, public_name

REGISTRY: dict[str, KnownModel] = {model.name: model for model in CATALOGUE}
"""Models by name: the catalogue's, and what `register` added."""

PIPELINE_CLASSES: dict[str, type] = {}
"""Pipeline classes by name that `register_pipeline_class` added to those of diffusers."""


def register(model: KnownModel, under: str | None = None) -> None:
    """Make `model` known by its name, or by "under/name"; one name cannot stand for two models."""
    key = model.name if under is None else f"{under}/{model.name}"
    known = REGISTRY.get(key)
    if known is not None and known != model:
        raise BlindspotsError(
            f"The name {key} already stands for {known.source}: choose another name."
        )
    if slug(model.name) != model.name:
        raise BlindspotsError(
            f"{model.name!r} is no name for a model: use letters, digits, dots, dashes and "
            f"underscores, for example {slug(model.name)}."
        )
    REGISTRY[key] = model


def register_pipeline_class(cls: type) -> None:
    """Let folders whose model_index.json names `cls` be loaded by it.

    `cls` is a `diffusers.DiffusionPipeline` of this process; nothing is ever imported because a
    folder names it. A name that stands for another class is refused.
    """
    known = PIPELINE_CLASSES.setdefault(cls.__name__, cls)
    if known is not cls:
        raise BlindspotsError(
            f"The pipeline class {cls.__name__} is already {known.__module__}: rename one of them."
        )


def resolve(spec: str) -> KnownModel:
    """The model that `spec` names: a known name, a folder, a file, or "org/name[@revision]".

    Nothing is fetched or loaded. Raises `BlindspotsError`, with near matches, where `spec` is none
    of these, and where it is a folder without model_index.json.
    """
    spec = spec.strip()
    if spec in REGISTRY:
        return REGISTRY[spec]
    folder = Path(spec).expanduser()
    if spec and folder.is_file():
        if folder.suffix != ".safetensors":
            raise BlindspotsError(
                f"{spec} is no model: of single files only .safetensors are read, never .ckpt, "
                "which could run code; give one, or a diffusers folder."
            )
        return KnownModel(name=slug(spec), source=str(folder), title=public_name(folder))
    if spec and folder.is_dir():
        if not (folder / "model_index.json").is_file():
            raise BlindspotsError(
                f"{spec} is not a diffusers pipeline folder (it has no model_index.json): give the "
                "folder that save_pretrained wrote, with model_index.json directly in it."
            )
        return KnownModel(name=slug(spec), source=str(folder), title=public_name(folder))
    own_prefix = any(name.startswith(f"{spec.partition('/')[0]}/") for name in REGISTRY)
    meant = near_name(spec) if "/" in spec else None
    if HUB_ID.fullmatch(spec) and not own_prefix and meant is None:
        source, _, revision = spec.partition("@")
        return KnownModel(name=slug(spec), source=source, revision=revision or None, title=source)
    near = difflib.get_close_matches(spec.lower(), REGISTRY, n=3, cutoff=0.4)
    near = [str(meant)] if meant is not None else near
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    raise BlindspotsError(
        f"No model is called {spec!r}: {guess}Give one of {', '.join(REGISTRY)}, the path of a "
        "diffusers folder or of a .safetensors checkpoint, or a Hub id such as org/name or "
        "org/name@revision."
    )


def slug(spec: str) -> str:
    """File-safe name of a model for tables and folders.

    A known name stays as it is, a folder gives its last part, a Hub id "org/name@rev" gives
    "org--name-rev". Two folders of one name have one slug: whoever puts models side by side
    checks that their slugs differ.
    """
    if spec in REGISTRY:
        return REGISTRY[spec].name
    folder = Path(spec).expanduser()
    here = folder.stem if folder.is_file() else public_name(folder) if folder.is_dir() else spec
    text = here.replace("/", "--")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "model"
