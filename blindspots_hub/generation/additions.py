"""What is changed of a model before it draws, and how it is made to fit a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import near_name, public_name, sha256_file

_WEIGHT = re.compile(r"[-+]?\d+(\.\d*)?|[-+]?\.\d+")

QUANTIZE = ("fp8", "torchao_int8", "bitsandbytes_8bit", "bitsandbytes_4bit")
"""8-bit floats by diffusers alone; 8-bit integers by torchao; 8 and 4 bits on a GPU by
bitsandbytes."""


@dataclass(frozen=True)
class Lora:
    """LoRA weights: a .safetensors file, its folder, or "org/name[:file]", and how strongly."""

    source: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Lora:
        """ "PATH_OR_ID[@weight]"; an @ before anything but a number is part of the name."""
        source, at, weight = text.rpartition("@")
        if not at or not _WEIGHT.fullmatch(weight):
            return cls(_checked(text, "LoRA"))
        if abs(float(weight)) > 10:
            raise BlindspotsError(
                f"The weight {weight} of {source} is out of range: use -10 to 10."
            )
        return cls(_checked(source, "LoRA"), float(weight))


@dataclass(frozen=True)
class Additions:
    """What an image depends on besides model, settings and seed; nothing where all is unset.

    Attributes:
        loras: LoRA weights, all at once.
        inversions: textual inversions (.safetensors files); their tokens may stand in captions.
        vae: folder or Hub id of another VAE.
        transformer: folder or Hub id of another transformer (`KnownModel.unet` is that of a UNet).
        scheduler: name of one of diffusers' schedulers, with or without "Scheduler".
        negative_prompt: what images are guided away from.
        base: folder or Hub id of the pipeline whose configuration a single file is read by.
        variant: of the files of a repository, such as fp16.
        vae_tiling: decode large images in tiles, which changes them at the seams.
        quantize: how the denoiser's weights are kept in fewer bits, one of `QUANTIZE`.
    """

    loras: tuple[Lora, ...] = ()
    inversions: tuple[str, ...] = ()
    vae: str | None = None
    transformer: str | None = None
    scheduler: str | None = None
    negative_prompt: str | None = None
    base: str | None = None
    variant: str | None = None
    vae_tiling: bool = False
    quantize: str | None = None

    def __post_init__(self) -> None:
        if self.quantize not in (None, *QUANTIZE):
            raise BlindspotsError(
                f"quantize {self.quantize!r} is unknown: use one of {', '.join(QUANTIZE)}."
            )
        if self.variant is not None and not re.fullmatch(r"[A-Za-z0-9_]{1,40}", self.variant):
            raise BlindspotsError(f"{self.variant!r} is no variant: use a name such as fp16.")
        for what in ("vae", "transformer", "base"):
            if (named := getattr(self, what)) is not None:
                _checked(named, what)
        for one in self.inversions:
            _checked(one, "textual inversion")

    def __bool__(self) -> bool:
        return self != Additions()

    def to_json(self) -> dict[str, Any]:
        """Those that are set, as records hold them: files by name and sha256, never by path."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "loras":
                told[one.name] = [[*_identity(lora.source), lora.weight] for lora in value]
            elif one.name == "inversions":
                told[one.name] = [_identity(name) for name in value]
            elif one.name in ("vae", "transformer", "base") and value is not None:
                told[one.name] = _identity(value)
            else:
                told[one.name] = value
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True)
class Memory:
    """How a pipeline is made to fit; images differ by rounding only.

    `offload` keeps what is not running in main memory ("model" part by part, "sequential" layer by
    layer); it needs a GPU.
    """

    attention_slicing: bool = False
    offload: Literal["model", "sequential"] | None = None

    def __post_init__(self) -> None:
        if self.offload not in (None, "model", "sequential"):
            raise BlindspotsError(f"offload {self.offload!r} is unknown: use model or sequential.")


def _checked(source: str, what: str) -> str:
    """A path that is there, or the form of a Hub id."""
    path = Path(source).expanduser()
    if path.exists():
        return source
    if meant := near_name(path):
        raise BlindspotsError(f"There is no {what} {source}: did you mean {meant}?")
    if HUB_ID.fullmatch(source.partition(":")[0]) and not source.endswith(".safetensors/"):
        return source
    raise BlindspotsError(
        f"There is no {what} {source}: give the path of a file or folder, or a Hub id."
    )


def _identity(source: str) -> list[str]:
    """Name and content of a file or folder here; of the Hub its id."""
    path = Path(source).expanduser()
    if path.is_file():
        return [public_name(path), f"sha256:{sha256_file(path)}"]
    if path.is_dir():
        from blindspots_hub.generation.pipeline_files import revision_of

        return [public_name(path), revision_of(path)]
    return [source]
