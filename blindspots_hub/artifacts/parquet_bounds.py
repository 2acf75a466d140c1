"""Opening a foreign parquet file: what it says of itself is bounded before any of it is unpacked.

A few kilobytes can claim a thousand million rows, or hold one long word that every row repeats. So
rows, unpacked bytes and members of lists are held against limits by the file's footer, and texts
are read as dictionaries, whose words are measured before they are spread over the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blindspots_hub.artifacts.limits import (
    COLUMNS,
    FOOTER_BYTES,
    INFLATED,
    LIST,
    RATIO,
    ROW_GROUPS,
    TEXT_BYTES,
)
from blindspots_hub.artifacts.schema import IMAGE

_MAGIC = b"PAR1"


class Unreadable(Exception):
    """A file that is no table, or one that claims more than it may; the message says which."""


@dataclass(frozen=True)
class BoundedTable:
    """A table whose footers were found to be within the limits; `rows` is what they say.

    `files` are its file or its shards, of one schema, and `size` their bytes.
    """

    files: tuple[pq.ParquetFile, ...]
    schema: pa.Schema
    rows: int
    size: int

    def read(self, columns: Collection[str]) -> pa.Table:
        """Some columns, texts as dictionaries; `Unreadable` where their bytes are damaged."""
        try:
            # Group by group, as each has dictionaries of its own.
            groups = [
                file.read_row_group(group, columns=list(columns), use_threads=False)
                for file in self.files
                for group in range(file.num_row_groups)
            ]
            none = self.files[0].read if not groups else None
            return none(columns=list(columns)) if none else pa.concat_tables(groups)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise Unreadable(f"cannot be read ({_first_line(error)})") from error

    def images(self, column: str = "image") -> Iterator[pa.StructArray]:
        """The cells of an image column, some at a time, their contents as dictionaries."""
        try:
            for file in self.files:
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(
                        64, row_groups=[group], columns=[column], use_threads=False
                    ):
                        yield batch.column(column)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise Unreadable(f"cannot be read ({_first_line(error)})") from error


def open_bounded(paths: Path | Sequence[Path], most_rows: int) -> BoundedTable:
    """Open a table of at most `most_rows`; `Unreadable` where it is none or claims too much.

    Of several `paths` all must have the same columns.
    """
    opened: list[BoundedTable] = []
    for path in [paths] if isinstance(paths, Path) else paths:
        opened.append(_open_file(path, most_rows - sum(one.rows for one in opened)))
        if not opened[-1].schema.equals(opened[0].schema):
            raise Unreadable("has shards with unlike columns")
    return BoundedTable(
        tuple(file for one in opened for file in one.files),
        opened[0].schema,
        sum(one.rows for one in opened),
        sum(one.size for one in opened),
    )


def _open_file(path: Path, most_rows: int) -> BoundedTable:
    size = path.stat().st_size
    footer = _footer_bytes(path, size)
    if footer > FOOTER_BYTES:
        raise Unreadable(f"has a footer of {footer:,} bytes")
    try:
        described = pq.read_metadata(path)
        schema = described.schema
        if described.num_columns > COLUMNS or described.num_row_groups > ROW_GROUPS:
            raise Unreadable(
                f"has {described.num_columns:,} columns in {described.num_row_groups:,} groups"
            )
        texts = [
            schema.column(i).path
            for i in range(described.num_columns)
            if schema.column(i).physical_type == "BYTE_ARRAY"
        ]
        _check_claims(described, size, most_rows)
        file = pq.ParquetFile(path, read_dictionary=texts)
        plain = pq.ParquetFile(path).schema_arrow
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise Unreadable(f"is not a parquet file ({_first_line(error)})") from error
    return BoundedTable((file,), plain, described.num_rows, size)


def _footer_bytes(path: Path, size: int) -> int:
    with open(path, "rb") as handle:
        if size < 12 or handle.read(4) != _MAGIC:
            raise Unreadable("is not a parquet file (it does not begin as one)")
        handle.seek(size - 8)
        tail = handle.read(8)
    if tail[4:] != _MAGIC:
        raise Unreadable("is not a parquet file (it does not end as one)")
    footer = int.from_bytes(tail[:4], "little")
    if footer > size:
        raise Unreadable("is not a parquet file (its footer is longer than itself)")
    return footer


def _check_claims(described: pq.FileMetaData, size: int, most_rows: int) -> None:
    rows = described.num_rows
    if not 0 <= rows <= most_rows:
        raise Unreadable(f"claims {rows:,} rows, of {most_rows:,} at most")
    inflated = counted = 0
    most_inflated = INFLATED + RATIO * size
    for group in range(described.num_row_groups):
        one = described.row_group(group)
        counted += one.num_rows
        for column in range(one.num_columns):
            chunk = one.column(column)
            inflated += chunk.total_uncompressed_size
            name = chunk.path_in_schema
            if chunk.total_uncompressed_size < 0 or inflated > most_inflated:
                raise Unreadable(f"unpacks to more than {most_inflated:,} bytes")
            most = one.num_rows * (LIST if ".list." in name else 1)
            if chunk.num_values > max(most, one.num_rows):
                raise Unreadable(f"claims {chunk.num_values:,} values in its column {name}")
    if counted != rows:
        raise Unreadable(f"claims {rows:,} rows and holds {counted:,}")


def text_fault(column: pa.ChunkedArray, longest: int) -> str | None:
    """What is wrong with the texts of a column that was read as dictionaries; None: nothing."""
    total = 0
    for chunk in _flat(column):
        if len(chunk.dictionary) == 0:
            continue
        words = chunk.dictionary.view(pa.binary()) if _is_text(chunk.dictionary) else None
        if words is None:
            return "holds no texts"
        lengths = pc.binary_length(words)
        if (pc.max(lengths).as_py() or 0) > 4 * longest:  # UTF-8 has up to four bytes a character
            return f"holds a text of more than {longest:,} characters"
        if pc.max(pc.utf8_length(_checked(chunk.dictionary))).as_py() > longest:
            return f"holds a text of more than {longest:,} characters"
        total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
        if total > TEXT_BYTES:
            return f"holds more than {TEXT_BYTES:,} bytes of text"
    return None


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _checked(array: pa.Array) -> pa.Array:
    """Texts that are UTF-8; `Unreadable` where they are not, as others would end in an error."""
    try:
        array.validate(full=True)
    except pa.ArrowException as error:
        raise Unreadable("holds a text that is not UTF-8") from error
    return array


def _flat(column: pa.ChunkedArray) -> Iterator[pa.DictionaryArray]:
    for chunk in column.chunks:
        flat = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
        if isinstance(flat, pa.DictionaryArray):
            yield flat
        else:
            yield flat.dictionary_encode()


def plain(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column whose lengths were checked, one a row or one a member of a list."""
    chunks = [chunk.dictionary_decode().cast(pa.string()) for chunk in _flat(column)]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def is_image_column(kind: pa.DataType) -> bool:
    """Whether a column holds images."""
    return bool(kind == IMAGE)
