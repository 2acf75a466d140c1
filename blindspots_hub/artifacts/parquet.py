"""Reading one parquet file without the machinery of datasets, whose import takes half a second."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def read_table(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """A table, or some of its `columns`; a file that is none raises `OSError` or ArrowException."""
    return pq.ParquetFile(path).read(columns=None if columns is None else list(columns))
