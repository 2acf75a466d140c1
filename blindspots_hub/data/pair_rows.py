"""Rows of caption and image from a folder, a table file or a Hub dataset, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.data.beside import file_beside
from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.data.images import MAX_BYTES
from blindspots_hub.data.listing import IMAGE_SUFFIXES, ImageListing, image_listing
from blindspots_hub.data.sampling.sample import ABOUT, sampled_files
from blindspots_hub.data.text_tables import Table, column_of, decode, json_lines, separated
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import near_name
from blindspots_hub.utils.hub_probe import hub_reachable

CAPTION_COLUMNS = ("caption", "text", "prompt")
"""Columns that may hold the caption; the first one present does (upper or lower case)."""

IMAGE_COLUMNS = ("image", "file_name", "image_path")
"""Columns that may hold the image: bytes, datasets' Image struct, or a path beside the table."""

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

TRIED = 1000
"""Rows of a Hub dataset of which at least one must be a pair, or it is not read on."""

_SIDECARS = (".txt", ".TXT", ".caption")
"""Endings of the file beside an image that holds its caption."""

_MAX_TEXT = 64 * 1024  # bytes of such a file that are read: far beyond any caption


@dataclass(frozen=True)
class Row:
    """A caption and its image as they were found, neither of them checked.

    `caption` is a list where the image has several. `image` is the file's content, its path, or
    None where there is none that may be read; `where` is the row's place, for sentences.
    """

    caption: object
    image: bytes | Path | None
    url: str | None = None
    where: str = ""


@dataclass(frozen=True)
class LeftOut:
    """What of a source never became a row: how much, its cause, and an example's name."""

    cause: str
    count: int
    example: str = ""


def rows_of(source: str | Path) -> Iterator[Row | LeftOut]:
    """Rows of a folder, of a .csv, .tsv, .jsonl or .parquet file, or of a Hub dataset.

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
                f"{path} is no source of pairs: give a folder of images with captions, a .csv, "
                ".tsv, .jsonl or .parquet file, or the id of a Hub dataset."
            )
        return _table(path)
    meant = near_name(path)
    if meant is None and HUB_ID.fullmatch(str(source)):
        return _hub(str(source))
    guess = f"did you mean {meant}? " if meant else ""
    raise BlindspotsError(
        f"{source} does not exist: {guess}Give a folder of images with captions, a .csv, .tsv, "
        ".jsonl or .parquet file, or the id of a Hub dataset such as org/name."
    )


def _folder(folder: Path) -> Iterator[Row | LeftOut]:
    if (folder / ABOUT).is_file():
        return (row for shard in sampled_files(folder) for row in _table(shard))
    for suffix in TABLE_SUFFIXES:
        if (folder / f"metadata{suffix}").is_file():
            return _listed(folder / f"metadata{suffix}")
    has_images = any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
    if not has_images and (shards := sorted(folder.rglob("*.parquet"))):
        return (row for shard in shards for row in _table(shard))
    listing = image_listing(folder)
    if not any(map(_sidecar, listing.images)):
        raise BlindspotsError(
            f"{folder} holds images but no captions: add a metadata.csv with the columns file_name "
            "and caption, or a .txt of the same name beside each image."
        )
    return _captioned(listing)


def _captioned(listing: ImageListing) -> Iterator[Row | LeftOut]:
    """Images with their captions beside them, then what of the folder is none."""
    for image in listing.images:
        caption, where = _text_beside(image)
        yield Row(caption, image, where=where)
    yield from _left_out(listing)


def _listed(table: Path) -> Iterator[Row | LeftOut]:
    """Rows of a folder's table, then how many of the folder's images no row names."""
    named = set()
    for row in _table(table):
        if isinstance(row, Row) and isinstance(row.image, Path):
            named.add(row.image)
        yield row
    try:
        listing = image_listing(table.parent)
    except BlindspotsError:  # all of its images lie in folders inside
        return
    without = [path for path in listing.images if Path(path).absolute() not in named]
    if without:
        yield LeftOut("image_without_row", len(without), without[0].name)


def _left_out(listing: ImageListing) -> Iterator[LeftOut]:
    for cause, count in listing.left_out.items():
        yield LeftOut(cause, count, listing.example if cause == "in_subfolder" else "")


def _sidecar(image: Path) -> Path | None:
    beside = (image.with_suffix(suffix) for suffix in _SIDECARS)
    return next((path for path in beside if path.is_file()), None)


def _text_beside(image: Path) -> tuple[object, str]:
    """The caption in the file beside an image, and where it stands; bytes where it is no text."""
    text = _sidecar(image)
    if text is None:
        return None, f"{image.name} has no .txt beside it"
    with open(text, "rb") as handle:
        content = handle.read(_MAX_TEXT)
    if len(content) == _MAX_TEXT:
        return content.decode("utf-8", "replace"), text.name  # told to be too long
    try:
        return decode(content, text.name), text.name
    except BlindspotsError as error:
        return content, str(error)


def _table(path: Path) -> Iterator[Row]:
    wanted = (CAPTION_COLUMNS, IMAGE_COLUMNS)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table, unit = _parquet(path), "row"
    else:
        table, unit = (json_lines(path) if suffix == ".jsonl" else separated(path, wanted)), "line"
    caption, image = (column_of(table.columns, names) for names in wanted)
    if caption is None or image is None:
        names = CAPTION_COLUMNS if caption is None else IMAGE_COLUMNS
        raise BlindspotsError(
            f"{path} has no column {', '.join(names[:-1])} or {names[-1]} (it has "
            f"{', '.join(table.columns) or 'none'}): rename the column that holds the "
            f"{'captions' if caption is None else 'images'}."
        )
    url = column_of(table.columns, ("url",))
    for number, record in table.rows:
        yield Row(
            record.get(caption),
            _local_image(record.get(image), path.parent),
            _url(record, url),
            f"{path.name} {unit} {number}",
        )


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BlindspotsError(f"{path} is not a readable parquet file: fetch it again.") from error
    columns = list(file.schema_arrow.names)
    known = (*CAPTION_COLUMNS, *IMAGE_COLUMNS, "url")
    wanted = [name for name in columns if name.strip().lower() in known]

    def records() -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            batches = file.iter_batches(batch_size=64, columns=wanted)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
        except (pa.ArrowException, OSError) as error:
            raise BlindspotsError(f"{path} is damaged ({error}): fetch it again.") from error

    return Table(columns, records())


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
        caption = column_of(columns, CAPTION_COLUMNS)
        image = column_of(columns, IMAGE_COLUMNS)
        if caption is None or image is None:
            raise BlindspotsError(
                f"{source} has the columns {', '.join(columns)}, but a caption column "
                f"({', '.join(CAPTION_COLUMNS)}) and an image column ({', '.join(IMAGE_COLUMNS)}) "
                "are needed: give another dataset."
            )
        if stream.features and isinstance(stream.features[image], datasets.Image):
            stream = stream.cast_column(image, datasets.Image(decode=False))
        url = column_of(columns, ("url",))
        for number, record in enumerate(stream, start=1):
            image_found = _hub_image(record[image], name)
            yield Row(record[caption], image_found, _url(record, url), f"{source} row {number}")
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
    return file_beside(folder, cell) if isinstance(cell, str) else None


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


def _url(record: dict[str, Any], column: str | None) -> str | None:
    value = record.get(column) if column is not None else None
    return value if isinstance(value, str) and value else None
