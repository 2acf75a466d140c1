"""Validation of a bundle: all faults at once, in words.

What a bundle holds comes from elsewhere. So it is looked at in an order in which nothing is trusted
before it was checked: names and kinds of files, the manifest, sizes and hashes, headers, and only
then contents, each within limits (`limits`). A fault in one file hides none in another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.inventory import (
    away,
    folder_faults,
    of_later_minor,
    regular_size,
    unknown_files,
)
from blindspots_hub.artifacts.layout import (
    BACKBONE,
    DELTAS_PART,
    FINDINGS,
    MANIFEST,
    NATURAL,
    SAE,
    energies_files,
    energies_path,
    features_path,
    generation_energies_path,
    heatmaps_path,
    listed_files,
    part_of,
    shard_fault,
    table_path,
    token_codes_path,
)
from blindspots_hub.artifacts.limits import FILES, LONGEST_PATH, MANIFEST_BYTES, SMALL_FINDINGS
from blindspots_hub.artifacts.manifest import Manifest, manifest_faults
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
    energy_faults,
    feature_faults,
    heatmap_faults,
    token_code_faults,
)
from blindspots_hub.artifacts.table_faults import Tables
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json, sha256_file

SINGLE = (NATURAL_IMAGES, PAIRS, CONCEPTS, THUMBNAILS)
"""Tables of which a bundle has one, not one a model; what others refer to comes first."""

OF_A_MODEL = (PAIR_DISTANCES, GENERATIONS, DELTAS)
"""Tables of which a bundle has one a model, in that order."""


def faults(
    root: Path,
    parts: Collection[str] | None = None,
    strict: bool = False,
    contents: bool = True,
) -> list[str]:
    """Everything that is wrong with the bundle at `root`, a sentence each; empty if it is whole.

    `parts` are the parts that must be there, None all that the manifest names; the contents of the
    others are not looked at. Where `parts` are given, a bundle that came from the Hub may lack what
    is fetched when it is read. `strict` also tells of files beside the parts that are none of a
    bundle's.

    Checks that there are no links, pipes and unlisted files, the manifest, size and sha256 of every
    file, every column's type, range, nulls and references, and that sparse files, networks'
    configurations and tables agree with one another. Without `contents` files are looked at from
    outside only: no hash, and of tables what their footers say; `file_faults` tells the rest of one
    file when it is read for the first time.
    """
    if not root.is_dir():
        return [f"{root} is not a folder"]
    size = regular_size(root / MANIFEST)
    if size is None:
        told = "is a link, a pipe or a folder" if (root / MANIFEST).is_symlink() else "is missing"
        there = (root / MANIFEST).exists() and told == "is missing"
        return [f"{root / MANIFEST} {'is no file' if there else told}: check the folder's name."]
    if size > MANIFEST_BYTES:
        return [f"{MANIFEST} has {size:,} bytes, of {MANIFEST_BYTES:,} at most"]
    try:
        read = read_json(root / MANIFEST)
    except BlindspotsError as error:
        return [str(error)]
    if major(read.get("schema_version", "2.0")) is None:
        return list(manifest_faults(read))
    return list(dict.fromkeys(_faults(root, read, parts, strict, contents)))


def file_faults(root: Path, manifest: Manifest, name: str) -> Iterator[str]:
    """What is wrong with one file of a bundle by itself: its sha256 and what it holds.

    What it names in other files, and does not find there, is not told, nor what its pictures are:
    whoever shows one looks at it.
    """
    entry = manifest.files.get(name)
    if entry is None:
        yield f"{name} is not in the manifest"
        return
    if fault := _file_fault(root, name, vars(entry), hashed=True):
        yield fault
        return
    n_concepts = int(manifest.concept_space["n_concepts"])
    rows, columns = manifest.concept_space["layout"]["grid"]
    first = major(manifest.schema_version) == 1
    tables = Tables(root, n_concepts, {one.name: one.paired for one in manifest.models})
    # Of many models one that the file's name names: looking at all for each file is their square.
    models = [one.name for one in manifest.models if one.name in name]
    for spec, model in _places(models):
        if name in listed_files([name], spec, model):
            asked = DELTAS_1 if spec is DELTAS and first else spec
            lenient = spec in OPTIONAL and of_later_minor(manifest.schema_version)
            yield from tables.check(asked, model, lenient, pictures=False, files=[name])
            yield from tables.label_faults()
    for source in (NATURAL, *models):
        if name in energies_files([name], source) or root / name == generation_energies_path(
            root, source
        ):
            yield from energy_faults(root / name, name, n_concepts, None)
        elif root / name == heatmaps_path(root, source):
            yield from heatmap_faults(root / name, name, n_concepts, None, rows * columns)
        elif root / name == token_codes_path(root, source):
            yield from token_code_faults(root / name, name, n_concepts, None)
        elif root / name == features_path(root, source):
            yield from (fault for fault, _ in feature_faults(root / name, name, None) if fault)


def _places(models: Collection[str]) -> list[tuple[TableSpec, str | None]]:
    """Every table that is checked, with its model."""
    needed: list[tuple[TableSpec, str | None]] = [(t, None) for t in SINGLE]
    needed += [(t, m) for m in models for t in OF_A_MODEL]
    return [*needed, *_optional(models)]


def _optional(models: Collection[str]) -> list[tuple[TableSpec, str | None]]:
    """Tables that may be missing, with their models."""
    of_models = [spec for spec in OPTIONAL if "{model}" in spec.path]
    single: list[tuple[TableSpec, str | None]] = [(t, None) for t in OPTIONAL if t not in of_models]
    return single + [(spec, model) for spec in of_models for model in models]


def _faults(
    root: Path,
    manifest: Mapping[str, Any],
    parts: Collection[str] | None,
    strict: bool,
    contents: bool,
) -> Iterator[str]:
    wrong = list(manifest_faults(manifest))
    yield from wrong
    files = manifest.get("files")
    if not isinstance(files, dict) or len(files) > FILES:
        return
    listed = {
        name: one
        for name, one in files.items()
        if isinstance(one, dict)
        and isinstance(one.get("sha256"), str)
        and type(one.get("bytes")) is int
        and is_plain_path(name)
    }
    yield from folder_faults(root, files, strict)
    asked = {part_of(name) for name in listed} if parts is None else {*parts}
    asked.add(DELTAS_PART)
    broken = set()
    later = set() if parts is None else away(root, listed)
    for name, entry in sorted(listed.items()):
        if name in later:
            continue
        if part_of(name) in asked and (fault := _file_fault(root, name, entry, contents)):
            broken.add(name)
            yield fault
    if wrong:
        return  # what contents are held against is not known
    yield from _content_faults(root, manifest, listed, asked, broken, contents)


def is_plain_path(name: str) -> bool:
    """Whether a name in a manifest is a path below the bundle, written in the one way it can be."""
    parts = name.split("/")
    return (
        0 < len(name) <= LONGEST_PATH
        and name.isprintable()
        and "\\" not in name
        and ":" not in parts[0]
        and all(part not in ("", ".", "..") for part in parts)
    )


def _file_fault(root: Path, name: str, entry: Mapping[str, Any], hashed: bool) -> str | None:
    path = root / name
    if any((root / Path(*path.relative_to(root).parts[:n])).is_symlink() for n in (1, 2, 3)):
        return f"{name} lies behind a link, and a bundle has none"
    size = regular_size(path)
    if size is None:
        return None if path.exists() or path.is_symlink() else f"{name} is missing"
    if size != entry["bytes"]:
        return f"{name} has {size:,} bytes instead of {entry['bytes']:,}"
    try:
        if hashed and sha256_file(path) != entry["sha256"]:
            return f"{name} was altered: its sha256 is not the manifest's"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"
    return None


def _content_faults(
    root: Path,
    manifest: Mapping[str, Any],
    listed: Collection[str],
    parts: Collection[str],
    broken: Collection[str],
    contents: bool,
) -> Iterator[str]:
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
    for spec, model in _places(models):
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
        if (of_heatmaps := heatmaps.relative_to(root).as_posix()) not in listed:
            yield f"{of_heatmaps} is not in the manifest"
        if not contents:
            continue
        if files and all(whole(root / one) for one in files):
            yield from energies_faults(root, files, name, n_concepts, rows)
        if whole(heatmaps):
            name = of_heatmaps
            yield from heatmap_faults(heatmaps, name, n_concepts, rows, grid[0] * grid[1])
        if whole(path := generation_energies_path(root, source)) and rows is not None:
            name = path.relative_to(root).as_posix()
            yield from energy_faults(path, name, n_concepts, None, rows)
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
