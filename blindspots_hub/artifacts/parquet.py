"""Reading parquet files without the machinery of datasets, whose import takes half a second."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 256
"""Rows with images that are read at once."""


def read_table(paths: Path | Sequence[Path], columns: Collection[str] | None = None) -> pa.Table:
    """A table, or some of its `columns`, from its file or its shards in their order.

    Images stay in the chunks that they are read in: a single array holds no more than 2 GiB of
    them. A file that is none raises `OSError` or ArrowException.
    """
    files = [pq.ParquetFile(path) for path in _listed(paths)]
    names = list(files[0].schema_arrow.names if columns is None else columns)
    if "image" not in names:
        return pa.concat_tables([file.read(columns=names) for file in files])
    batches = [batch for file in files for batch in file.iter_batches(ROWS, columns=names)]
    return pa.Table.from_batches(batches, None if batches else _schema(files[0], names))


def batches_of(
    paths: Path | Sequence[Path], columns: Collection[str], rows: int = ROWS
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table, some rows at a time; nothing else of it is in memory."""
    for path in _listed(paths):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(rows, columns=list(columns))


def _listed(paths: Path | Sequence[Path]) -> list[Path]:
    return [paths] if isinstance(paths, Path) else list(paths)


def _schema(file: pq.ParquetFile, names: Sequence[str]) -> pa.Schema:
    schema = file.schema_arrow
    return pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
