"""The drawings of one evaluation: every caption one or more times, drawn where they are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.data.identity import drawing_id
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, TextToImage
from blindspots_hub.generation.image_files import DrawingStore, GeneratedImage
from blindspots_hub.runs.gpu_work import draw
from blindspots_hub.runs.loading import NoImage
from blindspots_hub.runs.request import Request

BLOCK = 256
"""Rows of a table with images that are written at once."""


class Drawings:
    """Images that a pipeline draws for captions, kept below `folder` as they are made."""

    def __init__(
        self, folder: Path, request: Request, captions: Mapping[str, str], pipeline: TextToImage
    ) -> None:
        self._store = DrawingStore(folder, request.how)
        self._pipeline, self._seed = pipeline, request.seed
        self.of_pair: dict[str, list[str]] = {
            pair_id: [drawing_id(pair_id, number) for number in range(request.seeds)]
            for pair_id in request.pair_ids
        }
        self.pair_of = {name: i for i, names in self.of_pair.items() for name in names}
        self.captions = {name: captions[pair_id] for name, pair_id in self.pair_of.items()}

    @property
    def folder(self) -> Path:
        """Where the images lie; another way of drawing has another folder."""
        return self._store.folder

    @property
    def names(self) -> list[str]:
        """Names of all drawings: by pair, then by number."""
        return list(self.captions)

    @property
    def kept(self) -> int:
        """How many are drawn, or known to have no image."""
        return sum(map(self._store.has, self.names))

    def draw_missing(self, names: Sequence[str]) -> None:
        """Draw those that are not there yet, all at once.

        Raises `BlindspotsError` where memory does not hold a single one: more memory may, so that
        this is no fact about the caption.
        """
        missing = [name for name in names if not self._store.has(name)]
        asked = [(self.captions[name], name) for name in missing]
        no_room = None
        for name, outcome in zip(missing, draw(self._pipeline, asked, self._seed), strict=True):
            if isinstance(outcome, Failed) and outcome.cause == "out_of_memory":
                no_room = outcome.reason
            else:
                self._store.put(name, outcome)
        if no_room is not None:
            raise BlindspotsError(
                f"{no_room} Close what else uses it, or ask for smaller images (--size); what is "
                "drawn is kept."
            )

    def get(self, name: str) -> GeneratedImage:
        """A drawing that is there."""
        drawing = self._store.get(name)
        if drawing is None:
            raise BlindspotsError(
                f"The drawing {name} was removed from {self.folder} while it was needed: run the "
                "same again."
            )
        return drawing

    def image(self, name: str) -> Image.Image:
        """The image of a drawing that is there; `NoImage` by its status where it has none."""
        drawing = self.get(name)
        if drawing.status != "ok":
            raise NoImage(drawing.status, f"The drawing {name} has the status {drawing.status}.")
        return drawing.image()

    def tables(self, out: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The bundle's table GENERATIONS in blocks of rows; `out` is the cause of a drawing."""
        numbers = {
            name: number for names in self.of_pair.values() for number, name in enumerate(names)
        }
        for names in blocks(self.names):
            kept = [self.get(name) for name in names]
            yield {
                "pair_id": [self.pair_of[name] for name in names],
                "draw": [numbers[name] for name in names],
                "seed": [one.seed for one in kept],
                "image": [
                    image_cell(one.png, f"{name}.png")
                    for name, one in zip(names, kept, strict=True)
                ],
                "image_sha256": [
                    None if one.png is None else sha256(one.png).hexdigest() for one in kept
                ],
                "flags": [list(one.flags) for one in kept],
                "status": [out.get(name, "ok") for name in names],
            }


def blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """`names` in portions whose images memory holds at once."""
    return portions(names, BLOCK)


def portions(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """`names` in turn, `size` at a time."""
    return (names[start : start + size] for start in range(0, len(names), size))
