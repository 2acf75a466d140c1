"""Writing a bundle: tables by schema, then the manifest that names every file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import blindspots_hub
from blindspots_hub.artifacts.cards.templates import write_bundle_card
from blindspots_hub.artifacts.inventory import regular_size
from blindspots_hub.artifacts.layout import MANIFEST, PARTS, is_known, of_results, table_path
from blindspots_hub.artifacts.manifest import FileEntry, Manifest
from blindspots_hub.artifacts.schema import SCHEMA_VERSION, THUMBNAILS, TableSpec
from blindspots_hub.utils.files import atomic, json_bytes, sha256_file, write_json
from blindspots_hub.utils.sink import sink

PACKAGES = (
    "torch",
    "transformers",
    "diffusers",
    "safetensors",
    "numpy",
    "scipy",
    "pyarrow",
    "pillow",
)
"""Packages whose version a result may depend on; recorded in the manifest."""


# The Hub stores chunks that it has seen before once. Images are compressed already, but equal ones
# side by side (thumbnails of one picture by several models) cost nothing under zstd.
PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_content_defined_chunking": True,
    "write_page_index": True,
}
"""How every table of a bundle is written."""

PICTURES_A_GROUP = 256
"""Rows of a row group of thumbnails: a reader that wants one picture reads no more than these."""

Columns = Mapping[str, Any]
"""Columns of a table by name."""


def image_cell(content: bytes | None, name: str) -> dict[str, Any] | None:
    """An image as the Hub's Image feature stores it; `name` tells viewers its format."""
    return None if content is None else {"bytes": content, "path": name}


def write_table(
    root: Path,
    spec: TableSpec,
    columns: Columns | Iterable[Columns],
    model: str | None = None,
) -> None:
    """Write `columns` as the table `spec`; a missing or extra column is a `ValueError`.

    Optional columns may be left out, in every block alike.
    They may come in blocks of rows, of which one at a time is in memory.
    """
    blocks = iter([columns] if isinstance(columns, Mapping) else columns)
    first = next(blocks, None)
    first = pa.Table.from_batches([], spec.schema) if first is None else _table(spec, first)
    rows = PICTURES_A_GROUP if spec == THUMBNAILS else None
    with (
        atomic(table_path(root, spec, model)) as partial,
        sink(partial) as file,
        pq.ParquetWriter(file, first.schema, **PARQUET) as writer,
    ):
        writer.write_table(first, rows)
        for block in blocks:
            writer.write_table(_table(spec, block), rows)


def _table(spec: TableSpec, columns: Columns) -> pa.Table:
    given = [c for c in spec.columns if not c.optional or c.name in columns]
    if set(columns) != {c.name for c in given}:
        names = sorted(set(columns) ^ {c.name for c in given})
        raise ValueError(f"{spec.path}: columns differ: {names}")
    arrays = [pa.array(columns[c.name], c.type, from_pandas=c.nullable) for c in given]
    return pa.Table.from_arrays(arrays, schema=replace(spec, columns=tuple(given)).schema)


def write_manifest(root: Path, fields: Mapping[str, Any]) -> Manifest:
    """Write the card and `bundle.json`: `fields`, and sha256 and size of every file of the bundle.

    Written last, so that a folder with a manifest is a whole bundle. What has no place in a bundle
    (`layout.is_known`), hidden folders and the store of generated images do not belong to it, nor
    does a link; cards do, but are not vouched for. Where there are labels or findings, `results` is
    the sha256 of the manifest without them, unless it is given.
    """
    models = [str(model["name"]) for model in fields.get("models", ())]
    files = {}
    for part in PARTS:
        for path in sorted((root / part).rglob("*")):
            name = path.relative_to(root).as_posix()
            if is_known(name, models) and regular_size(path) is not None:
                files[name] = FileEntry(sha256_file(path), path.stat().st_size)
    given = {
        "schema_version": SCHEMA_VERSION,
        "created_with": f"blindspots_hub {blindspots_hub.__version__}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        **fields,
        "files": {},
    }
    manifest = replace(Manifest.from_json(given, root / MANIFEST), files=files)
    own = {name: entry for name, entry in files.items() if of_results(name)}
    if len(own) < len(files) and manifest.results is None:
        content = json_bytes(replace(manifest, files=own).to_json())
        manifest = replace(manifest, results=hashlib.sha256(content).hexdigest())
    write_bundle_card(root, manifest)
    write_json(root / MANIFEST, manifest.to_json())
    return manifest


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
