"""Inputs of a lab's size, made from a seed: kept codes of many pairs, and many checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import THUMBNAILS
from blindspots_hub.artifacts.writer import image_cell, write_manifest, write_table
from blindspots_hub.benchmarks.synthetic import LAYOUT
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.measure.store import CodeStore
from blindspots_hub.runs.encoding import SHARD
from blindspots_hub.utils.files import share_or_copy

SIDES = ("natural", "generated")
CODES = 5
"""Concepts that fire on a token (the paper's k)."""

IN_AN_IMAGE = 600
"""Concepts that an image's tokens draw from, so that some 530 fire in it."""

THUMBNAIL_BYTES = 2_400
"""Bytes of a thumbnail of a photograph."""

MODEL = "model-0"
"""The one model of the bundle that checkpoints are made of."""


def stores(folder: Path, pairs: int, n_concepts: int) -> dict[str, CodeStore]:
    """The stores of codes of both sides of so many pairs, written or not."""
    ids = [f"{number:08d}" for number in range(pairs)]
    return {side: CodeStore(folder / side, ids, "", LAYOUT, n_concepts, SHARD) for side in SIDES}


def write_codes(folder: Path, pairs: int, n_concepts: int, seed: int = 0) -> Iterator[int]:
    """Write the codes, as encoding does, and yield how many pairs are there.

    Half of a counterpart's concepts are those of its natural image.
    """
    rng = np.random.default_rng(seed)
    popular = np.cumsum(rng.lognormal(0, 1.25, n_concepts))
    both = stores(folder, pairs, n_concepts)
    some = min(IN_AN_IMAGE, n_concepts // 2)
    for shard in range(len(both["natural"].shards)):
        ids = both["natural"].ids_of(shard)
        drawn = np.searchsorted(popular, rng.random((len(ids), 2 * some)) * popular[-1])
        for number, store in enumerate(both.values()):
            own = drawn[:, number * some // 2 : number * some // 2 + some]
            codes = {i: _codes(own[row], n_concepts, rng) for row, i in enumerate(ids)}
            small = {i: b"RIFF" + rng.bytes(THUMBNAIL_BYTES) for i in ids}
            store.write(shard, codes, {}, small)
        yield min((shard + 1) * SHARD, pairs)


def _codes(concepts: np.ndarray, n_concepts: int, rng: np.random.Generator) -> SparseCodes:
    """One image: on each token concepts that lie side by side among the image's own."""
    first = rng.integers(0, len(concepts) - CODES, LAYOUT.tokens)
    fires = np.sort(np.sort(concepts)[first[:, None] + np.arange(CODES)], axis=1)
    new = np.concatenate([np.ones((len(fires), 1), bool), np.diff(fires, axis=1) > 0], axis=1)
    values = rng.gamma(2.0, 0.5, fires.shape).astype(np.float32) + np.float32(0.01)
    indptr = np.concatenate([[0], np.cumsum(new.sum(axis=1))]).astype(np.int64)
    return SparseCodes(indptr, fires[new].astype(np.int32), values[new], n_concepts)


def checkpoints(base: Bundle, folder: Path, count: int) -> list[Path]:
    """Bundles of one checkpoint each, over the same pairs: `base` with its model called anew.

    Their files are those of `base` under further names; only thumbnails and manifest are written.
    """
    entry = base.models[MODEL]
    roots = []
    for number in range(count):
        name, root = f"step-{number:04d}", folder / f"step-{number:04d}"
        for own in base.manifest.files:
            if not own.startswith("deltas/thumbnails"):
                share_or_copy(base.root / own, root / own.replace(MODEL, name))
        _write_thumbnails(base, root, name, number)
        given = base.manifest.to_json()
        fields = {key: given[key] for key in ("version", "concept_space")}
        models = [replace(entry, name=name, title=f"Step {number}").to_json()]
        known = {own.replace(MODEL, name): one for own, one in base.manifest.files.items()}
        known = {own: one for own, one in known.items() if own != THUMBNAILS.path}
        write_manifest(root, {**fields, "name": name, "models": models}, known)
        roots.append(root)
    return roots


def _write_thumbnails(base: Bundle, root: Path, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = base.image_ids(MODEL)
    captions = base.captions(ids)
    blocks = (
        {
            "source": ["natural", name] * len(ids[start : start + 1_000]),
            "pair_id": np.repeat(ids[start : start + 1_000], 2).tolist(),
            "caption": np.repeat(captions[start : start + 1_000], 2).tolist(),
            "image": [
                image_cell(b"RIFF" + rng.bytes(THUMBNAIL_BYTES), "x.webp")
                for _ in range(2 * len(ids[start : start + 1_000]))
            ],
        }
        for start in range(0, len(ids), 1_000)
    )
    write_table(root, THUMBNAILS, blocks)


def opened(root: Path) -> Bundle:
    """A bundle as a page opens it."""
    return load_bundle(root)
