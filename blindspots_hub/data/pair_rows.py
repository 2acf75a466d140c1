"""Rows of caption and image from a folder, a table file or a Hub dataset, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from blindspots_hub.data.beside import as_spelt, file_beside
from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.data.listing import IMAGE_SUFFIXES, ImageListing, image_listing
from blindspots_hub.data.parquet_rows import as_text, plain_rows
from blindspots_hub.data.sampling.about import ABOUT, sampled_files
from blindspots_hub.data.sources.coco import coco_rows
from blindspots_hub.data.sources.hub import hub_rows
from blindspots_hub.data.sources.rows import LeftOut, Row, SourceOptions, cell, columns_for
from blindspots_hub.data.sources.webdataset import is_tar, tar_rows
from blindspots_hub.data.sources.zipped import zip_rows
from blindspots_hub.data.text_tables import Table, column_of, json_lines, separated
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import near_name
from blindspots_hub.utils.text_encoding import decode

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

TRIED = 1000
"""Rows of a Hub dataset of which at least one must be a pair, or it is not read on."""

_SIDECARS = (".txt", ".TXT", ".caption")
"""Endings of the file beside an image that holds its caption."""

_MAX_TEXT = 64 * 1024  # bytes of such a file that are read: far beyond any caption


def rows_of(source: str | Path, options: SourceOptions | None = None) -> Iterator[Row | LeftOut]:
    """Rows of a folder, a table, a zip, a tar, a COCO captions file, or of a Hub data set.

    Nothing outside the folder that a table lies in is ever read on its behalf. Raises
    `BlindspotsError` where the source is none of these, has no captions, is malformed, or is on a
    Hub that does not answer.
    """
    options = options or SourceOptions()
    path = Path(source).expanduser()
    if path.exists() and options.images and path.suffix.lower() != ".json":
        raise BlindspotsError(f"--images belongs to COCO's captions, which {source} is not.")
    if path.is_file():
        _no_splits(path, options)
    if path.is_dir():
        return _folder(path, options)
    if path.is_file():
        return _file(path, options)
    meant = near_name(path)
    if meant is None and HUB_ID.fullmatch(str(source)):
        return hub_rows(str(source), options)
    guess = f"did you mean {meant}? " if meant else ""
    raise BlindspotsError(
        f"{source} does not exist: {guess}Give a folder of images with captions, a .csv, .tsv, "
        ".jsonl or .parquet file, a .zip or .tar, or the id of a Hub dataset such as org/name."
    )


def _file(path: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return _table(path, options)
    if is_tar(path):
        return tar_rows(path, options)
    if suffix == ".zip":
        return zip_rows(path, lambda folder: _folder(folder, options))
    if suffix == ".json":
        return coco_rows(path, options)
    raise BlindspotsError(
        f"{path} is no source of pairs: give a folder of images with captions, a .csv, "
        ".tsv, .jsonl or .parquet file, a .zip of such a folder, a webdataset's .tar, COCO's "
        "captions as .json, or the id of a Hub dataset."
    )


def _folder(folder: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    if (folder / ABOUT).is_file():
        return (row for shard in sampled_files(folder) for row in _table(shard, SourceOptions()))
    files = {path.name.lower(): path for path in folder.iterdir() if path.is_file()}
    for suffix in TABLE_SUFFIXES:
        if (table := files.get(f"metadata{suffix}")) is not None:
            _no_splits(folder, options)
            return _listed(table, options)
    loose = sorted(path for path in files.values() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not any(map(_sidecar, loose)):
        alone = [LeftOut("image_without_caption", len(loose), loose[0].name)] if loose else []
        if shards := sorted(folder.rglob("*.parquet")):
            shards = chosen_shards(folder, shards, options)
            return chain((row for shard in shards for row in _table(shard, options)), alone)
        if tars := sorted(path for path in folder.rglob("*") if is_tar(path)):
            tars = chosen_shards(folder, tars, options)
            return chain((row for tar in tars for row in tar_rows(tar, options)), alone)
    _no_splits(folder, options)
    listing = image_listing(folder)
    if not any(map(_sidecar, listing.images)):
        raise BlindspotsError(
            f"{folder} holds images but no captions: add a metadata.csv with the columns file_name "
            "and caption, or a .txt of the same name beside each image."
        )
    return _captioned(listing)


def _no_splits(path: Path, options: SourceOptions) -> None:
    for name in ("split", "config"):
        if getattr(options, name) is not None:
            raise BlindspotsError(
                f"{path} has no splits or configurations to choose from: leave --{name} out."
            )


def chosen_shards(folder: Path, shards: list[Path], options: SourceOptions) -> list[Path]:
    """Those of the split and configuration that `options` name, where a Hub data set was copied.

    A split is a folder's name or begins a file's ("train-00000-of-00004"), a configuration is a
    folder's.
    """
    for what, name in (("configuration", options.config), ("split", options.split)):
        if name is None:
            continue
        begins = re.compile(rf"{re.escape(name)}([-_.]|$)")
        found = [
            shard
            for shard in shards
            if name in shard.relative_to(folder).parts[:-1]
            or (what == "split" and begins.match(shard.name))
        ]
        if not found:
            names = ", ".join(str(one.relative_to(folder)) for one in shards[:5])
            raise BlindspotsError(
                f"{folder} has no {what} {name} (it has {names}): name one of its own, or leave "
                "it out."
            )
        shards = found
    return shards


def _captioned(listing: ImageListing) -> Iterator[Row | LeftOut]:
    """Images with their captions beside them, then what of the folder is none."""
    for image in listing.images:
        caption, where = _text_beside(image)
        yield Row(caption, image, where=where)
    yield from _left_out(listing)


def _listed(table: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    """Rows of a folder's table, then how many of the folder's images no row names."""
    named = set()
    for row in _table(table, options):
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
    beside = (as_spelt(image.with_suffix(suffix)) for suffix in _SIDECARS)
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


def _table(path: Path, options: SourceOptions) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table, unit = _parquet(path, options), "row"
    elif suffix == ".jsonl":
        table, unit = json_lines(path), "line"
    else:
        wanted = tuple(
            tuple(name.lower() for name in names) for names in (options.captions, options.pictures)
        )
        table, unit = separated(path, wanted), "line"
    caption, image = columns_for(table.columns, options, str(path))
    url = column_of(table.columns, ("url",))
    for number, record in table.rows:
        value = as_text(record.get(url)) if url is not None else None
        yield Row(
            as_text(cell(record, caption)),
            _local_image(cell(record, image), path.parent),
            value if isinstance(value, str) and value else None,
            f"{path.name} {unit} {number}",
        )


def _parquet(path: Path, options: SourceOptions) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BlindspotsError(f"{path} is not a readable parquet file: fetch it again.") from error
    columns = list(file.schema_arrow.names)
    named = (*options.captions, *options.pictures, "url")
    known = {name.lower() for name in named} | {name.partition(".")[0].lower() for name in named}
    wanted = [name for name in columns if name.strip().lower() in known]

    def records() -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            batches = file.iter_batches(batch_size=64, columns=wanted)
            yield from enumerate((row for batch in batches for row in plain_rows(batch)), start=1)
        except (pa.ArrowException, OSError) as error:
            raise BlindspotsError(f"{path} is damaged ({error}): fetch it again.") from error

    return Table(columns, records())


def _local_image(cell: object, folder: Path) -> bytes | Path | None:
    """The image of a table's cell; a path counts only where it stays inside `folder`."""
    if isinstance(cell, list) and len(cell) == 1:  # data sets that can have several have one, too
        cell = cell[0]
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    return file_beside(folder, cell) if isinstance(cell, str) else None
