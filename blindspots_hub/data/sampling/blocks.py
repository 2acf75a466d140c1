"""Files of a sample: blocks of candidates in their order, each with its attempts and its pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.sink import sink

BLOCK = 256
"""Candidates of a block."""

ATTEMPTS, PAIRS = "attempts", "pairs"
"""Folders of a sample."""

_CUT = b"cut"
"""Key of a file's metadata: enough pairs were found within this block."""

ATTEMPT = pa.schema(
    [
        ("place", pa.int64()),
        ("key", pa.string()),
        ("url", pa.string()),
        ("caption", pa.string()),
        ("cause", pa.string()),
        ("status", pa.int32()),
        ("final_url", pa.string()),
        ("redirects", pa.int32()),
        ("tries", pa.int32()),
        ("bytes", pa.int64()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("perceptual_hash", pa.uint64()),
        ("size_matches", pa.bool_()),
        ("hash_matches", pa.bool_()),
        ("copy_of", pa.int64()),
    ]
)
"""Of every candidate: its place in the seeded order, `key` (file#row group:row), what it says, the
`cause` for which it is no pair ("ok" where it is one), the answer, and whether a recorded size or
hash of the file still holds (null where none is recorded). `copy_of` is the earlier one's place."""

_PAIR: dict[str, tuple[pa.DataType, Any]] = {
    "pair_id": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "caption": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "image": (pa.struct([("bytes", pa.binary()), ("path", pa.string())]), {"_type": "Image"}),
    "url": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "image_sha256": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "width": (pa.int32(), {"dtype": "int32", "_type": "Value"}),
    "height": (pa.int32(), {"dtype": "int32", "_type": "Value"}),
    "place": (pa.int64(), {"dtype": "int64", "_type": "Value"}),
    "key": (pa.string(), {"dtype": "string", "_type": "Value"}),
}

_GROUP = 16
"""Pairs of a row group: what memory holds at once."""


def write_block(
    folder: Path,
    number: int,
    attempts: Sequence[Mapping[str, Any]],
    pairs: Iterator[Mapping[str, Any]],
    cut: bool,
) -> None:
    """Write a block: its pairs first, then its attempts, which make it whole."""
    features = {name: feature for name, (_, feature) in _PAIR.items()}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    schema = pa.schema([(name, kind) for name, (kind, _) in _PAIR.items()], metadata=metadata)
    path = folder / PAIRS / _name(number)
    first = next(pairs, None)
    if first is None:
        path.unlink(missing_ok=True)
    else:
        with (
            atomic(path) as partial,
            sink(partial) as file,
            pq.ParquetWriter(
                file, schema, compression="zstd", use_content_defined_chunking=True
            ) as writer,
        ):
            rows = [first]
            for row in pairs:
                if len(rows) == _GROUP:
                    writer.write_table(pa.Table.from_pylist(rows, schema))
                    rows = []
                rows.append(row)
            writer.write_table(pa.Table.from_pylist(rows, schema))
    marked = ATTEMPT.with_metadata({_CUT: b"1"}) if cut else ATTEMPT
    with atomic(folder / ATTEMPTS / _name(number)) as partial, sink(partial) as file:
        pq.write_table(pa.Table.from_pylist(list(attempts), marked), file, compression="zstd")


def whole_blocks(folder: Path) -> Iterator[pa.Table]:
    """Attempts of the blocks that are whole, in their order, up to the first that is not."""
    number = 0
    while (path := folder / ATTEMPTS / _name(number)).is_file():
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise BlindspotsError(
                f"{path} is damaged ({error}): remove the file and run the same again."
            ) from error
        if table.schema.names != ATTEMPT.names:
            raise BlindspotsError(f"{path} is no table of attempts: choose another folder.")
        yield table
        number += 1


def is_cut(attempts: pa.Table) -> bool:
    """Whether a block ends with candidates that were not needed."""
    return _CUT in (attempts.schema.metadata or {})


def remove_from(folder: Path, number: int) -> None:
    """Remove a block and all that follow."""
    for kind in (ATTEMPTS, PAIRS):
        for path in (folder / kind).glob("*.parquet"):
            if path.name >= _name(number):
                path.unlink()


def pair_files(folder: Path) -> list[Path]:
    """The files that hold a sample's pairs, in their order."""
    return sorted((folder / PAIRS).glob("*.parquet"))


def _name(number: int) -> str:
    return f"{number:06d}.parquet"
