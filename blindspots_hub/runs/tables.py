"""The δ tables of one model, from energies: what evaluating and remeasuring share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.artifacts.schema import DELTAS, PAIR_DISTANCES
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import (
    duplicates,
    pair_distances,
    pair_mean_delta,
    top_images,
)
from blindspots_hub.measure.null import null_share
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import count_states, measure


@dataclass(frozen=True)
class EnergyPair:
    """Energies of both sides with the ids of their rows; where `paired`, row i is pair i.

    `sampler_share` (n,) where captions were drawn several times (`measure.sampler`).
    """

    natural: ImageEnergies
    generated: ImageEnergies
    natural_ids: list[str]
    generated_ids: list[str]
    paired: bool
    sampler_share: np.ndarray | None = None


@dataclass(frozen=True)
class TablesResult:
    """What the manifest says of a model's tables, and its top images as rows of both sides."""

    entry: dict[str, Any]
    top_natural: list[np.ndarray]
    top_generated: list[np.ndarray]


def write_tables(
    root: Path, name: str, sides: EnergyPair, settings: MeasureSettings, null_from: ImageEnergies
) -> TablesResult:
    """Measure a model and write its tables DELTAS and PAIR_DISTANCES below `root`.

    `null_from` are the natural energies that the natural-against-natural null is drawn from.
    """
    natural, generated = sides.natural, sides.generated
    table = measure(natural, generated, settings, sides.paired)
    top_natural, top_generated = top_images(natural), top_images(generated)
    named = {
        "top_natural": [[sides.natural_ids[row] for row in rows] for rows in top_natural],
        "top_generated": [[sides.generated_ids[row] for row in rows] for rows in top_generated],
    }
    share = _or_null(sides.sampler_share, natural.n_concepts)
    write_table(root, DELTAS, {**table, **named, "sampler_share": share}, name)
    distance: Any = [None] * generated.n_images
    mean_delta: Any = distance
    if sides.paired:
        distance = pair_distances(natural, generated)
        mean_delta = pair_mean_delta(natural, generated, settings.tau)
    write_table(
        root,
        PAIR_DISTANCES,
        {
            "pair_id": sides.generated_ids,
            "distance": distance,
            "mean_delta": mean_delta,
            "duplicates": duplicates(generated),
        },
        name,
    )
    size = min(natural.n_images, generated.n_images)
    entry = {
        "design": "paired" if sides.paired else "unpaired",
        "pairs": generated.n_images,
        "natural_images": natural.n_images,
        "settings": settings.to_dict(),
        "counts": {
            "absolute": count_states(table["state"], table["certain"]),
            "relative": count_states(table["relative_state"], table["relative_certain"]),
        },
        "null": null_share(null_from, size, settings),
    }
    return TablesResult(entry, top_natural, top_generated)


def _or_null(values: np.ndarray | None, count: int) -> list[float | None]:
    """A column of `values`, null where they are NaN or not there at all."""
    if values is None:
        return [None] * count
    return [None if np.isnan(value) else float(value) for value in values]
