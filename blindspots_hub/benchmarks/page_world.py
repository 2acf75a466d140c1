"""The bundle of `benchmark analyses` with all that a page reads besides: pictures, heat, names."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageDraw

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.labels import named
from blindspots_hub.artifacts.layout import NATURAL, SAE_WEIGHTS, energies_path, heatmaps_path
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    GENERATIONS,
    LABELS,
    NATURAL_IMAGES,
    PAIRS,
    THUMBNAILS,
)
from blindspots_hub.artifacts.writer import image_cell, write_manifest, write_table
from blindspots_hub.benchmarks import analyses_world
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.progress import Event, Work

SIDE = 128
"""Pixels of a thumbnail."""

DISTINCT_PICTURES = 256
PADDING = 1_500
"""Bytes behind each picture, of its own: thumbnails of photographs are some 2.5 kB, all unlike."""

CLUSTER = 250
"""Concepts of a cluster of the map."""

PATCHES = 6
"""Patches on which a concept fires in an image that a card shows."""

_ROOTS = (
    *("bird", "wood", "glass", "palm", "shadow", "coat", "kettle", "brick", "sand", "rope"),
    *("window", "apple", "dog", "cat", "hand", "cloud", "cloth", "spoon", "lamp", "clock"),
    *("bottle", "chair", "river", "stone", "paper", "metal", "garden", "train", "bridge"),
)


def made(root: Path, pairs: int, n_concepts: int, models: int, seed: int = 0) -> Work[Bundle]:
    """Write the bundle below `root`: every table that a page reads, in the true format."""
    bundle = yield from analyses_world.made(root, pairs, n_concepts, models, seed)
    rng = np.random.default_rng(seed + 1)
    ids = bundle.image_ids(NATURAL)
    captions = _captions(pairs, rng)
    write_table(root, NATURAL_IMAGES, {"pair_id": ids, "caption": captions})
    url = [f"https://example.org/{one}.jpg" for one in ids]
    nothing = [None] * pairs
    kept = {"image": nothing, "image_sha256": ["0" * 64] * pairs}
    columns = {"pair_id": ids, "caption": captions, "url": url, "image_size": [1] * pairs, **kept}
    write_table(root, PAIRS, columns)
    _write_map(root, bundle, rng)
    shown = _shown(bundle)
    for number, source in enumerate((NATURAL, *bundle.models)):
        yield Event("make pictures", number, models + 1)
        energies = ImageEnergies.load(energies_path(root, source))
        _heat(energies, shown, rng).save(heatmaps_path(root, source))
        if source != NATURAL:
            made_images = {
                "pair_id": ids, "draw": [0] * pairs, "seed": [7] * pairs, **kept,
                "flags": [[]] * pairs, "status": ["ok"] * pairs,
            }  # fmt: skip
            write_table(root, GENERATIONS, made_images, source)
    _write_thumbnails(root, ids, captions, [NATURAL, *bundle.models], rng)
    (root / SAE_WEIGHTS).unlink()  # random atoms without the settings that a true RA-SAE has
    manifest = bundle.manifest.to_json()
    fields = {n: manifest[n] for n in ("name", "version", "concept_space", "models")}
    write_manifest(root, fields)
    yield Event("make pictures", models + 1, models + 1)
    return Bundle(root)


def _words(n: int) -> list[str]:
    """Distinct words that look like ones."""
    endings = ["", "s", "er", "ish", "let", "ful", "work", "stand", "line", "top"]
    return [
        f"{_ROOTS[k % len(_ROOTS)]}{endings[k // len(_ROOTS) % len(endings)]}"
        + (f"{k // (len(_ROOTS) * len(endings))}" if k >= len(_ROOTS) * len(endings) else "")
        for k in range(n)
    ]


def _captions(pairs: int, rng: np.random.Generator) -> list[str]:
    words = np.array(_words(3_000))
    popular = rng.zipf(1.3, (pairs, 9)).clip(max=len(words)) - 1
    return [" ".join(line) for line in words[popular]]


def _write_map(root: Path, bundle: Bundle, rng: np.random.Generator) -> None:
    n = bundle.n_concepts
    centres = rng.normal(0, 6, (max(n // CLUSTER, 3), 2))
    cluster = rng.integers(0, len(centres), n)
    xy = (centres[cluster] + rng.normal(0, 0.6, (n, 2))).astype(np.float32)
    kept = {name: bundle.concepts[name] for name in CONCEPTS.names if name != "label"}
    place = {"x": xy[:, 0], "y": xy[:, 1], "cluster": cluster.astype(np.int32)}
    write_table(root, CONCEPTS, {**kept, **place})
    words = _words(400)
    labels = [words[(7 * cluster[k] + k) % len(words)] for k in range(n)]
    write_table(root, LABELS, named(labels, "synthetic").to_pydict())


def _shown(bundle: Bundle) -> np.ndarray:
    """(concept, row of the image) of everything that some card shows, int64 (m, 2)."""
    ids = pa.array(bundle.image_ids(NATURAL))
    found = []
    for model in bundle.models:
        table = bundle.deltas(model)
        for name in ("top_natural", "top_generated"):
            column = table[name].combine_chunks()
            rows = pc.index_in(column.flatten(), value_set=ids).to_numpy()
            concepts = pc.list_parent_indices(column).to_numpy()
            found.append(np.stack([concepts, rows], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _heat(energies: ImageEnergies, shown: np.ndarray, rng: np.random.Generator) -> Heatmaps:
    values = np.asarray(energies.matrix[shown[:, 1], shown[:, 0]]).ravel()
    kept = values > 0
    keys, values = shown[kept], values[kept]
    first = rng.integers(0, 256 - PATCHES, len(keys))
    return Heatmaps(
        keys.astype(np.int32),
        np.arange(len(keys) + 1, dtype=np.int64) * PATCHES,
        (first[:, None] + np.arange(PATCHES)).ravel().astype(np.uint16),
        np.repeat(values / PATCHES, PATCHES).astype(np.float16),
    )


def _write_thumbnails(
    root: Path, ids: list[str], captions: list[str], sources: list[str], rng: np.random.Generator
) -> None:
    pictures = [_picture(rng) for _ in range(DISTINCT_PICTURES)]

    def rows(start: int, end: int) -> dict[str, list[object]]:
        keys = [(row, number) for row in range(start, end) for number in range(len(sources))]
        return {
            "source": [sources[number] for _, number in keys],
            "pair_id": [ids[row] for row, _ in keys],
            "caption": [captions[row] for row, _ in keys],
            "image": [
                image_cell(
                    pictures[(row + 37 * number) % len(pictures)] + rng.bytes(PADDING),
                    f"{ids[row]}.webp",
                )
                for row, number in keys
            ],
        }

    step = 1_000
    blocks = (rows(start, min(start + step, len(ids))) for start in range(0, len(ids), step))
    write_table(root, THUMBNAILS, blocks)


def _picture(rng: np.random.Generator) -> bytes:
    """Some shapes on a ground, as a small webp."""
    colours = [tuple(int(c) for c in rng.integers(40, 230, 3)) for _ in range(4)]
    image = Image.new("RGB", (SIDE, SIDE), colours[0])
    pen = ImageDraw.Draw(image)
    for colour in colours[1:]:
        x, y, w, h = (int(v) for v in rng.integers(10, 90, 4))
        pen.ellipse((x, y, x + w, y + h), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
