"""Validation of a bundle: all faults at once, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.layout import (
    DELTAS_PART,
    MANIFEST,
    NATURAL,
    SAE,
    energies_path,
    features_path,
    generation_energies_path,
    heatmaps_path,
    part_of,
    table_path,
)
from blindspots_hub.artifacts.manifest import FileEntry, Manifest, manifest_faults
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    DELTAS_1,
    GENERATIONS,
    LABELS,
    NATURAL_IMAGES,
    OWN_NATURAL,
    PAIR_DISTANCES,
    PAIRS,
    THUMBNAILS,
    TableSpec,
    major,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.utils.files import read_json, sha256_file

SINGLE = (PAIRS, NATURAL_IMAGES, CONCEPTS, THUMBNAILS)
"""Tables of which a bundle has one, not one a model."""


def faults(root: Path, parts: Collection[str] | None = None) -> list[str]:
    """Everything that is wrong with the bundle at `root`, a sentence each; empty if it is whole.

    `parts` are the parts that must be there, None all that the manifest names; the others are not
    looked at.

    Checks the manifest, the sha256 and size of every file, the schema of every table, and that
    tables and sparse files agree with one another.
    """
    if not root.is_dir():
        return [f"{root} is not a folder"]
    try:
        read = read_json(root / MANIFEST)
    except BlindspotsError as error:
        return [str(error)]
    found = list(manifest_faults(read))
    if found:
        return found
    manifest = Manifest.from_json(read)
    asked = {part_of(name) for name in manifest.files} if parts is None else {*parts}
    asked.add(DELTAS_PART)
    found += _file_faults(root, manifest.files, asked)
    if not found:  # contents are read only where the bytes are what the manifest says
        found += _content_faults(root, manifest, asked)
    return found


def _file_faults(
    root: Path, files: Mapping[str, FileEntry], parts: Collection[str]
) -> Iterator[str]:
    for name, expected in sorted(files.items()):
        path = root / name
        if part_of(name) not in parts:
            continue
        if not path.is_file():
            yield f"{name} is missing"
        elif (size := path.stat().st_size) != expected.bytes:
            yield f"{name} has {size:,} bytes instead of {expected.bytes:,}"
        elif sha256_file(path) != expected.sha256:
            yield f"{name} was altered: its sha256 is not the manifest's"
    listed = {f"{SAE}/config.json", *(spec.path for spec in SINGLE)}
    for name in sorted(listed - set(files)):
        yield f"{name} is not in the manifest"


def _content_faults(root: Path, manifest: Manifest, parts: Collection[str]) -> Iterator[str]:
    n_concepts = manifest.concept_space["n_concepts"]
    first = major(manifest.schema_version) == 1
    models = [model.name for model in manifest.models]
    rows: dict[tuple[str, str | None], int] = {}
    tables: list[tuple[TableSpec, str | None]] = [(t, None) for t in SINGLE]
    tables += [(t, m) for m in models for t in (GENERATIONS, DELTAS, PAIR_DISTANCES)]
    for spec, model in tables:
        if part_of(spec.path) not in parts:
            continue
        path = table_path(root, spec, model)
        name = path.relative_to(root).as_posix()
        if not path.is_file():
            yield f"{name} is missing, though {MANIFEST} lists model {model!r}"
            continue
        try:
            file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            yield f"{name} is not a parquet file ({error})"
            continue
        columns = DELTAS_1 if spec is DELTAS and first else spec
        yield from _schema_faults(name, columns, file.schema_arrow)
        rows[spec.path, model] = file.metadata.num_rows
        if spec in (CONCEPTS, DELTAS) and file.metadata.num_rows != n_concepts:
            yield f"{name} has {file.metadata.num_rows} rows for {n_concepts} concepts"
    if LABELS.path in manifest.files:
        yield from _label_faults(root, n_concepts)
    for model in models:
        yield from _own_natural_faults(root, manifest, model)
    for source in [NATURAL, *models]:
        key = (NATURAL_IMAGES.path, None) if source == NATURAL else (PAIR_DISTANCES.path, source)
        yield from _sparse_faults(root, source, n_concepts, rows.get(key))
        path = generation_energies_path(root, source)
        if path.is_file() and key in rows:
            yield from _generation_faults(path, n_concepts, rows[key])
    counts = {
        NATURAL: rows.get((NATURAL_IMAGES.path, None)),
        **{model: rows.get((PAIR_DISTANCES.path, model)) for model in models},
    }
    yield from _feature_faults(root, counts)


def _feature_faults(root: Path, counts: Mapping[str, int | None]) -> Iterator[str]:
    widths: dict[str, int] = {}
    for source, rows in counts.items():
        path = features_path(root, source)
        if not path.is_file():
            continue
        try:
            features = ImageFeatures.load(path)
        except BlindspotsError as error:
            yield str(error)
            continue
        widths[source] = features.width
        if rows is not None and features.n_images != rows:
            yield f"features of {source} have {features.n_images} rows, its table has {rows}"
    if len({*widths.values()}) > 1:
        told = ", ".join(f"{source} {width}" for source, width in widths.items())
        yield f"features differ in width ({told}), though they are of one backbone"


def _generation_faults(path: Path, n_concepts: int, pairs: int) -> Iterator[str]:
    try:
        found = GenerationEnergies.load(path, pairs).energies.n_concepts
    except BlindspotsError as error:
        yield str(error)
        return
    if found != n_concepts:
        yield f"{path} has {found} concepts instead of {n_concepts}"


def _label_faults(root: Path, n_concepts: int) -> Iterator[str]:
    """Names in another form are those of another version, and are passed over."""
    try:
        concepts = pq.read_table(table_path(root, LABELS)).column("concept").to_numpy()
    except (pa.ArrowException, OSError, KeyError) as error:
        yield f"{LABELS.path} is not a table of labels ({error})"
        return
    if len(concepts) and not (concepts.min() >= 0 and concepts.max() < n_concepts):
        yield f"{LABELS.path} names a concept that is none of the {n_concepts}"


def _own_natural_faults(root: Path, manifest: Manifest, model: str) -> Iterator[str]:
    name = OWN_NATURAL.path.format(model=model)
    if name not in manifest.files:
        return
    try:
        own = pq.read_table(root / name)["pair_id"].to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        yield f"{name} is not a table of natural images ({error})"
        return
    there = pq.read_table(table_path(root, NATURAL_IMAGES), columns=["pair_id"])["pair_id"]
    if missing := sorted(set(own) - set(there.to_pylist())):
        yield f"{name} names {missing[0]!r}, which {NATURAL_IMAGES.path} does not have"


def _schema_faults(name: str, spec: TableSpec, schema: pa.Schema) -> Iterator[str]:
    for column in spec.columns:
        index = schema.get_field_index(column.name)
        if index < 0 and column.optional:
            continue
        if index < 0:
            yield f"{name} lacks the column {column.name!r}"
        elif schema.field(index).type != column.type:
            kind = schema.field(index).type
            yield f"{name}: column {column.name!r} is {kind} instead of {column.type}"


def _sparse_faults(root: Path, source: str, n_concepts: int, rows: int | None) -> Iterator[str]:
    try:
        energies = ImageEnergies.load(energies_path(root, source))
        Heatmaps.load(heatmaps_path(root, source))
    except BlindspotsError as error:
        yield str(error)
        return
    if energies.n_concepts != n_concepts:
        yield f"energies of {source} have {energies.n_concepts} concepts instead of {n_concepts}"
    if rows is not None and energies.n_images != rows:
        yield f"energies of {source} have {energies.n_images} images for {rows} rows of its table"
