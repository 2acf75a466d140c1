"""Rows of caption and image from a folder, a table file or a Hub dataset, one at a time."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.data.images import IMAGE_SUFFIXES, MAX_BYTES, list_images
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import HUB_ID
from blindspots_hub.utils.hub_probe import hub_reachable

CAPTION_COLUMNS = ("caption", "text", "prompt")
"""Columns that may hold the caption; the first one present does (upper or lower case)."""

IMAGE_COLUMNS = ("image", "file_name", "image_path")
"""Columns that may hold the image: bytes, datasets' Image struct, or a path beside the table."""

TABLE_SUFFIXES = frozenset({".csv", ".jsonl", ".parquet"})

_MAX_TEXT = 64 * 1024  # bytes of a .txt or a .jsonl line that are read: far beyond any caption


@dataclass(frozen=True)
class Row:
    """A caption and its image as they were found, neither of them checked.

    `image` is the file's content, its path, or None where there is none that may be read.
    """

    caption: object
    image: bytes | Path | None
    url: str | None = None


def rows_of(source: str | Path) -> Iterator[Row]:
    """Rows of a folder, of a .parquet, .csv or .jsonl file, or of a Hub dataset.

    Nothing outside the folder that a table lies in is ever read on its behalf. Raises
    `BlindspotsError` where the source is none of these, has no captions, is malformed, or is on a
    Hub that does not answer.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        if path.suffix.lower() not in TABLE_SUFFIXES:
            raise BlindspotsError(
                f"{path} is no source of pairs: give a folder of images with captions, a .parquet, "
                ".csv or .jsonl file, or the id of a Hub dataset."
            )
        return _table(path)
    if HUB_ID.fullmatch(str(source)):
        return _hub(str(source))
    raise BlindspotsError(
        f"{source} does not exist: give a folder of images with captions, a .parquet, .csv or "
        ".jsonl file, or the id of a Hub dataset such as org/name."
    )


def _folder(folder: Path) -> Iterator[Row]:
    for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet"):
        if (folder / name).is_file():
            return _table(folder / name)
    has_images = any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
    if not has_images and (shards := sorted(folder.rglob("*.parquet"))):
        return (row for shard in shards for row in _table(shard))
    images = list_images(folder)
    if not any(image.with_suffix(".txt").is_file() for image in images):
        raise BlindspotsError(
            f"{folder} holds images but no captions: add a metadata.csv with the columns file_name "
            "and caption, or a .txt of the same name beside each image."
        )
    return (Row(_text_beside(image), image) for image in images)


def _text_beside(image: Path) -> str | bytes | None:
    """The caption in the .txt beside an image; bytes where it is not UTF-8."""
    text = image.with_suffix(".txt")
    if not text.is_file():
        return None
    with open(text, "rb") as handle:
        content = handle.read(_MAX_TEXT)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content


def _table(path: Path) -> Iterator[Row]:
    read = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix.lower()]
    columns, records = read(path)
    caption = _column(columns, CAPTION_COLUMNS)
    image = _column(columns, IMAGE_COLUMNS)
    if caption is None or image is None:
        wanted = CAPTION_COLUMNS if caption is None else IMAGE_COLUMNS
        raise BlindspotsError(
            f"{path} has no column {', '.join(wanted[:-1])} or {wanted[-1]} (it has "
            f"{', '.join(columns) or 'none'}): rename the column that holds the "
            f"{'captions' if caption is None else 'images'}."
        )
    url = _column(columns, ("url",))
    for record in records:
        yield Row(
            record.get(caption), _local_image(record.get(image), path.parent), _url(record, url)
        )


def _csv(path: Path) -> tuple[list[str], Iterable[dict[str, Any]]]:
    def records() -> Iterator[dict[str, Any]]:
        with _told(path), open(path, encoding="utf-8-sig", newline="") as handle:
            yield from csv.DictReader(handle)

    with _told(path), open(path, encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle).fieldnames or ()), records()


def _jsonl(path: Path) -> tuple[list[str], Iterable[dict[str, Any]]]:
    def records() -> Iterator[dict[str, Any]]:
        with _told(path), open(path, encoding="utf-8-sig") as handle:
            number = 0
            while line := handle.readline(_MAX_TEXT):
                number += 1
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if not isinstance(record, dict):
                    raise BlindspotsError(
                        f"{path} line {number} is not a JSON object: mend or remove that line."
                    )
                yield record

    return list(next(iter(records()), {})), records()


def _parquet(path: Path) -> tuple[list[str], Iterable[dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BlindspotsError(f"{path} is not a readable parquet file: fetch it again.") from error
    columns = list(file.schema_arrow.names)
    wanted = [name for name in columns if name.lower() in (*CAPTION_COLUMNS, *IMAGE_COLUMNS, "url")]

    def records() -> Iterator[dict[str, Any]]:
        try:
            for batch in file.iter_batches(batch_size=64, columns=wanted):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise BlindspotsError(f"{path} is damaged ({error}): fetch it again.") from error

    return columns, records()


def _hub(source: str) -> Iterator[Row]:
    """Rows of a Hub dataset's train split (or its first one), streamed."""
    if not hub_reachable():
        raise BlindspotsError(
            f"{source} is neither a file nor a folder here, and the Hugging Face Hub cannot be "
            "reached: connect, or give a folder of images with captions, or a .parquet file."
        )
    import datasets

    name, _, revision = source.partition("@")
    try:
        splits = datasets.load_dataset(name, revision=revision or None, streaming=True)
        stream = splits["train"] if "train" in splits else next(iter(splits.values()))
        columns = list(stream.features or next(iter(stream), {}))
        caption = _column(columns, CAPTION_COLUMNS)
        image = _column(columns, IMAGE_COLUMNS)
        if caption is None or image is None:
            raise BlindspotsError(
                f"{source} has the columns {', '.join(columns)}, but a caption column "
                f"({', '.join(CAPTION_COLUMNS)}) and an image column ({', '.join(IMAGE_COLUMNS)}) "
                "are needed: give another dataset."
            )
        if stream.features and isinstance(stream.features[image], datasets.Image):
            stream = stream.cast_column(image, datasets.Image(decode=False))
        url = _column(columns, ("url",))
        for record in stream:
            yield Row(record[caption], _hub_image(record[image], name), _url(record, url))
    except BlindspotsError:
        raise
    except Exception as error:  # the network, and every file format that datasets reads
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise BlindspotsError(
            f"The dataset {source} cannot be read ({type(error).__name__}: {first}): "
            "check its name and your access to it."
        ) from error


def _local_image(cell: object, folder: Path) -> bytes | Path | None:
    """The image of a table's cell; a path counts only where it stays inside `folder`."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str) or not cell or "\0" in cell:
        return None
    path = (folder / cell).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _hub_image(cell: object, dataset: str) -> bytes | None:
    """The image of a Hub row: embedded, or a file of the same repository; never a local file."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, str) and re.match(rf"hf://datasets/{re.escape(dataset)}[@/]", cell):
        from huggingface_hub import HfFileSystem

        with HfFileSystem().open(cell, "rb") as handle:
            content: bytes = handle.read(MAX_BYTES + 1)
        return content
    return None


def _column(columns: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    by_name = {column.lower(): column for column in columns}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _url(record: dict[str, Any], column: str | None) -> str | None:
    value = record.get(column) if column is not None else None
    return value if isinstance(value, str) and value else None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what reading a text table raises into a sentence."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise BlindspotsError(f"{path} is not UTF-8: save it as UTF-8.") from error
    except OSError as error:
        raise BlindspotsError(
            f"{path} cannot be read ({error.strerror}): check your rights to it."
        ) from error
    except csv.Error as error:
        raise BlindspotsError(
            f"{path} is not a readable CSV file ({error}): save it again."
        ) from error
