"""Generated images kept one by one, so that a kill loses at most the images in flight."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from blindspots_hub.data.images import open_image
from blindspots_hub.generation.generate import Failed, Outcome
from blindspots_hub.generation.plan import Encoding
from blindspots_hub.utils.files import write_bytes, write_json


@dataclass(frozen=True)
class GeneratedImage:
    """What became of one caption: the image's file (None where it failed), its seed and flags."""

    content: bytes | None
    seed: int | None
    flags: tuple[str, ...]
    status: str
    """"ok", or the cause for which the pair is taken out."""

    @classmethod
    def of(cls, outcome: Outcome, encoding: Encoding) -> GeneratedImage:
        """What is kept of an outcome."""
        if isinstance(outcome, Failed):
            return cls(None, None, (), outcome.cause)
        # A black safety-filter image says nothing about what the model can draw.
        status = "blank" if "blank" in outcome.flags else "ok"
        return cls(encoding(outcome.image), outcome.seed, outcome.flags, status)

    def image(self) -> Image.Image:
        """The image, decoded; only where there is one."""
        if self.content is None:
            raise ValueError("this caption has no image")
        return open_image(self.content, "a generated image")


class SingleImages:
    """Files of images and their records below `folder`, by the images' names."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder, self._suffix = folder, suffix

    def has(self, name: str) -> bool:
        """Whether the image of this name, or that there is none, is kept and whole."""
        return self.get(name) is not None

    def get(self, name: str) -> GeneratedImage | None:
        """The image of this name if it is whole, else None."""
        try:
            record = self._record(name)
            content = self._file(name).read_bytes() if record["has_image"] else None
            if content is not None and sha256(content).hexdigest() != record["sha256"]:
                return None  # damaged: it is made anew
            flags = tuple(record["flags"])
            return GeneratedImage(content, record["seed"], flags, record["status"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, name: str, found: GeneratedImage) -> None:
        """Keep an image; the record is written last, and only what has a record counts."""
        if found.content is not None:
            write_bytes(self._file(name), found.content)
        record = {
            "has_image": found.content is not None,
            "sha256": None if found.content is None else sha256(found.content).hexdigest(),
            "seed": found.seed,
            "flags": list(found.flags),
            "status": found.status,
        }
        write_json(self._json(name), record)

    def failed(self) -> list[str]:
        """Names of the images that are known not to be."""
        names = {path.stem for path in self.folder.glob("*.json")}
        return sorted(names - {path.stem for path in self.folder.glob(f"*.{self._suffix}")})

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.glob("*.json"))

    def remove(self, names: Iterable[str]) -> None:
        """Remove images that are kept elsewhere now."""
        for name in names:
            self._json(name).unlink(missing_ok=True)
            self._file(name).unlink(missing_ok=True)

    def _record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._json(name).read_text(encoding="utf-8"))
        return found

    def _json(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.{self._suffix}"
