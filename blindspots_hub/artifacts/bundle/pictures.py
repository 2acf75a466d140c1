"""The pictures of a bundle: thumbnails, and images as they were measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from blindspots_hub.artifacts.bundle.kept import kept
from blindspots_hub.artifacts.bundle.tables import BundleTables
from blindspots_hub.artifacts.column_checks import RULES
from blindspots_hub.artifacts.layout import NATURAL, listed_files
from blindspots_hub.artifacts.limits import IMAGE_BYTES, THUMBNAIL_BYTES
from blindspots_hub.artifacts.picture_table import PictureTable
from blindspots_hub.artifacts.schema import GENERATIONS, PAIRS, PICTURE_KEYS, THUMBNAILS

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle


@dataclass(frozen=True)
class Thumbnail:
    """A small webp and the caption it belongs to."""

    image: bytes
    caption: str


class Redraw(Protocol):
    """Who draws a model's images again where a bundle does not hold them."""

    def can(self, bundle: Bundle, source: str) -> bool:
        """Whether those of a source can be drawn."""

    def image(self, bundle: Bundle, source: str, pair_id: str) -> bytes | None:
        """One image file, or None."""


class BundlePictures(BundleTables):
    """Images by source and pair; `redraw`, where a program sets it, draws what is not held."""

    redraw: Redraw | None = None

    def thumbnail(self, source: str, pair_id: str) -> Thumbnail | None:
        """Small image of a source, or None where the bundle does not hold it."""
        image = self._thumbnails.image(source, pair_id)
        return None if image is None else Thumbnail(image, self.caption(source, pair_id))

    def thumbnail_at_hand(self, source: str, pair_id: str) -> bool:
        """Whether the bundle holds a small image, and `thumbnail` reads it without waiting."""
        opened = "_thumbnails" in self.__dict__
        return opened and self._thumbnails.at_hand(source, pair_id)

    def has_thumbnail(self, source: str, pair_id: str) -> bool:
        """Whether the bundle holds a small image; none is read."""
        return (source, pair_id) in self._thumbnails

    def caption(self, source: str, pair_id: str) -> str:
        """Caption of an image of a source; "" where it has none. No image is read."""
        if source == NATURAL or self.model(source).paired:
            caption = self._natural_captions.get(pair_id, "")
            if caption:
                return caption
        return self._thumbnails.caption(source, pair_id)

    def image(self, source: str, pair_id: str) -> bytes | None:
        """An image as large as it was measured, or None where it is not redistributed.

        Only parts that are here are looked into; of several generations it is the first.
        """
        table, key = self._large(source, pair_id)
        kept = None if table is None else table.image(*key)
        if kept is None and self._drawn_again(source):
            assert self.redraw is not None
            return self.redraw.image(cast("Bundle", self), source, pair_id)
        return kept

    def has_picture(self, source: str, pair_id: str) -> bool:
        """Whether an image can be shown, small or as it was measured; none is read."""
        if self.has_thumbnail(source, pair_id):
            return True
        table, key = self._large(source, pair_id)
        kept = table is not None and table.has_image(*key)
        return kept or (self._drawn_again(source) and bool(self.caption(source, pair_id)))

    def _drawn_again(self, source: str) -> bool:
        return (
            self.redraw is not None
            and source != NATURAL
            and self.redraw.can(cast("Bundle", self), source)
        )

    def _large(self, source: str, pair_id: str) -> tuple[PictureTable | None, tuple[Any, ...]]:
        """The table with the images of a source as they were measured, and an image's key in it."""
        spec, model = PAIRS, None
        key: tuple[Any, ...] = (pair_id,)
        if source != NATURAL:
            self.model(source)
            spec, model, key = GENERATIONS, source, (pair_id, 0)
        names = listed_files(self.manifest.files, spec, model)
        here = bool(names) and all((self.root / name).is_file() for name in names)
        return (self._pictures(spec.path, tuple(names)) if here else None), key

    @kept
    def _pictures(self, table: str, names: tuple[str, ...]) -> PictureTable:
        return PictureTable(
            [self.root / name for name in names],
            PICTURE_KEYS[table],
            IMAGE_BYTES,
            rules=RULES[table],
            sound=self._whole,
        )

    @cached_property
    def _thumbnails(self) -> PictureTable:
        return PictureTable(
            [self.root / name for name in listed_files(self.manifest.files, THUMBNAILS)],
            PICTURE_KEYS[THUMBNAILS.path],
            THUMBNAIL_BYTES,
            captions="caption",
            rules=RULES[THUMBNAILS.path],
            sound=self._whole,
        )
