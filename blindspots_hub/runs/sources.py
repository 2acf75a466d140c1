"""Captions with natural images, wherever they come from, behind one small interface."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST
from blindspots_hub.artifacts.schema import PAIRS
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.data.pairs import PairSource, reading_pairs
from blindspots_hub.progress import Work


class CaptionedImages(Protocol):
    """Pairs that a model can be evaluated on."""

    captions: Mapping[str, str]
    """Caption of every usable pair, by pair id."""

    images_at_hand: bool
    """Whether the natural images are here, or only the energies that were measured from them."""

    skipped: Mapping[str, int]
    """Rows of the source that are no pair, by cause."""

    def image(self, pair_id: str) -> bytes | None:
        """The natural image's file, or None where it is not at hand."""

    def columns(self, pair_ids: Sequence[str]) -> dict[str, Any]:
        """Columns of the bundle's table PAIRS for these pairs, in this order."""


class BundlePairs:
    """The pairs of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._table = bundle.pairs
        ids = self._table["pair_id"].to_pylist()
        self.captions: Mapping[str, str] = dict(
            zip(ids, self._table["caption"].to_pylist(), strict=True)
        )
        self._row = {pair_id: row for row, pair_id in enumerate(ids)}
        self.images_at_hand = self._table["image"].null_count == 0
        self.skipped: Mapping[str, int] = {}

    def image(self, pair_id: str) -> bytes | None:
        """The natural image's file, or None where the bundle does not redistribute it."""
        cell = self._table["image"][self._row[pair_id]].as_py()
        return None if cell is None else cell["bytes"]

    def columns(self, pair_ids: Sequence[str]) -> dict[str, Any]:
        """The rows of these pairs, as they stand in the bundle."""
        index = pc.index_in(pa.array(pair_ids, pa.string()), value_set=self._table["pair_id"])
        rows = self._table.take(index).combine_chunks()
        return {name: rows[name] for name in PAIRS.names}


class OwnPairs:
    """Pairs that a user brought: a folder, a table, or a Hub dataset."""

    images_at_hand = True

    def __init__(self, source: PairSource) -> None:
        self._source = source
        self.captions: Mapping[str, str] = dict(source.ids_and_captions)
        self.skipped: Mapping[str, int] = {str(k): n for k, n in source.skipped.items()}

    def image(self, pair_id: str) -> bytes | None:
        """The natural image's file."""
        return self._source.image(pair_id)

    def columns(self, pair_ids: Sequence[str]) -> dict[str, Any]:
        """The pairs with their images, ready to be shared."""
        pairs = [self._source.pair(pair_id) for pair_id in pair_ids]
        contents = [pair.image or b"" for pair in pairs]
        return {
            "pair_id": list(pair_ids),
            "caption": [pair.caption for pair in pairs],
            "url": [pair.url for pair in pairs],
            "image": [
                image_cell(content, pair.pair_id)
                for pair, content in zip(pairs, contents, strict=True)
            ],
            "image_sha256": [hashlib.sha256(content).hexdigest() for content in contents],
            "image_size": [len(content) for content in contents],
        }


def open_pairs(
    source: str | Path | None, base: Bundle, seed: int = 0, all_captions: bool = False
) -> Work[CaptionedImages]:
    """The pairs of `base` where `source` is None, else those of `own_pairs`."""
    if source is None:
        return BundlePairs(base)
    return (yield from own_pairs(source, seed, all_captions))


def own_pairs(
    source: str | Path, seed: int = 0, all_captions: bool = False
) -> Work[CaptionedImages]:
    """The pairs of a bundle in a folder, or of what `reading_pairs` reads."""
    folder = Path(source).expanduser()
    if (folder / MANIFEST).is_file():
        return BundlePairs(load_bundle(folder))
    pairs = yield from reading_pairs(source, seed=seed, all_captions=all_captions)
    return OwnPairs(pairs)
