"""Tables that a bundle may have beside those it must have: findings, labels, features.

They come and go without changing what a bundle says: its identity stays that of its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.artifacts.cards.templates import write_bundle_card
from blindspots_hub.artifacts.layout import LOCK, MANIFEST, table_path
from blindspots_hub.artifacts.manifest import FileEntry, Manifest
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import TableSpec, has_columns, with_optional
from blindspots_hub.artifacts.writer import PARQUET, in_groups
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic, sha256_file, write_json
from blindspots_hub.utils.folder_lock import in_turn
from blindspots_hub.utils.sink import sink


def add_tables(root: Path, tables: Mapping[TableSpec, pa.Table]) -> None:
    """Write optional tables into the bundle at `root`, and its manifest anew.

    The manifest keeps all else that it says: what was measured with which program, and the files
    that are not here. Whoever adds to what a table holds reads it `in_turn`, too. Raises
    `BlindspotsError` where the folder cannot be written, or lies in the cache of the Hub's client:
    its manifest is the published one whenever it is opened.
    """
    check_keeps(root)
    with in_turn(root):
        _add(root, tables)


def check_keeps(root: Path) -> None:
    """`BlindspotsError` where nothing can be kept in the bundle at `root`: before work is begun."""
    if _is_cached(root):
        raise BlindspotsError(
            f"{root.parent.name.replace('--', '/')} was opened from the Hub, and nothing is kept "
            "in a copy of that: pull it to a folder of yours (python -m blindspots_hub pull)."
        )


def _add(root: Path, tables: Mapping[TableSpec, pa.Table]) -> None:
    manifest = Manifest.read(root)
    results = manifest.results or sha256_file(root / MANIFEST)
    files = dict(manifest.files)
    try:
        with ExitStack() as written:
            # All are whole on the disk before the first takes its place, so that hardly a kill
            # comes between a table and the manifest that names its content.
            for spec, table in tables.items():
                schema = spec.schema.with_metadata(table.schema.metadata)
                partial = written.enter_context(atomic(table_path(root, spec)))
                with sink(partial) as file, pq.ParquetWriter(file, schema, **PARQUET) as writer:
                    for rows in in_groups(table.cast(schema)):
                        writer.write_table(rows)
                files[spec.path] = FileEntry(sha256_file(partial), partial.stat().st_size)
        changed = replace(manifest, files=files, results=results)
        write_json(root / MANIFEST, changed.to_json())
        write_bundle_card(root, changed)
    except PermissionError as error:
        raise BlindspotsError(
            f"{root} cannot be written: copy the bundle to a folder of yours."
        ) from error


def _is_cached(root: Path) -> bool:
    if not (root / LOCK).is_file():
        return False
    from blindspots_hub.artifacts.hub.fetch import is_cached

    return is_cached(root)


def read_optional(
    root: Path, manifest: Manifest, spec: TableSpec, model: str | None = None
) -> pa.Table | None:
    """An optional table, or None where the manifest does not name it.

    One whose columns are not those of `spec` was written by another version and is passed over.
    """
    path = table_path(root, spec, model)
    if path.relative_to(root).as_posix() not in manifest.files:
        return None
    table = read_table(path)
    if not has_columns({field.name: field.type for field in table.schema}, spec):
        return None
    return with_optional(table, spec).select(list(spec.names))
