"""Validation of a bundle: all faults at once, in words.

What a bundle holds comes from elsewhere. So it is looked at in an order in which nothing is trusted
before it was checked: names and kinds of files, the manifest, sizes and hashes, headers, and only
then contents, each within limits (`limits`). A fault in one file hides none in another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.content_checks import content_faults, places
from blindspots_hub.artifacts.inventory import (
    away,
    folder_faults,
    of_later_minor,
    regular_size,
)
from blindspots_hub.artifacts.layout import (
    DELTAS_PART,
    MANIFEST,
    NATURAL,
    energies_files,
    features_path,
    generation_energies_files,
    heatmaps_path,
    listed_files,
    part_of,
    token_codes_path,
)
from blindspots_hub.artifacts.limits import FILES, LONGEST_PATH, MANIFEST_BYTES
from blindspots_hub.artifacts.manifest import Manifest, manifest_faults
from blindspots_hub.artifacts.schema import (
    DELTAS,
    DELTAS_1,
    OPTIONAL,
    major,
)
from blindspots_hub.artifacts.sparse_checks import (
    energy_faults,
    feature_faults,
    heatmap_faults,
    token_code_faults,
)
from blindspots_hub.artifacts.table_faults import Tables
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json, sha256_file


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


def file_faults(
    root: Path,
    manifest: Manifest,
    name: str,
    columns: Collection[str] | None = None,
    hashed: bool = True,
) -> Iterator[str]:
    """What is wrong with one file of a bundle by itself: its sha256 and what it holds.

    Of a table some `columns` may be looked into alone; where there are none, nothing is looked
    into. Without `hashed` its sha256 was compared before.

    What it names in other files, and does not find there, is not told, nor what its pictures are:
    whoever shows one looks at it.
    """
    entry = manifest.files.get(name)
    if entry is None:
        yield f"{name} is not in the manifest"
        return
    if fault := _file_fault(root, name, vars(entry), hashed):
        yield fault
        return
    if columns is not None and not columns:
        return
    n_concepts = int(manifest.concept_space["n_concepts"])
    grid = manifest.concept_space["layout"]["grid"]
    first = major(manifest.schema_version) == 1
    tables = Tables(root, n_concepts, {one.name: one.paired for one in manifest.models})
    # Of many models one that the file's name names: looking at all for each file is their square.
    models = [one.name for one in manifest.models if one.name in name]
    for spec, model in places(models):
        if name in listed_files([name], spec, model):
            asked = DELTAS_1 if spec is DELTAS and first else spec
            lenient = spec in OPTIONAL and of_later_minor(manifest.schema_version)
            yield from tables.check(
                asked, model, lenient, pictures=False, files=[name], columns=columns
            )
            yield from tables.label_faults()
    for source in (NATURAL, *models):
        kinds = energies_files, generation_energies_files
        if any(name in files([name], source) for files in kinds):
            yield from energy_faults(root / name, name, n_concepts, None)
        elif root / name == heatmaps_path(root, source):
            yield from heatmap_faults(root / name, name, n_concepts, None, grid[0] * grid[1])
        elif root / name == token_codes_path(root, source):
            yield from token_code_faults(root / name, name, n_concepts, None)
        elif root / name == features_path(root, source):
            yield from (fault for fault, _ in feature_faults(root / name, name, None) if fault)


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
    yield from content_faults(root, manifest, listed, asked, broken, contents)


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
