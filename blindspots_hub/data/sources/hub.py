"""Rows of a Hub data set, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from blindspots_hub.data.images import MAX_BYTES
from blindspots_hub.data.parquet_rows import as_text
from blindspots_hub.data.sources.rows import Row, SourceOptions, cell, columns_for
from blindspots_hub.data.text_tables import column_of
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.hub_probe import hub_reachable


def hub_rows(source: str, options: SourceOptions) -> Iterator[Row]:
    """Rows of "org/name[@revision]": of the split that is named, else of train or the first one.

    Raises `BlindspotsError` where the Hub does not answer or does not let it be read, and where it
    lacks the columns, the split or the configuration.
    """
    if not hub_reachable():
        raise BlindspotsError(
            f"{source} is neither a file nor a folder here, and the Hugging Face Hub cannot be "
            "reached: connect, or give a folder of images with captions, or a .parquet file."
        )
    name = source.partition("@")[0]
    try:
        stream = _stream(source, options)
        if stream.features:  # a column of pictures may name any file or address: none is opened
            stream = stream.decode(False)
        columns = list(stream.features or next(iter(stream), {}))
        caption, image = columns_for(columns, options, source)
        url = column_of(columns, ("url",))
        asked = [_whole(column, columns) for column in (caption, image)]
        stream = stream.select_columns(list(dict.fromkeys([*asked, *filter(None, [url])])))
        for number, record in enumerate(stream, start=1):
            found = _image(cell(record, image), name)
            where = f"{source} row {number}"
            yield Row(as_text(cell(record, caption)), found, _url(record, url), where)
    except BlindspotsError:
        raise
    except Exception as error:  # the network, and every file format that datasets reads
        raise _told(source, error) from error


def _whole(column: str, columns: list[str]) -> str:
    """The column of a data set that "a.b" is a field of, or the column itself."""
    return column if column in columns else column.partition(".")[0]


def _stream(source: str, options: SourceOptions) -> Any:
    import datasets

    name, _, revision = source.partition("@")
    named = {} if options.config is None else {"name": options.config}
    splits = datasets.load_dataset(name, revision=revision or None, streaming=True, **named)
    if options.split is None:
        return splits["train"] if "train" in splits else next(iter(splits.values()))
    if options.split not in splits:
        raise BlindspotsError(
            f"The data set {source} has no split {options.split}: name one of "
            f"{', '.join(map(str, splits))}."
        )
    return splits[options.split]


def _told(source: str, error: Exception) -> BlindspotsError:
    first = (str(error).strip().splitlines() or [""])[0][:300]
    words = str(error)
    if "gated" in words or "ask for access" in words:
        return BlindspotsError(
            f"The data set {source} is gated: accept its terms on its page of the Hub, then log in "
            "with `hf auth login`."
        )
    if "Config name is missing" in words or "BuilderConfig" in words:
        known = re.findall(r"'([^']+)'", words.partition("[")[2].partition("]")[0])
        return BlindspotsError(
            f"The data set {source} has several configurations: name one with --config"
            f"{f' ({chr(44).join(known[:20])})' if known else ''}."
        )
    return BlindspotsError(
        f"The dataset {source} cannot be read ({type(error).__name__}: {first}): "
        "check its name and your access to it."
    )


def _image(found: object, dataset: str) -> bytes | None:
    """The image of a Hub row: embedded, or a file of the same repository; never a local file."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict):
        found = found.get("bytes") or found.get("path")
    if isinstance(found, bytes):
        return found
    if isinstance(found, str) and re.match(rf"hf://datasets/{re.escape(dataset)}[@/]", found):
        from huggingface_hub import HfFileSystem

        with HfFileSystem().open(found, "rb") as handle:
            content: bytes = handle.read(MAX_BYTES + 1)
        return content
    return None


def _url(record: dict[str, Any], column: str | None) -> str | None:
    value = record.get(column) if column is not None else None
    return value if isinstance(value, str) and value else None
