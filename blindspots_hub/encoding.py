"""Images to kept codes, and kept codes to the side of a bundle that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import BACKBONE, NATURAL, SAE
from blindspots_hub.assemble import Side
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.images import encode_webp
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.files import copy_folder
from blindspots_hub.measure.store import CodedImages, CodeStore
from blindspots_hub.progress import Event, Work

SHARD = 32
"""Images a shard: what a kill can lose of the encoding, a few seconds on a CPU."""

THUMBNAIL = 112
"""Longer side of a thumbnail in pixels."""

THUMBNAIL_QUALITY = 80
"""webp quality of a thumbnail."""

Load = Callable[[], Image.Image]


def open_space(bundle: Bundle, device: str = "cpu") -> ConceptSpace:
    """The concept space of a bundle: its SAE, and its own backbone or the one of the Hub.

    Raises `BlindspotsError` where they are not those that the bundle was measured with.
    """
    bundle.require(SAE)
    sae = RASAE.from_pretrained(bundle.root / SAE).to(device)
    if BACKBONE in bundle.parts:
        bundle.require(BACKBONE)
        backbone = Backbone.load(bundle.root / BACKBONE, device=device)
    else:
        config = sae.config
        backbone = Backbone.load(config.backbone, config.backbone_revision, device)
    space = ConceptSpace(backbone, sae)
    if space.description != bundle.concept_space:
        raise BlindspotsError(
            f"The bundle {bundle.name} was measured with another backbone or RA-SAE than the one "
            f"in {bundle.root}: fetch the bundle again."
        )
    return space


def code_store(folder: Path, ids: list[str], space: ConceptSpace) -> CodeStore:
    """The store of codes of images `ids` in this concept space."""
    return CodeStore(
        folder,
        ids,
        space.fingerprint,
        space.backbone.layout,
        space.sae.config.n_concepts,
        SHARD,
    )


def encode_shard(
    store: CodeStore, shard: int, space: ConceptSpace, images: Mapping[str, Load]
) -> None:
    """Encode one shard unless it is there; images that cannot be read are kept by their cause."""
    if store.has(shard):
        return
    codes, failed = {}, {}
    for image_id in store.shards[shard]:
        try:
            codes[image_id] = space.encode(images[image_id]())
        except BlindspotsError as error:
            failed[image_id] = str(error)
    store.write(shard, codes, failed)


def encode_all(
    store: CodeStore, space: ConceptSpace, images: Mapping[str, Load], stage: str
) -> Work[CodedImages]:
    """Encode every shard that is not there yet; an event a shard."""
    for shard in range(len(store.shards)):
        yield Event(stage, min(shard * store.shard_size, len(store.ids)), len(store.ids))
        encode_shard(store, shard, space, images)
    yield Event(stage, len(store.ids), len(store.ids))
    return store.load()


def coded_side(
    coded: CodedImages, captions: Mapping[str, str], images: Mapping[str, Load], tokens: str
) -> Side:
    """The side of a bundle that shows these images."""

    def thumbnail(row: int) -> bytes:
        image = images[coded.ids[row]]()
        return encode_webp(image, lossless=False, quality=THUMBNAIL_QUALITY, size=THUMBNAIL)

    return Side(
        ids=coded.ids,
        captions=[captions[image_id] for image_id in coded.ids],
        energies=coded.energies(tokens),
        heat=coded.heat,
        thumbnail=thumbnail,
    )


def kept_side(base: Bundle, ids: Sequence[str]) -> Side:
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
    energies = base.energies(NATURAL).take(rows)
    return Side(list(ids), base.captions(list(ids)), energies, heat, thumbnail)


def copy_space(base: Bundle, out: Path) -> None:
    """Copy the concept space of `base` (SAE and its own backbone) into `out`."""
    for name in (SAE, BACKBONE):
        if (base.root / name).is_dir():
            copy_folder(base.root / name, out / name)
