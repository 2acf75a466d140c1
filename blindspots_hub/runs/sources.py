"""Captions with natural images, wherever they come from, behind one small interface."""

from __future__ import annotations

import csv
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST
from blindspots_hub.artifacts.schema import PAIRS
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.many import Web
from blindspots_hub.data.pairs import PairSource, reading_pairs
from blindspots_hub.data.sampling.about import read_sample
from blindspots_hub.data.sampling.sample import sampling
from blindspots_hub.data.sampling.tables import table_identity
from blindspots_hub.data.sources.rows import OnlyAddresses, SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Work
from blindspots_hub.utils.cache import cache_folder
from blindspots_hub.utils.files import atomic, fingerprint
from blindspots_hub.utils.folder_lock import FolderInUse
from blindspots_hub.utils.spreadsheet import no_formula


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
        self._rows, self._images = bundle.pair_rows, bundle.pictures_in_order(PAIRS)
        ids = self._rows["pair_id"].to_pylist()
        self.captions: Mapping[str, str] = dict(
            zip(ids, self._rows["caption"].to_pylist(), strict=True)
        )
        self.images_at_hand = self._rows["image"].null_count == 0
        self.skipped: Mapping[str, int] = {}

    def image(self, pair_id: str) -> bytes | None:
        """The natural image's file, or None where the bundle does not redistribute it."""
        return self._images.image(pair_id)

    def columns(self, pair_ids: Sequence[str]) -> dict[str, Any]:
        """The rows of these pairs, as they stand in the bundle."""
        index = pc.index_in(pa.array(pair_ids, pa.string()), value_set=self._rows["pair_id"])
        rows = self._rows.take(index).combine_chunks()
        cells = [
            None if path is None else image_cell(self._images.image(pair_id), path["path"])
            for pair_id, path in zip(pair_ids, rows["image"].to_pylist(), strict=True)
        ]
        return {name: cells if name == "image" else rows[name] for name in PAIRS.names}


class OwnPairs:
    """Pairs that a user brought: a folder, a table, or a Hub dataset."""

    images_at_hand = True

    def __init__(self, source: PairSource) -> None:
        self._source = source
        self.skipped_rows = source.skipped_rows
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
    source: str | Path | None,
    base: Bundle,
    seed: int = 0,
    all_captions: bool = False,
    options: SourceOptions | None = None,
    wanted: int | None = None,
) -> Work[CaptionedImages]:
    """The pairs of `base` where `source` is None, else those of `own_pairs`."""
    if source is None:
        _no_options(options)
        return BundlePairs(base)
    return (yield from own_pairs(source, seed, all_captions, options, wanted))


def own_pairs(
    source: str | Path,
    seed: int = 0,
    all_captions: bool = False,
    options: SourceOptions | None = None,
    wanted: int | None = None,
) -> Work[CaptionedImages]:
    """The pairs of a bundle in a folder, or of what `reading_pairs` reads.

    Of a table of captions and addresses `wanted` pairs are fetched (all that were fetched before
    where it is None), into the user's cache: whoever asks again gets the same.
    """
    folder = Path(source).expanduser()
    if (folder / MANIFEST).is_file():
        _no_options(options)
        return BundlePairs(load_bundle(folder))
    read = partial(reading_pairs, seed=seed, all_captions=all_captions, options=options)
    try:
        pairs = yield from read(source)
    except OnlyAddresses:
        place = yield from _fetched(source, seed, options or SourceOptions(), wanted)
        pairs = yield from reading_pairs(place, wanted)
    return OwnPairs(pairs)


def _no_options(options: SourceOptions | None) -> None:
    """Raise where `options` say how other sources are read: the pairs of a bundle are known."""
    given = [one.name for one in fields(options) if getattr(options, one.name)] if options else []
    if given:
        raise BlindspotsError(
            f"--{given[0].replace('_', '-')} says how --pairs-from is read, and the pairs of a "
            "bundle need nothing of the kind: leave it out, or name another source."
        )


def _fetched(
    source: str | Path, seed: int, options: SourceOptions, wanted: int | None
) -> Work[Path]:
    """The folder of a sample of a table of addresses, of `wanted` pairs at least."""
    known = {"table": table_identity(source), "seed": seed, "caption": options.caption_column}
    if options.ignore_robots_txt:
        known["robots_txt"] = False
    web = Web(FetchLimits(robots_txt=not options.ignore_robots_txt))
    folder = cache_folder("pairs") / fingerprint(known)[:32]
    about = read_sample(folder) or {}
    have = int(about.get("pairs") or 0)
    if wanted is None and not have:
        raise OnlyAddresses(
            f"{source} has addresses of images and no images, and none were fetched before: name "
            "how many --pairs are wanted."
        )
    while have < (wanted or 0):
        try:
            yield from sampling(
                source, folder, wanted or 0, seed, web=web, caption_column=options.caption_column
            )
            break
        except FolderInUse:
            if int(os.environ.get("WORLD_SIZE", "1")) == 1:
                raise
            time.sleep(1)  # another process of this run is fetching them
    return folder


def write_skipped(source: CaptionedImages, path: str | Path | None) -> None:
    """List what of `source` is no pair in a CSV file, a row each: cause and where.

    Nothing where `path` is None; of several processes the first writes it.
    """
    if path is None or int(os.environ.get("RANK", "0")):
        return
    rows = getattr(source, "skipped_rows", [])
    told = [(cause, no_formula(where)) for cause, where in rows]
    with atomic(Path(path)) as file, open(file, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("cause", "where"), *told])
