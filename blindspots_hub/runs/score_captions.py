"""`score_captions`: CLIPScore of every pair by an image-text model that is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import GENERATIONS_PART, PAIRS_PART
from blindspots_hub.artifacts.optional import add_tables, check_keeps
from blindspots_hub.artifacts.parquet import batches_of
from blindspots_hub.artifacts.schema import GENERATIONS, IMAGE_TEXT, PAIRS, TableSpec
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.similarity import Scorer
from blindspots_hub.progress import Call, Event, Work

BATCH = 32
"""Pairs that are scored at once."""


def clip_score(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """2.5 · max(cosine, 0) row by row of unit embeddings (N, d); NaN where an image has none."""
    return np.asarray(2.5 * np.maximum((images * texts).sum(axis=1), 0))


@Call
def score_captions(
    root: str | Path, scorer: str | Path, device: str | None = None
) -> Work[dict[str, float]]:
    """Score every paired model of a bundle with the CLIP model `scorer`, and keep the scores in it.

    Each pair's natural and generated image against its caption, and the natural one against another
    pair's caption, which is what a caption that describes nothing is held against. The analyses
    `notable_pairs` and `other_metrics` then use them. Returns mean scores by model. The bundle must
    hold its images: `BlindspotsError` otherwise.
    """
    bundle = load_bundle(root, (PAIRS_PART, GENERATIONS_PART))
    check_keeps(bundle.root)
    models = [name for name, entry in bundle.models.items() if entry.paired]
    if not models:
        raise BlindspotsError(f"{bundle.name} holds no model of paired images to score.")
    ready = Scorer.load(scorer, device, kinds=("clip",))
    natural = bundle.pictures_in_order(PAIRS)
    if bundle.pair_rows["image"].null_count == bundle.pair_rows.num_rows:
        raise BlindspotsError(f"{bundle.name} does not hold its natural images.")
    means = {}
    for name in models:
        ids = bundle.image_ids(name)
        generated = bundle.pictures_in_order(GENERATIONS, name)
        first = _first_draws(bundle, name)
        captions = bundle.captions(ids)
        columns: dict[str, list[np.ndarray]] = {"natural": [], "mismatched": [], "generated": []}
        for start in range(0, len(ids), BATCH):
            yield Event(f"score {name}", start, len(ids))
            end = min(start + BATCH, len(ids))
            some = ids[start:end]
            # One more than there are pairs, for the last one's mismatched caption: the next pair's.
            texts = ready.texts([captions[i % len(ids)] for i in range(start, end + 1)])
            own, others = texts[:-1], texts[1:]
            seen = ready.images([natural.image(one) for one in some])
            drawn = ready.images([generated.image(one, first.get(one)) for one in some])
            columns["natural"].append(clip_score(seen, own))
            columns["mismatched"].append(clip_score(seen, others))
            columns["generated"].append(clip_score(drawn, own))
        stacked = {column: np.concatenate(parts) for column, parts in columns.items()}
        _keep(bundle, name, ids, stacked, ready.name)
        known = stacked["generated"][np.isfinite(stacked["generated"])]
        means[name] = float(known.mean()) if len(known) else float("nan")
        yield Event(f"score {name}", len(ids), len(ids))
    return means


def _keep(
    bundle: Bundle, name: str, ids: list[str], scores: dict[str, np.ndarray], scorer: str
) -> None:
    spec = TableSpec(IMAGE_TEXT.path.format(model=name), IMAGE_TEXT.row, IMAGE_TEXT.columns)
    arrays = {column: pa.array(values, from_pandas=True) for column, values in scores.items()}
    columns = {"pair_id": ids, **arrays, "scorer": [scorer] * len(ids)}
    add_tables(bundle.root, {spec: pa.table({column: columns[column] for column in spec.names})})


def _first_draws(bundle: Bundle, name: str) -> dict[str, int]:
    """The first draw of every pair whose image the bundle holds, by pair id."""
    found: dict[str, int] = {}
    paths = bundle.files_of(GENERATIONS, name)
    for batch in batches_of(paths, ("pair_id", "draw", "image.path"), 10_000):
        there = batch.column("image").is_valid()
        rows = (batch.column(one).filter(there).to_pylist() for one in ("pair_id", "draw"))
        for pair_id, draw in zip(*rows, strict=True):
            found.setdefault(pair_id, draw)
    return found
