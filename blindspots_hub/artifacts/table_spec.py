"""What a table of a bundle is: its place, what a row is, its columns with unit and meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""The Hub's Image feature, as `datasets` and the dataset viewer read it."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, its unit ("" where it has none) and what it means.

    Where `nullable`, NaN is written as null. An `optional` one need not be there, as bundles of
    another version lack it; it is then read as null.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False
    optional: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One table: where it lies in a bundle, what a row is, and its columns."""

    path: str
    row: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the metadata by which `datasets` decodes images."""
        features = {column.name: _feature(column.type) for column in self.columns}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        return pa.schema([(c.name, c.type) for c in self.columns], metadata=metadata)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def _feature(kind: pa.DataType) -> dict[str, object]:
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    name = {pa.float64(): "float64", pa.float32(): "float32"}.get(kind, str(kind))
    return {"dtype": name, "_type": "Value"}


def has_columns(types: Mapping[str, pa.DataType], spec: TableSpec) -> bool:
    """Whether a table with columns of these `types` has all that `spec` cannot do without."""
    return all(types[c.name] == c.type if c.name in types else c.optional for c in spec.columns)


def with_optional(table: pa.Table, spec: TableSpec) -> pa.Table:
    """`table` with the optional columns of `spec` that it lacks, as nulls."""
    for column in spec.columns:
        if column.optional and column.name not in table.column_names:
            table = table.append_column(column.name, pa.nulls(len(table), column.type))
    return table
