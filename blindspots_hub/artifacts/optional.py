"""Tables that a bundle may have beside those it must have: findings, labels, features.

They are found by the manifest and come and go without touching what was measured: a bundle keeps
its identity (ids, links) whichever of them it holds. Names of tables that this program does not
know are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.artifacts.layout import MANIFEST, table_path
from blindspots_hub.artifacts.schema import TableSpec
from blindspots_hub.artifacts.writer import PARQUET, write_manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic, read_json, sha256_file

RESULTS = "results"
"""Field of the manifest: the identity of what was measured, once optional tables were added."""

RENEWED = ("schema_version", "created_with", "packages", "files")
"""Fields that writing a manifest fills in."""


def identity(root: Path, manifest: Mapping[str, object]) -> str:
    """What names a bundle's results: the sha256 of the manifest that was written with them."""
    return str(manifest.get(RESULTS) or sha256_file(root / MANIFEST))


def add_tables(root: Path, tables: Mapping[TableSpec, pa.Table]) -> None:
    """Write optional tables into the bundle at `root`, and its manifest anew.

    The manifest keeps the versions and the program that the results were made with. Raises
    `BlindspotsError` where the folder cannot be written.
    """
    manifest = read_json(root / MANIFEST)
    results = identity(root, manifest)
    try:
        for spec, table in tables.items():
            schema = spec.schema.with_metadata(table.schema.metadata)
            with atomic(table_path(root, spec)) as partial:
                pq.write_table(table.cast(schema), partial, **PARQUET)
        kept = {name: manifest[name] for name in ("schema_version", "created_with", "packages")}
        fields = {name: value for name, value in manifest.items() if name not in RENEWED}
        write_manifest(root, {**fields, **kept, RESULTS: results})
    except PermissionError as error:
        raise BlindspotsError(
            f"{root} cannot be written: copy the bundle to a folder of yours."
        ) from error


def read_optional(root: Path, manifest: Mapping[str, object], spec: TableSpec) -> pa.Table | None:
    """An optional table, or None where the manifest does not name it.

    One whose columns are not those of `spec` was written by another version and is passed over.
    """
    files = manifest["files"]
    if not isinstance(files, dict) or spec.path not in files:
        return None
    table = pq.read_table(root / spec.path)
    named = {field.name: field.type for field in table.schema}
    same = all(named.get(column.name) == column.type for column in spec.columns)
    return table.select(list(spec.names)) if same else None
