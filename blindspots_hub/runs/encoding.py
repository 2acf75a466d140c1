"""Images to kept codes, and kept codes to the side of a bundle that shows them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.images import encode_webp
from blindspots_hub.measure.coded import CodedImages, Failure
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.store import CodeStore
from blindspots_hub.measure.token_codes import TokenCodes
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.assemble import EncodedImages
from blindspots_hub.runs.domain_check import warned
from blindspots_hub.runs.gpu_work import encode
from blindspots_hub.runs.loading import ImageLoader, Pixels, loading
from blindspots_hub.runs.pairing import Paired
from blindspots_hub.utils.distributed import ALONE, Processes, everyones
from blindspots_hub.utils.files import fingerprint

SHARD = 32
"""Images a shard: what a kill can lose of the encoding, a few seconds on a CPU."""

THUMBNAIL = 112
"""Longer side of a thumbnail in pixels."""

THUMBNAIL_QUALITY = 80
"""webp quality of a thumbnail."""

THUMBNAIL_METHOD = 1
"""webp's effort for a thumbnail: two thirds of the time of its default, and 11% more bytes."""


def code_store(
    folder: Path,
    ids: list[str],
    space: ConceptSpace,
    images_a_pair: int = 1,
    contents: str | None = None,
) -> CodeStore:
    """The store of codes of images `ids` in this concept space, `SHARD` pairs a shard.

    `contents`, a hash of the images, is given where others may call other images by these ids.
    """
    return CodeStore(
        folder,
        ids,
        space.kept_as if contents is None else fingerprint([space.kept_as, contents]),
        space.backbone.layout,
        space.sae.config.n_concepts,
        SHARD * images_a_pair,
    )


def encode_shards(
    store: CodeStore,
    shards: Sequence[int],
    space: ConceptSpace,
    images: Mapping[str, ImageLoader],
) -> Generator[int, None, None]:
    """Encode those of `shards` that are not there yet, and yield the number of each in turn.

    While one is encoded, the images of the next are loaded, and their thumbnails are made, as they
    are decoded then. An image that has no codes is kept by
    its cause: that of `NoImage`, `unreadable`, or `not_encoded` where the networks refused it.
    """
    missing = [shard for shard in shards if not store.has(shard)]
    parts = {shard: _parts(store.shards[shard]) for shard in missing}
    thumbnails: dict[str, bytes] = {}

    def beside(image_id: str, image: Image.Image) -> None:
        thumbnails[image_id] = thumbnail_of(image)

    loaded = loading(
        (part for shard in missing for part in parts[shard]),
        images,
        space.backbone.preprocess,
        beside,
    )
    try:
        for shard in shards:
            if shard in parts:
                found: dict[str, SparseCodes | Failure] = {}
                for _ in parts[shard]:
                    found |= _encoded(space, next(loaded))
                failed = {i: one for i, one in found.items() if isinstance(one, Failure)}
                codes = {i: one for i, one in found.items() if not isinstance(one, Failure)}
                small = {i: thumbnails.pop(i, b"") for i in found}
                store.write(shard, codes, failed, small)
            yield shard
    finally:
        loaded.close()


def thumbnail_of(image: Image.Image) -> bytes:
    """A small webp, as cards show it."""
    return encode_webp(
        image,
        lossless=False,
        quality=THUMBNAIL_QUALITY,
        size=THUMBNAIL,
        method=THUMBNAIL_METHOD,
    )


def _parts(ids: list[str]) -> list[list[str]]:
    """A shard's images in the portions that memory holds at once."""
    return [ids[start : start + SHARD] for start in range(0, len(ids), SHARD)]


def _encoded(space: ConceptSpace, loaded: dict[str, Pixels]) -> dict[str, SparseCodes | Failure]:
    pixels = {i: one for i, one in loaded.items() if not isinstance(one, Failure)}
    codes = dict(zip(pixels, encode(space, list(pixels.values())), strict=True))
    return {
        image_id: one if isinstance(one, Failure) else _told(codes[image_id])
        for image_id, one in loaded.items()
    }


def _told(encoded: SparseCodes | str) -> SparseCodes | Failure:
    return Failure("not_encoded", encoded) if isinstance(encoded, str) else encoded


def encode_all(
    store: CodeStore,
    space: ConceptSpace,
    images: Mapping[str, ImageLoader],
    stage: str,
    processes: Processes = ALONE,
    side: str | None = None,
    tokens: str | None = None,
) -> Work[CodedImages]:
    """Encode every shard that is not there yet; an event a shard.

    Several `processes` share the shards, and each returns all of them; events tell of its own. The
    first shard's warns where the images of that `side` are none that the space was trained for.
    Where `tokens` are named, codes are summed over them, by each process for its share.
    """
    mine = range(processes.rank, len(store.shards), processes.count)
    total = sum(len(store.shards[shard]) for shard in mine)
    done = 0
    yield Event(stage, done, total)
    for shard in encode_shards(store, mine, space, images):
        first = done == 0 and side is not None
        done += len(store.shards[shard])
        told = warned(space.domain, str(side), store.load([shard])) if first else {}
        yield Event(stage, done, total, told)
    return load_shared(store, processes, tokens)


def load_shared(store: CodeStore, processes: Processes, tokens: str | None = None) -> CodedImages:
    """All images of a store, in every process: each reads and sums its own shards alone."""
    mine = range(processes.rank, len(store.shards), processes.count)
    every = everyones(processes, [store.part(shard, tokens) for shard in mine])
    parts = [part for own in every for part in own]
    return store.joined(sorted(parts, key=lambda part: part.shard))


def coded_side(
    coded: CodedImages,
    captions: Mapping[str, str],
    images: Mapping[str, ImageLoader],
    tokens: str,
    ids: list[str] | None = None,
) -> EncodedImages:
    """The side of a bundle that shows these images; `ids` where they are not known by their own."""

    def thumbnail(row: int) -> bytes:
        return coded.thumbnail(row) or thumbnail_of(images[coded.ids[row]]())

    sums = coded.summed(tokens)
    return EncodedImages(
        ids=ids or coded.ids,
        captions=[captions[image_id] for image_id in coded.ids],
        energies=sums.energies,
        heat=coded.heat,
        thumbnail=thumbnail,
        features=coded.features,
        token_fires=sums.token_fires,
        token_codes=coded.token_codes(ids or coded.ids, tokens),
    )


def generated_side(
    coded: CodedImages,
    paired: Paired,
    captions: Mapping[str, str],
    images: Mapping[str, ImageLoader],
    tokens: str,
) -> EncodedImages:
    """The side of a bundle whose images are pairs, each of one generation or more.

    A pair's energies are the mean of its generations'; heatmap, thumbnail and features are those of
    the first of them.
    `captions` and `images` are by generation.
    """
    first = coded.take([names[0] for names in paired.generations.values()])
    shown = coded_side(first, captions, images, tokens, list(paired.generations))
    rows, pair = paired.rows(coded.ids)
    once = len(rows) == len(first.ids)
    energies = shown.energies if once else coded.energies(tokens).take(rows)
    generation_energies = GenerationEnergies(energies, pair)
    several = generation_energies if generation_energies.several else None
    return replace(
        shown,
        energies=generation_energies.mean,
        generation_energies=several,
    )


def kept_side(base: Bundle, ids: Sequence[str]) -> EncodedImages:
    """The natural side from what a bundle keeps, where it does not redistribute the images."""
    order = {pair_id: row for row, pair_id in enumerate(base.image_ids(NATURAL))}
    grid = base.grid

    def heat(row: int, concept: int) -> tuple[np.ndarray, np.ndarray]:
        kept = base.heatmap(NATURAL, concept, ids[row])
        flat = np.zeros(grid[0] * grid[1], np.float32) if kept is None else kept.ravel()
        patches = np.flatnonzero(flat)
        return patches, flat[patches]

    def thumbnail(row: int) -> bytes | None:
        found = base.thumbnail(NATURAL, ids[row])
        return None if found is None else found.image

    rows = np.array([order[pair_id] for pair_id in ids], np.int64)
    features, codes = base.features(NATURAL), base.token_codes(NATURAL)
    here = dict(zip(rows.tolist(), range(len(ids)), strict=True))
    return EncodedImages(
        list(ids),
        base.captions(list(ids)),
        base.energies(NATURAL).take(rows),
        heat,
        thumbnail,
        features=None if features is None else features.take(rows),
        token_codes=None if codes is None else TokenCodes.joined([(codes, here)]),
    )
