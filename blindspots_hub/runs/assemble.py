"""From energies to a bundle: measures every model and writes tables, images and manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.energy_files import write_energies, write_generation_energies
from blindspots_hub.artifacts.heatmaps import Entry, Heatmaps
from blindspots_hub.artifacts.layout import (
    NATURAL,
    features_path,
    heatmaps_path,
    token_codes_path,
)
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    GENERATIONS,
    LABELS,
    NATURAL_IMAGES,
    PAIRS,
    THUMBNAILS,
    TOKEN_FIRES,
)
from blindspots_hub.artifacts.writer import Columns, image_cell, write_manifest, write_table
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.token_codes import TokenCodes
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.loading import threads
from blindspots_hub.runs.tables import EnergyPair, write_tables

THUMBNAILS_A_BLOCK = 2_560
"""Thumbnails that are in memory at once: ten row groups."""

Blocks = Iterable[Columns]
"""A table block by block: one with images is larger than memory."""


@dataclass(frozen=True)
class EncodedImages:
    """Measured images of one source: ids ascending, energies row by row, and what cards show.

    `heat(row, concept)` gives patch indices and codes; `thumbnail(row)` a small webp, or None.
    `generation_energies` where captions were drawn several times: `energies` are their means.
    `features` have the rows of `energies`, `token_fires` (3, n) are those of `CodedImages`,
    `token_codes` are of some of the images; each is None where it is not known.
    """

    ids: list[str]
    captions: list[str]
    energies: ImageEnergies
    heat: Callable[[int, int], tuple[np.ndarray, np.ndarray]]
    thumbnail: Callable[[int], bytes | None]
    generation_energies: GenerationEnergies | None = None
    features: ImageFeatures | None = None
    token_fires: np.ndarray | None = None
    token_codes: TokenCodes | None = None


@dataclass(frozen=True)
class ModelImages:
    """The generated images of one model.

    Where `natural_rows` is given, image i is the counterpart of natural image `natural_rows[i]`;
    where it is None the two sets are unpaired. `domain` is what `runs.domain_check` says of them.
    """

    name: str
    title: str
    side: EncodedImages
    natural_rows: np.ndarray | None
    generations: Columns | Blocks
    run: Mapping[str, Any]
    dropped: Mapping[str, int] = field(default_factory=dict)
    domain: Mapping[str, Any] | None = None


@dataclass
class _Shown:
    """What cards of all models show of one source: (concept, row) of heatmaps, and thumbnails."""

    keys: set[tuple[int, int]] = field(default_factory=set)
    rows: set[int] = field(default_factory=set)

    def add(self, concept: int, row: int) -> None:
        self.rows.add(row)
        self.keys.add((concept, row))

    def heatmaps(self, side: EncodedImages) -> Heatmaps:
        """In the order of the images, which may be read shard by shard."""
        entries: list[Entry] = [
            (concept, row, *side.heat(row, concept))
            for concept, row in sorted(self.keys, key=lambda key: (key[1], key[0]))
        ]
        return Heatmaps.build(entries)


def assemble(
    root: Path,
    identity: Mapping[str, Any],
    pairs: Columns | Blocks,
    concepts: Columns,
    natural: EncodedImages,
    models: list[ModelImages],
    settings: MeasureSettings,
    labels: pa.Table | None = None,
) -> Work[None]:
    """Write the tables of a bundle at `root`, then its manifest.

    `identity` holds the manifest's name, version and concept_space; `pairs` and `concepts` are the
    columns of those tables, `labels` the table LABELS. `sae/` and `backbone/` must lie in `root`
    already.
    """
    write_table(root, PAIRS, pairs)
    write_table(root, NATURAL_IMAGES, {"pair_id": natural.ids, "caption": natural.captions})
    write_table(root, CONCEPTS, concepts)
    if labels is not None:
        write_table(root, LABELS, {name: labels[name] for name in LABELS.names})
    write_energies(root, NATURAL, natural.energies)
    shown = {NATURAL: _Shown()} | {model.name: _Shown() for model in models}
    entries = []
    for done, model in enumerate(models):
        yield Event("compute tables", done, len(models), {"model": model.name})
        entries.append(_measure(root, natural, model, settings, shown))
    sides = {NATURAL: natural} | {model.name: model.side for model in models}
    for source, side in sides.items():
        shown[source].heatmaps(side).save(heatmaps_path(root, source))
        if side.features is not None:
            side.features.save(features_path(root, source))
        if side.token_codes is not None:
            side.token_codes.save(token_codes_path(root, source))
        if source != NATURAL:
            write_energies(root, source, side.energies)
            if side.generation_energies is not None:
                write_generation_energies(root, source, side.generation_energies)
    write_table(root, THUMBNAILS, _thumbnails(sides, shown))
    write_manifest(root, {**identity, "tokens": settings.tokens, "models": entries})
    yield Event("compute tables", len(models), len(models))


def _measure(
    root: Path,
    natural: EncodedImages,
    model: ModelImages,
    settings: MeasureSettings,
    shown: dict[str, _Shown],
) -> dict[str, Any]:
    paired = model.natural_rows is not None
    rows = np.arange(len(natural.ids)) if model.natural_rows is None else model.natural_rows
    compared = EnergyPair(
        natural.energies.take(rows),
        model.side.energies,
        [natural.ids[row] for row in rows],
        model.side.ids,
        paired,
        model.side.generation_energies,
    )
    written = write_tables(root, model.name, compared, settings)
    write_table(root, GENERATIONS, model.generations, model.name)
    if natural.token_fires is not None and model.side.token_fires is not None:
        both = zip(natural.token_fires, model.side.token_fires, strict=True)
        counts = dict(zip(TOKEN_FIRES.names, (side for kind in both for side in kind), strict=True))
        write_table(root, TOKEN_FIRES, counts, model.name)
    tops = {NATURAL: written.top_natural, model.name: written.top_generated}
    sides = {NATURAL: (natural, rows), model.name: (model.side, np.arange(len(model.side.ids)))}
    for source, top in tops.items():
        # Where images are paired, a card shows every top image beside its counterpart.
        for target in sides if paired else [source]:
            _, index = sides[target]
            for concept, images in enumerate(top):
                for image in images:
                    shown[target].add(concept, int(index[image]))
    return {
        "name": model.name,
        "title": model.title,
        **written.entry,
        "dropped": dict(model.dropped),
        "run": dict(model.run),
        **({"domain": dict(model.domain)} if model.domain else {}),
    }


def _thumbnails(
    sides: Mapping[str, EncodedImages], shown: Mapping[str, _Shown]
) -> Iterator[dict[str, list[Any]]]:
    """Blocks of rows by pair, then source: models that drew the same picture lie side by side,
    which compresses well."""
    wanted = sorted(
        (side.ids[row], source, row) for source, side in sides.items() for row in shown[source].rows
    )
    with ThreadPoolExecutor(threads(), thread_name_prefix="thumbnail") as pool:
        for start in range(0, len(wanted), THUMBNAILS_A_BLOCK):
            some = wanted[start : start + THUMBNAILS_A_BLOCK]
            columns: dict[str, list[Any]] = {name: [] for name in THUMBNAILS.names}
            images = pool.map(lambda one: sides[one[1]].thumbnail(one[2]), some)
            for (pair_id, source, row), image in zip(some, images, strict=True):
                if image is None:
                    continue
                columns["source"].append(source)
                columns["pair_id"].append(pair_id)
                columns["caption"].append(sides[source].captions[row])
                columns["image"].append(image_cell(image, f"{pair_id}.webp"))
            yield columns
