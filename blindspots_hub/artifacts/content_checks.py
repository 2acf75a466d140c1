"""What the files of a bundle hold, checked once names, sizes and hashes are right."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.inventory import (
    of_later_minor,
    regular_size,
    unknown_files,
)
from blindspots_hub.artifacts.layout import (
    BACKBONE,
    FINDINGS,
    MANIFEST,
    NATURAL,
    SAE,
    energies_files,
    energies_path,
    features_path,
    generation_energies_files,
    generation_energies_path,
    heatmaps_path,
    listed_files,
    part_of,
    shard_fault,
    table_path,
    token_codes_path,
)
from blindspots_hub.artifacts.limits import SMALL_FINDINGS
from blindspots_hub.artifacts.network_checks import network_faults
from blindspots_hub.artifacts.parquet_bounds import Unreadable, open_bounded
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    DELTAS_1,
    GENERATIONS,
    NATURAL_IMAGES,
    OPTIONAL,
    PAIR_DISTANCES,
    PAIRS,
    THUMBNAILS,
    TableSpec,
    major,
)
from blindspots_hub.artifacts.sparse_checks import (
    energies_faults,
    feature_faults,
    generation_energies_faults,
    heatmap_faults,
    token_code_faults,
)
from blindspots_hub.artifacts.table_faults import Tables

SINGLE = (NATURAL_IMAGES, PAIRS, CONCEPTS, THUMBNAILS)
"""Tables of which a bundle has one, not one a model; what others refer to comes first."""

OF_A_MODEL = (PAIR_DISTANCES, GENERATIONS, DELTAS)
"""Tables of which a bundle has one a model, in that order."""


def places(models: Collection[str]) -> list[tuple[TableSpec, str | None]]:
    """Every table that is checked, with its model."""
    needed: list[tuple[TableSpec, str | None]] = [(t, None) for t in SINGLE]
    needed += [(t, m) for m in models for t in OF_A_MODEL]
    return [*needed, *_optional(models)]


def _optional(models: Collection[str]) -> list[tuple[TableSpec, str | None]]:
    """Tables that may be missing, with their models."""
    of_models = [spec for spec in OPTIONAL if "{model}" in spec.path]
    single: list[tuple[TableSpec, str | None]] = [(t, None) for t in OPTIONAL if t not in of_models]
    return single + [(spec, model) for spec in of_models for model in models]


def content_faults(
    root: Path,
    manifest: Mapping[str, Any],
    listed: Collection[str],
    parts: Collection[str],
    broken: Collection[str],
    contents: bool,
) -> Iterator[str]:
    """What is wrong with the tables, sparse files and networks of the bundle at `root`.

    `manifest` is one without faults, `listed` are its files, of which those `broken` were told
    already; only `parts` are looked into, and without `contents` only what files say of themselves.
    """
    n_concepts = manifest["concept_space"]["n_concepts"]
    first = major(manifest["schema_version"]) == 1
    entries = {model["name"]: model for model in manifest["models"]}
    models = list(entries)
    later = of_later_minor(manifest["schema_version"])
    if not later:
        for name in unknown_files(listed, models):
            yield f"{name} has no place in a bundle: {MANIFEST} names it, and nothing reads it"

    def whole(path: Path) -> bool:
        """Whether a file is there as the manifest says."""
        name = path.relative_to(root).as_posix()
        return name in listed and name not in broken and regular_size(path) is not None

    optional = _optional(models)
    paired = {name: one["design"] == "paired" for name, one in entries.items()}
    tables = Tables(root, n_concepts, paired)
    for spec, model in places(models):
        name = table_path(root, spec, model).relative_to(root).as_posix()
        files = listed_files(listed, spec, model)
        if not files and (spec, model) not in optional:
            of = "" if model is None else f", though it has the model {model!r}"
            yield f"{name} is not in the manifest{of}"
        elif fault := shard_fault(files, name):
            yield fault
        elif files and part_of(name) in parts and all(whole(root / one) for one in files):
            columns = DELTAS_1 if spec is DELTAS and first else spec
            lenient = (spec, model) in optional and later
            yield from tables.check(columns, model, lenient, contents, files=files)
    yield from tables.references(models, "pairs" in parts, "generations" in parts)
    yield from _row_faults(entries, tables)
    if not contents and models and tables.rows.get((NATURAL_IMAGES.path, None)) == 0:
        yield f"{NATURAL_IMAGES.path} has no rows, though there are models"
    yield from _sparse_faults(root, manifest, tables, whole, listed, contents)
    if f"{SAE}/config.json" not in listed:
        yield f"{SAE}/config.json is not in the manifest"
    for part in (SAE, BACKBONE):
        if part in parts:
            own = {n for n in listed if part_of(n) == part and whole(root / n)}
            yield from network_faults(root, part, own, manifest["concept_space"])
    for name in sorted(listed):
        if name.startswith(f"{FINDINGS}/") and whole(root / name):
            try:
                open_bounded(root / name, SMALL_FINDINGS)
            except Unreadable as error:
                yield f"{name} {error}"


def _row_faults(entries: Mapping[str, Mapping[str, Any]], tables: Tables) -> Iterator[str]:
    for name, entry in entries.items():
        rows = tables.rows.get((PAIR_DISTANCES.path, name))
        if rows is not None and rows != entry["pairs"]:
            yield f"{MANIFEST} says {entry['pairs']:,} pairs of {name}, its table has {rows:,}"


def _sparse_faults(
    root: Path,
    manifest: Mapping[str, Any],
    tables: Tables,
    whole: Any,
    listed: Collection[str],
    contents: bool,
) -> Iterator[str]:
    n_concepts = manifest["concept_space"]["n_concepts"]
    grid = manifest["concept_space"]["layout"]["grid"]
    widths: dict[str, int] = {}
    for source in (NATURAL, *(model["name"] for model in manifest["models"])):
        spec, model = (NATURAL_IMAGES, None) if source == NATURAL else (PAIR_DISTANCES, source)
        rows = tables.rows.get((spec.path, model))
        heatmaps = heatmaps_path(root, source)
        name, files = energies_path(Path(), source).as_posix(), energies_files(listed, source)
        if not files:
            yield f"{name} is not in the manifest"
        elif fault := shard_fault(files, name):
            yield fault
            files = []
        single = generation_energies_files(listed, source)
        if fault := shard_fault(single, generation_energies_path(Path(), source).as_posix()):
            yield fault
            single = []
        if (of_heatmaps := heatmaps.relative_to(root).as_posix()) not in listed:
            yield f"{of_heatmaps} is not in the manifest"
        if not contents:
            continue
        if files and all(whole(root / one) for one in files):
            yield from energies_faults(root, files, name, n_concepts, rows)
        if whole(heatmaps):
            name = of_heatmaps
            yield from heatmap_faults(heatmaps, name, n_concepts, rows, grid[0] * grid[1])
        if single and rows is not None and all(whole(root / one) for one in single):
            name = generation_energies_path(Path(), source).as_posix()
            yield from generation_energies_faults(root, single, name, n_concepts, rows)
        if whole(path := token_codes_path(root, source)):
            name = path.relative_to(root).as_posix()
            yield from token_code_faults(path, name, n_concepts, rows)
        if whole(path := features_path(root, source)):
            name = path.relative_to(root).as_posix()
            for fault, width in feature_faults(path, name, rows):
                if width >= 0:
                    widths[source] = width
                if fault:
                    yield fault
    if len({*widths.values()}) > 1:
        told = ", ".join(f"{source} {width}" for source, width in widths.items())
        yield f"features differ in width ({told}), though they are of one backbone"
