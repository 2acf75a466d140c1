"""The δ tables of one model, from energies: what evaluating and remeasuring share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
from blindspots_hub.measure.null import null_p, null_share
from blindspots_hub.measure.sampler import GenerationEnergies, sampler_share
from blindspots_hub.measure.settings import METHOD, MeasureSettings
from blindspots_hub.measure.table import count_states, measured


@dataclass(frozen=True)
class EnergyPair:
    """Energies of both sides with the ids of their rows; where `paired`, row i is pair i.

    `generation_energies` where captions were drawn several times: `generated` is their mean.
    `sampler_share` (n,) where it is known of generations that were not kept.
    """

    natural: ImageEnergies
    generated: ImageEnergies
    natural_ids: list[str]
    generated_ids: list[str]
    paired: bool
    generation_energies: GenerationEnergies | None = None
    sampler_share: np.ndarray | None = None


@dataclass(frozen=True)
class TablesResult:
    """What the manifest says of a model's tables, and its top images as rows of both sides."""

    entry: dict[str, Any]
    top_natural: list[np.ndarray]
    top_generated: list[np.ndarray]


def write_tables(
    root: Path, name: str, sides: EnergyPair, settings: MeasureSettings
) -> TablesResult:
    """Measure a model and write its tables DELTAS and PAIR_DISTANCES below `root`."""
    natural, generated, generation_energies = (
        sides.natural,
        sides.generated,
        sides.generation_energies,
    )
    found = measured(natural, generated, settings, sides.paired, generation_energies, null_p)
    table = found.columns
    top_natural, top_generated = top_images(natural), top_images(generated)
    named = {
        "top_natural": [[sides.natural_ids[row] for row in rows] for rows in top_natural],
        "top_generated": [[sides.generated_ids[row] for row in rows] for rows in top_generated],
    }
    share = sides.sampler_share
    if generation_energies is not None:
        share = sampler_share(natural, generation_energies.energies, generation_energies.pair)
    if share is None:
        share = np.full(natural.n_concepts, np.nan)
    write_table(root, DELTAS, {**table, **named, "sampler_share": share}, name)
    distance: Any = [None] * generated.n_images
    mean_delta: Any = distance
    drawn = generated
    if generation_energies is not None:
        distance, mean_delta = generation_energies.distances(natural, settings.tau)
        drawn, _ = generation_energies.number(0)
    elif sides.paired:
        distance = pair_distances(natural, generated)
        mean_delta = pair_mean_delta(natural, generated, settings.tau)
    write_table(
        root,
        PAIR_DISTANCES,
        {
            "pair_id": sides.generated_ids,
            "distance": distance,
            "mean_delta": mean_delta,
            "duplicates": duplicates(drawn),
        },
        name,
    )
    entry = {
        "design": "paired" if sides.paired else "unpaired",
        "pairs": generated.n_images,
        "natural_images": natural.n_images,
        "settings": settings.to_dict(),
        "method": METHOD,
        "selection": asdict(found.selection),
        "counts": {
            "absolute": count_states(table["state"], table["certain"]),
            "relative": count_states(table["relative_state"], table["relative_certain"]),
        },
        "null": null_share(found, settings, generation_energies),
    }
    return TablesResult(entry, top_natural, top_generated)
