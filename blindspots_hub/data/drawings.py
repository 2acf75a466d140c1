"""Generated images kept one by one, so that a kill loses at most the image in flight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from blindspots_hub.data.generate import Failed, Outcome
from blindspots_hub.data.images import encode_png, open_image
from blindspots_hub.files import fingerprint, write_bytes, write_json


@dataclass(frozen=True)
class Drawing:
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
    """PNG files and their records below `folder`, for one way of drawing.

    `how` (model, revision, settings, seed) names the sub-folder by its hash, so that images of
    another model or seed are never taken for these.
    """

    def __init__(self, folder: Path, how: Mapping[str, Any]) -> None:
        self.folder = folder / f"images-{fingerprint(dict(how))[:16]}"

    def get(self, pair_id: str) -> Drawing | None:
        """The drawing of a pair if it is whole, else None."""
        try:
            record = json.loads((self.folder / f"{pair_id}.json").read_text(encoding="utf-8"))
            png = None
            if record["has_image"]:
                png = (self.folder / f"{pair_id}.png").read_bytes()
            return Drawing(png, record["seed"], tuple(record["flags"]), record["status"])
        except (OSError, ValueError, KeyError):
            return None

    def put(self, pair_id: str, outcome: Outcome) -> Drawing:
        """Keep an outcome; the record is written last, and only what has a record counts."""
        if isinstance(outcome, Failed):
            drawing = Drawing(None, None, (), outcome.cause)
        else:
            # A black safety-filter image says nothing about what the model can draw.
            status = "blank" if "blank" in outcome.flags else "ok"
            drawing = Drawing(encode_png(outcome.image), outcome.seed, outcome.flags, status)
        if drawing.png is not None:
            write_bytes(self.folder / f"{pair_id}.png", drawing.png)
        record = {
            "has_image": drawing.png is not None,
            "seed": drawing.seed,
            "flags": list(drawing.flags),
            "status": drawing.status,
        }
        write_json(self.folder / f"{pair_id}.json", record)
        return drawing
