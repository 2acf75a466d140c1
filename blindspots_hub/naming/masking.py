"""The images that a model is shown: where a concept fires, and others of the same kind.

Heatmaps mislead a model, as they do people (the paper, appendix D): it names the colour, or what
lies beside. So all but where the concept fires is blended away, and beside the images stand whole
ones of the same kind in which it does not fire, so that what both have is no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.heatmaps import seen_share
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.faithfulness import held_out
from blindspots_hub.naming.terms import terms_of
from blindspots_hub.utils.spelling import singular

SHOWN = 6
"""Masked images, and as many others."""

FAINTEST = 0.25
"""Part of the strongest image's energy that an image has to have: a model may never draw it."""

LEAST = 2
"""Masked images without which no model is asked."""

SIDE = 384
"""Longest side of an image that is sent, in pixels."""

GREY = (128, 128, 128)
FAINT = 0.06
"""How much is left of what the concept does not fire on, so that a model sees where it is."""

OPAQUE_FROM = 0.5
"""Part of the strongest patch from which a patch is shown in full."""


@dataclass(frozen=True)
class Exhibit:
    """A concept's images for a question: masked ones in which it fires, whole ones without it."""

    fires: tuple[Image.Image, ...]
    silent: tuple[Image.Image, ...]

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """All, those in which it fires first."""
        return self.fires + self.silent


def masked(image: Image.Image, grid: np.ndarray, seen: float = 1.0) -> Image.Image:
    """`image` over grey, as opaque as the concept's codes `grid` (rows, columns) are high.

    `seen` is the side of the middle square that the backbone saw, over the shorter side.
    """
    top = float(grid.max())
    share = np.clip(grid / (top * OPAQUE_FROM), 0, 1) if top > 0 else np.zeros_like(grid)
    width, height = image.size
    side = max(round(min(width, height) * seen), 1)
    patch = Image.fromarray(np.round(255 * share).astype(np.uint8))
    square = patch.resize((side, side), Image.Resampling.BILINEAR)
    alpha = Image.new("L", image.size, 0)
    alpha.paste(square, ((width - side) // 2, (height - side) // 2))
    alpha = alpha.point([round(255 * (FAINT + (1 - FAINT) * v / 255)) for v in range(256)])
    return Image.composite(image, Image.new("RGB", image.size, GREY), alpha)


def small(image: Image.Image, side: int = SIDE) -> Image.Image:
    """A copy whose longer side has at most `side` pixels."""
    copy = image.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    return copy


@dataclass
class Exhibits:
    """Finds the images of concepts of one bundle; held-out ones are never shown."""

    bundle: Bundle

    @cached_property
    def _ids(self) -> list[str]:
        return self.bundle.image_ids(NATURAL)

    @cached_property
    def _naming(self) -> np.ndarray:
        return ~held_out(self._ids)

    @cached_property
    def _words(self) -> list[frozenset[str]]:
        captions = self.bundle.captions(self._ids)
        return [frozenset(singular(term) for term in terms_of(one)) for one in captions]

    @cached_property
    def _features(self) -> np.ndarray | None:
        kept = self.bundle.features(NATURAL)
        if kept is None:
            return None
        found = kept.class_token.astype(np.float32)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6))

    def of(self, concept: int, shown: int = SHOWN) -> Exhibit | None:
        """The images of a concept; None where it fires in fewer than `LEAST` that can be shown."""
        fires: list[Image.Image] = []
        rows: list[int] = []
        for source, row, pair_id, grid in self._firing(concept):
            image = self.picture(source, pair_id)
            if image is None:
                continue
            fires.append(masked(small(image), grid, seen_share(self.bundle)))
            if source == NATURAL:
                rows.append(row)
            if len(fires) == shown:
                break
        if len(fires) < LEAST:
            return None
        return Exhibit(tuple(fires), tuple(self._silent(concept, rows, shown)))

    def picture(self, source: str, pair_id: str) -> Image.Image | None:
        """An image as RGB, as large as the bundle has it; None where it has none that is whole."""
        content = self.bundle.image(source, pair_id)
        if content is None:
            kept = self.bundle.thumbnail(source, pair_id)
            content = None if kept is None else kept.image
        try:
            return None if content is None else open_image(content)
        except BlindspotsError:
            return None

    def _firing(self, concept: int) -> list[tuple[str, int, str, np.ndarray]]:
        """`_strongest` with their heatmaps, without those in which it fires faintly only."""
        found = []
        for source, row, pair_id in self._strongest(concept):
            grid = self.bundle.heatmap(source, concept, pair_id)
            if grid is not None and grid.max() > 0:
                found.append((source, row, pair_id, grid))
        most = max((float(grid.sum()) for *_, grid in found), default=0.0)
        return [one for one in found if float(one[3].sum()) >= FAINTEST * most]

    def _strongest(self, concept: int) -> list[tuple[str, int, str]]:
        """Source, row and id of the images that cards show, natural ones first, strongest first."""
        found: list[tuple[str, int, str]] = []
        seen: set[tuple[str, str]] = set()
        place = {pair_id: row for row, pair_id in enumerate(self._ids)}
        for side, column in ((NATURAL, "top_natural"), ("", "top_generated")):
            for model in self.bundle.models:
                source = side or model
                listed = self.bundle.deltas(model)[column][concept].as_py() or []
                for pair_id in listed:
                    row = place.get(pair_id, -1)
                    hidden = row >= 0 and not self._naming[row]
                    if (source, pair_id) not in seen and not hidden:
                        seen.add((source, pair_id))
                        found.append((source, row, pair_id))
        return found

    def _silent(self, concept: int, rows: Sequence[int], shown: int) -> list[Image.Image]:
        """Natural images like those of `rows` in which the concept does not fire."""
        column = self.bundle.concept_energies(NATURAL, concept)
        fires = np.zeros(len(self._ids), bool)
        if column is not None:
            fires[column.rows] = True
        could = np.flatnonzero(self._naming & ~fires)
        if not len(could):
            return []
        found = []
        for row in could[np.argsort(-self._likeness(rows, could), kind="stable")].tolist():
            image = self.picture(NATURAL, self._ids[row])
            if image is not None:
                found.append(small(image))
            if len(found) == shown:
                break
        return found

    def _likeness(self, rows: Sequence[int], could: np.ndarray) -> np.ndarray:
        """How like those of `rows` each image of `could` is: by class tokens, else by captions."""
        if not len(rows):
            return np.zeros(len(could))
        if self._features is not None:
            near = self._features[could] @ self._features[np.asarray(rows)].T
            return np.asarray(near.max(axis=1))
        return np.array(
            [
                max(
                    len(self._words[row] & self._words[one])
                    / max(len(self._words[row] | self._words[one]), 1)
                    for row in rows
                )
                for one in could.tolist()
            ]
        )
