"""One text-to-image model: where it is, how it is run, and what is put into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.additions import Additions, Memory
from blindspots_hub.generation.settings import GenerationSettings


@dataclass(frozen=True)
class KnownModel:
    """One text-to-image model: where it is, and how it is run unless the user says otherwise."""

    name: str
    """File-safe name in tables, folders and plots."""
    source: str
    """Hub id ("org/name"), path of a diffusers folder, or of one .safetensors file."""
    title: str
    """Name for people."""
    revision: str | None = None
    """Commit, tag or branch on the Hub; None is the newest, or what is in the cache."""
    prior_revision: str | None = None
    """The same of the pipelines that its card joins it with, as Kandinsky's prior."""
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    variant_of: str | None = None
    """Name of the model that this one was post-trained from (section 5.5)."""
    unet: str | None = None
    """Hub id or folder whose `unet/` replaces the pipeline's own."""
    additions: Additions = field(default_factory=Additions)
    """What is changed of it: LoRA weights, another VAE, another scheduler."""
    memory: Memory = field(default_factory=Memory, compare=False)
    """How it is made to fit; no part of what it is."""
    licence: str | None = None
    """Licence identifier as its card gives it; None where nobody has told."""
    note: str = ""
    access: Access = field(default=OWNER, repr=False, compare=False)
    """For whom it is loaded; no part of what it is."""

    @property
    def is_file(self) -> bool:
        """Whether `source` is one file of weights on this machine."""
        return Path(self.source).expanduser().is_file()

    @property
    def is_local(self) -> bool:
        """Whether `source` is a folder on this machine."""
        return Path(self.source).expanduser().is_dir()

    def with_settings(self, **changes: Any) -> KnownModel:
        """The same model run with other settings (the field names of `GenerationSettings`)."""
        return replace(self, settings=replace(self.settings, **changes))
