"""A bundle in the true format whose numbers are drawn at random, as large as a test wants it.

The energies are sampled, everything else follows from them as it would in an evaluation: tables
come from `measure`, top images from `top_images`, files are written by `artifacts.writer`. Images
are plain PIL drawings; heatmaps put the energy on a few patches around one spot of each image.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.labels import named
from blindspots_hub.artifacts.layout import NATURAL, energies_path, heatmaps_path
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    LABELS,
    NATURAL_IMAGES,
    PAIR_DISTANCES,
    PAIRS,
    THUMBNAILS,
)
from blindspots_hub.artifacts.writer import image_cell, write_manifest, write_table
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import duplicates, top_images
from blindspots_hub.measure.null import null_p, null_share
from blindspots_hub.measure.settings import METHOD
from blindspots_hub.measure.table import MeasureSettings, count_states, measured
from blindspots_hub.utils.files import write_json

GRID = (16, 16)
WORDS = (
    "bird feeder", "wood texture", "glossy disc", "frying pan", "palm tree", "blank page",
    "shadow", "coat hanger", "kettle", "brick wall", "sand", "rope", "window", "green apple",
    "dog", "cat", "hand", "cloud", "striped cloth", "spoon", "lamp", "clock", "bottle", "chair",
)  # fmt: skip
HOSTILE = '<img src=x onerror="window.hacked=1"> & {{value}} ${window.hacked=2} <b>"quoted"</b>'
"""A caption and a label that a careless page would run."""


@dataclass(frozen=True)
class Synthetic:
    """What to write. `models` maps names to titles; those in `unpaired` have images of their own.

    Only the first `live` concepts ever fire, all of them where it is None.
    `missing` is the share of thumbnails left out; `hostile` puts `HOSTILE` into one caption and
    the label of concept 0.
    """

    n_concepts: int = 300
    pairs: int = 200
    live: int | None = None
    models: dict[str, str] = field(
        default_factory=lambda: {"plain-a": "Plain A", "plain-b": "Plain B", "plain-c": "Plain C"}
    )
    unpaired: tuple[str, ...] = ()
    fires_per_image: int = 60
    missing: float = 0.0
    hostile: bool = False
    side: int = 112
    seed: int = 0
    name: str = "synthetic"
    concept_seed: int = 0


def write_synthetic(root: Path, spec: Synthetic = Synthetic()) -> Path:
    """Write the bundle `spec` to `root`, which must not exist, and return it."""
    rng = np.random.default_rng(spec.seed)
    space = np.random.default_rng(spec.concept_seed)
    popularity = np.sort(space.lognormal(0, 1.4, spec.n_concepts))[::-1]
    popularity = space.permutation(popularity)
    if spec.live is not None:
        popularity[spec.live :] = 0
    captions = _captions(spec, rng)
    ids = [f"{i:016x}" for i in np.sort(rng.choice(2**40, spec.pairs, replace=False))]
    natural = _energies(rng, popularity, spec)
    top_natural = top_images(natural)

    entries, thumbnails = [], [(NATURAL, i, row) for row, i in enumerate(ids)]
    heat(natural, rng).save(heatmaps_path(root, NATURAL))
    natural.save(energies_path(root, NATURAL))
    for name, title in spec.models.items():
        paired = name not in spec.unpaired
        factor = np.exp(rng.normal(-0.25, 0.35, spec.n_concepts))
        struck = rng.random(spec.n_concepts)
        factor[struck < 0.05] = 0.02
        factor[struck > 0.98] = 12.0
        generated = _changed(natural, factor, rng) if paired else _energies(
            rng, popularity * factor, spec
        )  # fmt: skip
        own = ids if paired else [f"own-{row:06d}" for row in range(spec.pairs)]
        entries.append(
            _write_model(root, name, title, natural, generated, top_natural, ids, own, paired)
        )
        heat(generated, rng).save(heatmaps_path(root, name))
        generated.save(energies_path(root, name))
        thumbnails += [(name, i, row) for row, i in enumerate(own)]

    pictures = [_picture(row, spec.side) for row in range(min(spec.pairs, 48))]
    _write_pairs(root, ids, captions)
    write_table(root, NATURAL_IMAGES, {"pair_id": ids, "caption": captions})
    _write_concepts(root, spec, space, natural)
    _write_thumbnails(root, spec, rng, thumbnails, captions, pictures)
    write_json(root / "sae/config.json", {"n_concepts": spec.n_concepts, "k": 5})
    write_manifest(
        root,
        {
            "name": spec.name,
            "version": "1.0.0",
            "concept_space": {
                "backbone": "synthetic",
                "preprocessing": {"resize": 256, "crop": 224},
                "layout": {"cls": 1, "registers": 4, "grid": list(GRID)},
                "sae": f"synthetic-{spec.concept_seed}",
                "n_concepts": spec.n_concepts,
            },
            "models": entries,
        },
    )
    return root


def heat(energies: ImageEnergies, rng: np.random.Generator) -> Heatmaps:
    """Five patches around one spot for every (concept, image) that fires."""
    rows = np.repeat(np.arange(energies.n_images), np.diff(energies.indptr))
    order = np.lexsort((rows, energies.concepts))
    keys = np.stack([energies.concepts[order], rows[order]], axis=1).astype(np.int32)
    spot = rng.integers(1, GRID[0] - 1, (len(keys), 2))
    centre = spot[:, 0] * GRID[1] + spot[:, 1]
    patches = centre[:, None] + np.array([-GRID[1], -1, 0, 1, GRID[1]])
    values = energies.energies[order][:, None] * np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    return Heatmaps(
        keys,
        np.arange(len(keys) + 1, dtype=np.int64) * 5,
        patches.ravel().astype(np.uint16),
        values.ravel().astype(np.float16),
    )


def _energies(rng: np.random.Generator, popularity: np.ndarray, spec: Synthetic) -> ImageEnergies:
    chance = np.minimum(popularity / max(popularity.sum(), 1e-9) * spec.fires_per_image, 0.95)
    rows = []
    for _ in range(spec.pairs):
        concepts = np.flatnonzero(rng.random(spec.n_concepts) < chance)
        rows.append((concepts, rng.gamma(2.0, 3.0, len(concepts)) + 0.1))
    return ImageEnergies.stack(rows, spec.n_concepts)


def _changed(natural: ImageEnergies, factor: np.ndarray, rng: np.random.Generator) -> ImageEnergies:
    """What a model of the same captions draws: fewer images, or new ones, of each concept."""
    rows = []
    share = np.bincount(natural.concepts, minlength=len(factor)) / natural.n_images
    added = np.clip(share * (factor - 1), 0, 0.9)
    for start, end in zip(natural.indptr[:-1], natural.indptr[1:], strict=True):
        concepts, energies = natural.concepts[start:end], natural.energies[start:end]
        kept = rng.random(len(concepts)) < np.minimum(factor[concepts], 0.95)
        new = np.flatnonzero(rng.random(len(factor)) < added)
        new = np.setdiff1d(new, concepts[kept])
        both = np.concatenate([concepts[kept], new])
        drawn = np.concatenate(
            [
                energies[kept] * rng.uniform(0.7, 1.3, kept.sum()),
                rng.gamma(2.0, 3.0, len(new)) + 0.1,
            ]
        )
        order = np.argsort(both)
        rows.append((both[order], drawn[order]))
    return ImageEnergies.stack(rows, natural.n_concepts)


def _write_model(
    root: Path,
    name: str,
    title: str,
    natural: ImageEnergies,
    generated: ImageEnergies,
    top_natural: list[np.ndarray],
    ids: list[str],
    own: list[str],
    paired: bool,
) -> dict[str, object]:
    settings = MeasureSettings()
    found = measured(natural, generated, settings, paired=paired, null=null_p)
    table = found.columns
    tops = {
        "top_natural": [[ids[row] for row in rows] for rows in top_natural],
        "top_generated": [[own[row] for row in rows] for rows in top_images(generated)],
    }
    share = {"sampler_share": np.full(natural.n_concepts, np.nan)}
    write_table(root, DELTAS, {**table, **tops, **share}, name)
    distance = [1.0] * len(own) if paired else [None] * len(own)
    write_table(
        root,
        PAIR_DISTANCES,
        {
            "pair_id": own,
            "distance": distance,
            "mean_delta": [0.5] * len(own) if paired else [None] * len(own),
            "duplicates": duplicates(generated),
        },
        name,
    )
    write_table(
        root,
        GENERATIONS,
        {
            "pair_id": own,
            "draw": [0] * len(own),
            "seed": [7] * len(own),
            "image": [None] * len(own),
            "image_sha256": ["0" * 64] * len(own),
            "flags": [[] for _ in own],
            "status": ["ok"] * len(own),
        },
        name,
    )
    return {
        "name": name,
        "title": title,
        "design": "paired" if paired else "unpaired",
        "pairs": len(own),
        "dropped": {},
        "settings": settings.to_dict(),
        "run": {"pipeline": title},
        "counts": {
            "absolute": count_states(table["state"], table["certain"]),
            "relative": count_states(table["relative_state"], table["relative_certain"]),
        },
        "method": METHOD,
        "selection": asdict(found.selection),
        "null": null_share(found, settings),
    }


def _captions(spec: Synthetic, rng: np.random.Generator) -> list[str]:
    captions = [
        f"a {WORDS[a]} beside a {WORDS[b]} in the morning light"
        for a, b in rng.integers(0, len(WORDS), (spec.pairs, 2))
    ]
    if spec.hostile:
        captions = [HOSTILE] * spec.pairs
    return captions


def _write_pairs(root: Path, ids: list[str], captions: list[str]) -> None:
    write_table(
        root,
        PAIRS,
        {
            "pair_id": ids,
            "caption": captions,
            "url": [None] * len(ids),
            "image": [None] * len(ids),
            "image_sha256": ["0" * 64] * len(ids),
            "image_size": [1] * len(ids),
        },
    )


def _write_concepts(
    root: Path, spec: Synthetic, space: np.random.Generator, natural: ImageEnergies
) -> None:
    n = spec.n_concepts
    centres = space.normal(0, 5, (max(n // 60, 3), 2))
    cluster = space.integers(0, len(centres), n)
    xy = centres[cluster] + space.normal(0, 0.7, (n, 2))
    images = np.bincount(natural.concepts, minlength=n)
    labels = [WORDS[k % len(WORDS)] if k % 3 else "" for k in range(n)]
    if spec.hostile:
        labels[0] = HOSTILE
    write_table(root, LABELS, named(labels, "synthetic").to_pydict())
    beside = np.array([[(k + 1) % n, (k + 2) % n, (k + 7) % n] for k in range(n)])
    write_table(
        root,
        CONCEPTS,
        {
            "concept": np.arange(n),
            "x": xy[:, 0].astype(np.float32),
            "y": xy[:, 1].astype(np.float32),
            "x_codes": xy[::-1, 0].astype(np.float32),
            "y_codes": xy[::-1, 1].astype(np.float32),
            "cluster": cluster,
            "images": images,
            "frequency": images / natural.n_images,
            "nearest": beside.tolist(),
            "nearest_cosine": [[0.83, 0.61, 0.4]] * n,
            "often_with": beside[:, ::-1].tolist(),
            "often_with_cosine": [[0.72, 0.5, 0.31]] * n,
        },
    )


def _write_thumbnails(
    root: Path,
    spec: Synthetic,
    rng: np.random.Generator,
    wanted: list[tuple[str, str, int]],
    captions: list[str],
    pictures: list[bytes],
) -> None:
    kept = [key for key in wanted if rng.random() >= spec.missing]
    paired = {NATURAL, *spec.models} - set(spec.unpaired)
    sources = list(dict.fromkeys(source for source, _, _ in wanted))
    write_table(
        root,
        THUMBNAILS,
        {
            "source": [source for source, _, _ in kept],
            "pair_id": [pair_id for _, pair_id, _ in kept],
            "caption": [captions[row] if source in paired else "" for source, _, row in kept],
            "image": [
                image_cell(
                    pictures[(row + 5 * sources.index(source)) % len(pictures)],
                    f"{pair_id}.webp",
                )
                for source, pair_id, row in kept
            ],
        },
    )


def _picture(row: int, side: int) -> bytes:
    """A sky, a table and one or two things on it, different for every row."""
    rng = np.random.default_rng(row)
    sky, table, thing, other = (tuple(int(c) for c in rng.integers(60, 230, 3)) for _ in range(4))
    image = Image.new("RGB", (2 * side, 2 * side), sky)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, int(1.3 * side), 2 * side, 2 * side), fill=table)
    x, y = (int(v) for v in rng.uniform(0.4, 1.1, 2) * side)
    draw.ellipse((x, y, x + 0.7 * side, y + 0.7 * side), fill=thing)
    x, y = (int(v) for v in rng.uniform(0.3, 1.3, 2) * side)
    draw.polygon(
        [(x, y + 0.5 * side), (x + 0.5 * side, y + 0.5 * side), (x + 0.25 * side, y)], other
    )
    buffer = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
