"""Writing a bundle: tables by schema, then the manifest that names every file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import blindspots_hub
from blindspots_hub.artifacts.cards.templates import write_bundle_card
from blindspots_hub.artifacts.inventory import regular_size
from blindspots_hub.artifacts.layout import (
    MANIFEST,
    PARTS,
    SHARDED,
    is_known,
    of_results,
    shard_folder,
    shard_name,
    table_path,
)
from blindspots_hub.artifacts.manifest import FileEntry, Manifest
from blindspots_hub.artifacts.schema import IMAGE, SCHEMA_VERSION, THUMBNAILS, TableSpec
from blindspots_hub.utils.files import atomic, json_bytes, partial_beside, sha256_file, write_json
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

GROUP_BYTES = 48 * 1024**2
"""Bytes of the images of a row group, unless one image alone has more: what a reader unpacks at
once, and what a query over the Hub fetches."""

SHARD_BYTES = 500 * 1024**2
"""Bytes of the images of a file; a table with more lies in shards (`datasets` cuts there, too)."""

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
    They may come in blocks of rows, of which one at a time is in memory. Row groups hold
    `GROUP_BYTES` of images at most; a table with images beyond `SHARD_BYTES` becomes shards, and
    stands there whole or not at all.
    """
    blocks = [columns] if isinstance(columns, Mapping) else columns
    pieces = (piece for block in blocks for piece in _pieces(spec, block))
    write_pieces(root, spec, pieces, model)


def write_pieces(
    root: Path,
    spec: TableSpec,
    pieces: Iterable[pa.Table],
    model: str | None = None,
    schema: pa.Schema | None = None,
) -> list[Path]:
    """Write Arrow tables, each as a row group or several, and return the files of the table.

    `schema` is by default that of the first, or of `spec` where there is none.
    """
    path = table_path(root, spec, model)
    coming = iter(pieces)
    first = next(coming, None)
    if first is None:
        first = pa.Table.from_batches([], schema or spec.schema)
    rows = PICTURES_A_GROUP if spec == THUMBNAILS else None
    work = partial_beside(path)
    try:
        count = 0
        piece: pa.Table | None = first
        while piece is not None:
            filled = 0
            with ExitStack() as stack:
                partial = stack.enter_context(atomic(work / f"{count:05d}"))
                file = stack.enter_context(sink(partial))
                writer = stack.enter_context(
                    pq.ParquetWriter(file, schema or first.schema, **PARQUET)
                )
                while piece is not None:
                    writer.write_table(piece, rows)
                    filled += _image_bytes(piece)
                    piece = next(coming, None)
                    more = 0 if piece is None else _image_bytes(piece)
                    if spec in SHARDED and more and filled + more > SHARD_BYTES:
                        break
            count += 1
        return _placed(work, path, count, spec in SHARDED)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _placed(work: Path, path: Path, count: int, sharded: bool) -> list[Path]:
    """Give what lies in `work` the names by which a table is found, in place of what was there."""
    folder = shard_folder(path)
    if count == 1:
        os.replace(work / f"{0:05d}", path)
        if sharded and folder.is_dir():
            _remove_shards(folder)
        return [path]
    names = [shard_name(number, count) for number in range(count)]
    for number, name in enumerate(names):
        os.rename(work / f"{number:05d}", work / name)
    if folder.is_dir():
        _remove_shards(folder)
    os.rename(work, folder)
    path.unlink(missing_ok=True)
    return [folder / name for name in names]


def _remove_shards(folder: Path) -> None:
    """Remove the shards that an earlier table left, and their folder."""
    for one in folder.glob("?????-of-?????.parquet"):
        one.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _pieces(spec: TableSpec, columns: Columns) -> Iterator[pa.Table]:
    """The rows of `columns` as tables whose images are `GROUP_BYTES` at most."""
    sizes = _sizes(columns["image"]) if "image" in columns and "image" in spec.names else None
    if sizes is None or int(sizes.sum()) <= GROUP_BYTES:
        yield _table(spec, columns)
        return
    start = 0
    ends = np.cumsum(sizes)
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + GROUP_BYTES, "right")), start + 1)
        yield _table(spec, {name: column[start:stop] for name, column in columns.items()})
        start = stop


def in_groups(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table that is in memory, with images of `GROUP_BYTES` at most in each part."""
    index = table.schema.get_field_index("image")
    if index < 0 or not table.num_rows:
        yield table
        return
    ends, start = np.cumsum(_sizes(table.column(index))), 0
    while start < table.num_rows:
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + GROUP_BYTES, "right")), start + 1)
        yield table.slice(start, stop - start)
        start = stop


def _sizes(images: Any) -> np.ndarray:
    """Bytes of every image of a column, int64."""
    if isinstance(images, (pa.Array, pa.ChunkedArray)):
        chunks = images.chunks if isinstance(images, pa.ChunkedArray) else [images]
        found = [_lengths(chunk) for chunk in chunks]
        return np.concatenate(found) if found else np.zeros(0, np.int64)
    return np.array([len(cell["bytes"] or b"") if cell else 0 for cell in images], np.int64)


def _lengths(cells: pa.StructArray) -> np.ndarray:
    lengths = pc.fill_null(pc.binary_length(cells.field("bytes")), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)


def _image_bytes(table: pa.Table) -> int:
    """Bytes of the images of a table that is written."""
    index = table.schema.get_field_index("image")
    if index < 0 or table.schema.field(index).type != IMAGE:
        return 0
    return int(_sizes(table.column(index)).sum())


def _table(spec: TableSpec, columns: Columns) -> pa.Table:
    given = [c for c in spec.columns if not c.optional or c.name in columns]
    if set(columns) != {c.name for c in given}:
        names = sorted(set(columns) ^ {c.name for c in given})
        raise ValueError(f"{spec.path}: columns differ: {names}")
    arrays = [pa.array(columns[c.name], c.type, from_pandas=c.nullable) for c in given]
    return pa.Table.from_arrays(arrays, schema=replace(spec, columns=tuple(given)).schema)


def write_manifest(
    root: Path, fields: Mapping[str, Any], known: Mapping[str, FileEntry] | None = None
) -> Manifest:
    """Write the card and `bundle.json`: `fields`, and sha256 and size of every file of the bundle.

    Written last, so that a folder with a manifest is a whole bundle. What has no place in a bundle
    (`layout.is_known`), hidden folders and the store of generated images do not belong to it, nor
    does a link; cards do, but are not vouched for. Where there are labels or findings, `results` is
    the sha256 of the manifest without them, unless it is given. `known` are entries of files that
    were checked before and are the same files still, so that they are not read again.
    """
    models = [str(model["name"]) for model in fields.get("models", ())]
    files = {}
    for part in PARTS:
        for path in sorted((root / part).rglob("*")):
            name = path.relative_to(root).as_posix()
            if is_known(name, models) and regular_size(path) is not None:
                entry = (known or {}).get(name)
                files[name] = entry or FileEntry(sha256_file(path), path.stat().st_size)
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
