"""Files of several bundles of one concept space, merged by pair id into those of one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.labels import Label, rows_of, table_of
from blindspots_hub.artifacts.layout import NATURAL, heatmaps_path
from blindspots_hub.artifacts.limits import THUMBNAIL_BYTES
from blindspots_hub.artifacts.parquet import batches_of, read_table
from blindspots_hub.artifacts.picture_table import PictureTable
from blindspots_hub.artifacts.schema import NATURAL_IMAGES, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies, stacked
from blindspots_hub.measure.features import TENSORS, ImageFeatures
from blindspots_hub.measure.token_codes import TokenCodes

ROUNDING = 0.01
"""Share of an image's energy by which two measurements of it may differ: another machine rounds
otherwise, and decides a near tie between two codes the other way. Beyond, it is another image."""

BLOCK = 256
"""Pairs that are in memory at once with their images."""

THUMBNAILS_A_BLOCK = 2_560
FEW_PICTURES = 4 * 1024**2
"""Bytes of thumbnails of each bundle that stay in memory while they are merged."""


@dataclass(frozen=True)
class NaturalImages:
    """The natural images of several bundles as one set, ids ascending.

    Image i is row `row[i]` of bundle `source[i]`, the first bundle that has it. `unlike` are the
    ids of which two bundles hold energies that differ by more than `ROUNDING`.
    """

    ids: list[str]
    captions: list[str]
    source: np.ndarray
    row: np.ndarray
    energies: ImageEnergies
    unlike: list[str]
    features: ImageFeatures | None = None
    """None unless all bundles keep them."""
    token_codes: TokenCodes | None = None
    """The same; of the images of which any bundle keeps them."""

    @classmethod
    def of(cls, bundles: Sequence[Bundle]) -> NaturalImages:
        """Merge the natural images of `bundles`."""
        energies = [bundle.energies(NATURAL) for bundle in bundles]
        place: dict[str, tuple[int, int]] = {}
        caption: dict[str, str] = {}
        twice: dict[int, list[tuple[int, tuple[int, int]]]] = {}
        for number, bundle in enumerate(bundles):
            ids = bundle.image_ids(NATURAL)
            for row, (image, words) in enumerate(zip(ids, bundle.captions(ids), strict=True)):
                if image in place:
                    twice.setdefault(number, []).append((row, place[image]))
                else:
                    place[image], caption[image] = (number, row), words
        ids = sorted(place)
        source, rows = np.array([place[i] for i in ids], np.int64).reshape(-1, 2).T
        everything = stacked(energies)
        starts = np.cumsum([0, *(one.n_images for one in energies)])
        unlike: set[str] = set()
        for number, found in twice.items():
            here = starts[number] + np.array([row for row, _ in found], np.int64)
            first = np.array([starts[n] + row for _, (n, row) in found], np.int64)
            bad = _differ(everything.take(first), everything.take(here))
            own = bundles[number].image_ids(NATURAL)
            unlike |= {own[found[i][0]] for i in np.flatnonzero(bad)}
        return cls(
            ids,
            [caption[i] for i in ids],
            source,
            rows,
            everything.take(starts[source] + rows),
            sorted(unlike),
            _features(bundles, starts[source] + rows),
            _token_codes(bundles, source, rows),
        )

    def columns(self) -> dict[str, Any]:
        """Columns of the table NATURAL_IMAGES."""
        return dict(zip(NATURAL_IMAGES.names, (self.ids, self.captions), strict=True))


def _token_codes(
    bundles: Sequence[Bundle], source: np.ndarray, rows: np.ndarray
) -> TokenCodes | None:
    """Codes of merged image i, row `rows[i]` of bundle `source[i]`, where that one keeps them."""
    found = [bundle.token_codes(NATURAL) for bundle in bundles]
    parts = []
    for number, codes in enumerate(found):
        if codes is None:
            return None
        (own,) = np.nonzero(source == number)
        parts.append((codes, dict(zip(rows[own].tolist(), own.tolist(), strict=True))))
    return TokenCodes.joined(parts)


def _features(bundles: Sequence[Bundle], rows: np.ndarray) -> ImageFeatures | None:
    """Features of `rows` of the natural images of all bundles, one bundle after the other."""
    found = [bundle.features(NATURAL) for bundle in bundles]
    kept = [one for one in found if one is not None]
    if len(kept) < len(found):
        return None
    return ImageFeatures(
        *(np.concatenate([getattr(one, name) for one in kept])[rows] for name in TENSORS)
    )


def _differ(a: ImageEnergies, b: ImageEnergies) -> np.ndarray:
    """Whether each image's energies differ by more than `ROUNDING` of them, bool (images,)."""
    between = np.asarray(abs(a.matrix - b.matrix).sum(axis=1)).ravel()
    larger = np.maximum(a.matrix.sum(axis=1), b.matrix.sum(axis=1))
    return np.asarray(between > ROUNDING * np.asarray(larger).ravel(), bool)


def merged_heatmaps(bundles: Sequence[Bundle], natural: NaturalImages) -> Heatmaps:
    """Heatmaps of the natural images of all bundles; of two of one concept and image the first.

    Bundle by bundle: those of many models show much the same.
    """
    row_of = {image: row for row, image in enumerate(natural.ids)}
    merged: Heatmaps | None = None
    for bundle in bundles:
        part = Heatmaps.load(heatmaps_path(bundle.root, NATURAL))
        here = np.array([row_of[i] for i in bundle.image_ids(NATURAL)], np.int32)
        keys = np.stack([part.keys[:, 0], here[part.keys[:, 1]]], axis=1)
        part = Heatmaps(keys, part.indptr, part.patches, part.values)
        merged = _joined([part] if merged is None else [merged, part])
    if merged is None:
        raise ValueError("no bundle")
    return merged


def _joined(parts: Sequence[Heatmaps]) -> Heatmaps:
    every = np.concatenate([part.keys for part in parts])
    # np.unique gives the first of equal keys, which is that of the first part.
    unique, picked = np.unique(every, axis=0, return_index=True)
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    starts = np.cumsum([0, *lengths])[:-1]
    indptr = np.concatenate([[0], np.cumsum(lengths[picked])]).astype(np.int64)
    at = np.repeat(starts[picked] - indptr[:-1], lengths[picked]) + np.arange(indptr[-1])
    return Heatmaps(
        unique.astype(np.int32).reshape(-1, 2),
        indptr,
        np.concatenate([part.patches for part in parts])[at],
        np.concatenate([part.values for part in parts])[at],
    )


def merged_pairs(bundles: Sequence[Bundle]) -> Iterator[Mapping[str, Any]]:
    """Columns of the table PAIRS by blocks; of a pair that several bundles have, one with image."""
    block: list[dict[str, Any]] = []
    at_once = max(8, BLOCK // max(len(bundles), 1))
    rows = heapq.merge(*(_rows(bundle, at_once) for bundle in bundles), key=itemgetter("pair_id"))
    for _, same in groupby(rows, key=itemgetter("pair_id")):
        found = list(same)
        block.append(next((one for one in found if one["image"] is not None), found[0]))
        if len(block) == BLOCK:
            yield _columns(block)
            block = []
    yield _columns(block)


def _rows(bundle: Bundle, at_once: int) -> Iterator[dict[str, Any]]:
    for batch in batches_of(bundle.files_of(PAIRS), PAIRS.names, at_once):
        yield from batch.to_pylist()


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in PAIRS.names}


def merged_thumbnails(
    bundles: Sequence[Bundle], called: Sequence[Mapping[str, str]]
) -> Iterator[dict[str, list[Any]]]:
    """Columns of the table THUMBNAILS by blocks, by pair, then source; of two of one image the
    first.

    `called` are the sources of each bundle that are wanted, with their names in the result. Only
    the keys of all tables are in memory; images follow in the order of the result, which is nearly
    that of each table.
    """
    first: dict[tuple[str, str], tuple[int, str]] = {}
    tables = []
    for number, (bundle, names) in enumerate(zip(bundles, called, strict=True)):
        paths = bundle.files_of(THUMBNAILS)
        tables.append(
            PictureTable(
                paths,
                ("source", "pair_id"),
                THUMBNAIL_BYTES,
                captions="caption",
                spool=False,
                kept=FEW_PICTURES,
            )
        )
        keys = read_table(paths, ["source", "pair_id"])
        for own, pair_id in zip(*(column.to_pylist() for column in keys.columns), strict=True):
            if own in names:
                first.setdefault((pair_id, names[own]), (number, own))
    order = sorted(first)
    for start in range(0, len(order), THUMBNAILS_A_BLOCK):
        columns: dict[str, list[Any]] = {name: [] for name in THUMBNAILS.names}
        for pair_id, source in order[start : start + THUMBNAILS_A_BLOCK]:
            number, own = first[pair_id, source]
            columns["source"].append(source)
            columns["pair_id"].append(pair_id)
            columns["caption"].append(tables[number].caption(own, pair_id))
            columns["image"].append(
                image_cell(tables[number].image(own, pair_id), f"{pair_id}.webp")
            )
        yield columns


def merged_labels(bundles: Iterable[Bundle]) -> pa.Table:
    """Table LABELS of all bundles; of two names by one method, model and prompt the first."""
    found: dict[tuple[int, str, str | None, str | None], Label] = {}
    for bundle in bundles:
        for one in rows_of(bundle.label_table):
            found.setdefault(one.key, one)
    return table_of(found.values())


def labels_of_same_space(bundle: Bundle, other: Bundle) -> pa.Table:
    """Table LABELS of `bundle` with the names of `other` beside its own.

    Raises `BlindspotsError` where the two are of different concept spaces.
    """
    if bundle.concept_space != other.concept_space:
        raise BlindspotsError(
            f"{other.root} is of another concept space than {bundle.root}: its names are of other "
            "concepts."
        )
    return merged_labels([bundle, other])
