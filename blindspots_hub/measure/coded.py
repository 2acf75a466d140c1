"""Codes of many images, in memory or in the shards of a store, and what is summed from them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import overload

import numpy as np

from blindspots_hub.concepts.codes import ImageCodes, SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.settings import check_tokens
from blindspots_hub.measure.sums import ImageSums
from blindspots_hub.measure.token_codes import IMAGES, TokenCodes

KEPT_SHARDS = 4
"""Shards that stay in memory: whoever goes through images in their order needs one."""


@dataclass(frozen=True)
class Shard:
    """Codes of the images of one shard, their energies over patches, and kept thumbnails."""

    codes: list[SparseCodes]
    energies: ImageEnergies
    thumbnails: list[bytes] | None


class KeptCodes(Sequence[SparseCodes]):
    """Codes of images by their places in a store, read when they are asked for.

    `shard` and `row` (N,) say where each image lies; `read` gives a shard.
    """

    def __init__(self, shard: np.ndarray, row: np.ndarray, read: Callable[[int], Shard]) -> None:
        self._shard, self._row, self._read = shard, row, read
        self._kept: OrderedDict[int, Shard] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._shard)

    @overload
    def __getitem__(self, place: int) -> SparseCodes: ...
    @overload
    def __getitem__(self, place: slice) -> KeptCodes: ...
    def __getitem__(self, place: int | slice) -> SparseCodes | KeptCodes:
        if isinstance(place, slice):
            return KeptCodes(self._shard[place], self._row[place], self._read)
        return self._of(place).codes[int(self._row[place])]

    def take(self, rows: np.ndarray) -> KeptCodes:
        """The images in these places, in this order."""
        return KeptCodes(self._shard[rows], self._row[rows], self._read)

    def sums(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Concepts and energies of an image over its patches, as `SparseCodes.energies` gives."""
        energies, row = self._of(place).energies, int(self._row[place])
        span = slice(int(energies.indptr[row]), int(energies.indptr[row + 1]))
        return energies.concepts[span].copy(), energies.energies[span].copy()

    def thumbnail(self, place: int) -> bytes | None:
        """The thumbnail of an image; None where none was kept."""
        kept = self._of(place).thumbnails
        return (kept[int(self._row[place])] or None) if kept is not None else None

    def _of(self, place: int) -> Shard:
        number = int(self._shard[place])
        with self._lock:
            if number not in self._kept:
                self._kept[number] = self._read(number)
                while len(self._kept) > KEPT_SHARDS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
            return self._kept[number]


@dataclass(frozen=True)
class Failure:
    """Why an image has no codes: the cause to count it by, and a sentence about this one."""

    cause: str
    reason: str


@dataclass(frozen=True)
class CodedImages:
    """Codes of images that have some, in the order of `ids`; `failed` names the others.

    Whoever asks for many goes through them in that order: `codes` may be read shard by shard.
    """

    ids: list[str]
    codes: Sequence[SparseCodes]
    failed: dict[str, Failure]
    layout: TokenLayout
    n_concepts: int
    looks: np.ndarray | None = None
    """How each image looks to its concept space (`concepts.domain`), where that was kept."""
    features: ImageFeatures | None = None
    """Tokens of each image, where they were kept."""
    sums: ImageSums | None = None
    """Of the codes, where they were summed already."""

    @classmethod
    def of(
        cls,
        codes: Mapping[str, SparseCodes],
        failed: dict[str, Failure],
        layout: TokenLayout,
        n_concepts: int,
    ) -> CodedImages:
        """From the codes of every image, by id."""
        looks, features = (stacked_beside(list(codes.values()), name) for name in BESIDE)
        kept = None if features is None else ImageFeatures.stacked(features)
        return cls(list(codes), list(codes.values()), failed, layout, n_concepts, looks, kept)

    def summed(self, tokens: str) -> ImageSums:
        """Energies over the `tokens` of every image, and what fires where: summed once."""
        check_tokens(tokens)
        if self.sums is not None and self.sums.tokens == tokens:
            return self.sums
        kept = self.codes.sums if isinstance(self.codes, KeptCodes) else None
        return ImageSums.of(self.codes, self.layout, self.n_concepts, tokens, kept)

    def energies(self, tokens: str) -> ImageEnergies:
        """Concept energies ξ of every image over its `tokens` (METHOD: section 3)."""
        return self.summed(tokens).energies

    def token_codes(self, ids: Sequence[str], tokens: str, images: int = IMAGES) -> TokenCodes:
        """Codes of the `tokens` that energies sum, of some images; `ids` decide of which."""
        patches = self.layout.patches

        def measured(row: int) -> SparseCodes:
            codes = self.codes[row]
            return codes.rows(patches.start, patches.stop) if tokens == "patches" else codes

        return TokenCodes.of(ids, measured, self.n_concepts, images)

    def heat(self, row: int, concept: int) -> tuple[np.ndarray, np.ndarray]:
        """Patches (indices, ascending) on which `concept` fires in image `row`, and the codes."""
        codes, patches = self.codes[row], self.layout.patches
        (here,) = (codes.concepts == concept).nonzero()
        tokens = codes.indptr.searchsorted(here, "right") - 1
        kept = (tokens >= patches.start) & (tokens < patches.stop)
        return tokens[kept] - patches.start, codes.values[here[kept]]

    def thumbnail(self, row: int) -> bytes | None:
        """The thumbnail of an image, where one was kept when it was encoded."""
        return self.codes.thumbnail(row) if isinstance(self.codes, KeptCodes) else None

    def take(self, ids: Sequence[str]) -> CodedImages:
        """Keep the images named, in that order."""
        row = {image_id: i for i, image_id in enumerate(self.ids)}
        rows = [row[image_id] for image_id in ids]
        if isinstance(self.codes, KeptCodes):
            kept: Sequence[SparseCodes] = self.codes.take(np.array(rows, np.int64))
        else:
            kept = [self.codes[i] for i in rows]
        return CodedImages(
            list(ids),
            kept,
            self.failed,
            self.layout,
            self.n_concepts,
            None if self.looks is None else self.looks[rows],
            None if self.features is None else self.features.take(np.array(rows, np.int64)),
            None if self.sums is None else self.sums.take(np.array(rows, np.int64)),
        )


BESIDE = {"looks": "look", "features": "features"}
"""Tensors of a shard beside the codes, and the fields of `ImageCodes` that they stack."""


def stacked_beside(codes: Sequence[SparseCodes], name: str) -> np.ndarray | None:
    """A tensor of `BESIDE` over the images; None where one of them has none, or there are none."""
    rows = [getattr(one, BESIDE[name]) for one in codes if isinstance(one, ImageCodes)]
    known = [row for row in rows if row is not None]
    return np.stack(known) if known and len(known) == len(codes) else None
