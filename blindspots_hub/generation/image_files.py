"""Generated images kept one by one, so that a kill loses at most the image in flight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from blindspots_hub.data.images import encode_png, open_image
from blindspots_hub.generation.generate import Failed, Outcome
from blindspots_hub.utils.files import fingerprint, write_bytes, write_json


@dataclass(frozen=True)
class GeneratedImage:
    """What became of one caption: the PNG file (None where it failed), its seed and flags."""

    png: bytes | None
    seed: int | None
    flags: tuple[str, ...]
    status: str
    """"ok", or the cause for which the pair is taken out."""

    def image(self) -> Image.Image:
        """The image, decoded; only where there is one."""
        if self.png is None:
            raise ValueError("this drawing has no image")
        return open_image(self.png, "a generated image")


class DrawingStore:
    """PNG files and their records below `folder`, by the drawings' names, for one way of drawing.

    `how` (model, revision, settings, seed) names the sub-folder by its hash, so that images of
    another model or seed are never taken for these.
    """

    def __init__(self, folder: Path, how: Mapping[str, Any]) -> None:
        self.folder = folder / f"images-{fingerprint(dict(how))[:16]}"

    def has(self, name: str) -> bool:
        """Whether the drawing of this name is there."""
        try:
            record = self._record(name)
            return not record["has_image"] or self._png(name).is_file()
        except (OSError, ValueError, KeyError):
            return False

    def get(self, name: str) -> GeneratedImage | None:
        """The drawing of this name if it is whole, else None."""
        try:
            record = self._record(name)
            png = self._png(name).read_bytes() if record["has_image"] else None
            return GeneratedImage(png, record["seed"], tuple(record["flags"]), record["status"])
        except (OSError, ValueError, KeyError):
            return None

    def _record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._json(name).read_text(encoding="utf-8"))
        return found

    def _json(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _png(self, name: str) -> Path:
        return self.folder / f"{name}.png"

    def put(self, name: str, outcome: Outcome) -> GeneratedImage:
        """Keep an outcome; the record is written last, and only what has a record counts."""
        if isinstance(outcome, Failed):
            drawing = GeneratedImage(None, None, (), outcome.cause)
        else:
            # A black safety-filter image says nothing about what the model can draw.
            status = "blank" if "blank" in outcome.flags else "ok"
            drawing = GeneratedImage(encode_png(outcome.image), outcome.seed, outcome.flags, status)
        if drawing.png is not None:
            write_bytes(self._png(name), drawing.png)
        record = {
            "has_image": drawing.png is not None,
            "seed": drawing.seed,
            "flags": list(drawing.flags),
            "status": drawing.status,
        }
        write_json(self._json(name), record)
        return drawing
