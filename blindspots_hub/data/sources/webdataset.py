"""Tars of images with their captions beside them, as webdataset and img2dataset write them."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from blindspots_hub.data.images import MAX_BYTES
from blindspots_hub.data.listing import IMAGE_SUFFIXES
from blindspots_hub.data.sources.rows import LeftOut, Row, SourceOptions, cell
from blindspots_hub.data.text_tables import decode
from blindspots_hub.errors import BlindspotsError

SUFFIXES = (".tar", ".tar.gz", ".tgz")

_TEXT = (".txt", ".caption", ".json")
_MAX_TEXT = 1 << 20
"""Bytes of a caption's file that are read; a longer one is no caption."""


def is_tar(path: Path) -> bool:
    """Whether a file is named as a tar."""
    return path.name.lower().endswith(SUFFIXES)


def tar_rows(path: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    """Rows of a tar, read once from its beginning; nothing is unpacked to disk.

    Members that share their name up to the first dot, one after the other, are one row: an image,
    and a .txt or .caption, or a .json with the caption (and perhaps the url). Anything but plain
    files is passed over, and so are longer files than `MAX_BYTES`.
    """
    other = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            key, parts = "", dict[str, bytes]()
            for member in archive:
                name = PurePosixPath(member.name)
                stem, dot, suffix = name.name.partition(".")
                suffix = f".{suffix.lower().rpartition('.')[2]}" if dot else ""
                if not member.isfile() or not stem:
                    continue
                if (found := str(name.with_name(stem))) != key:
                    yield from _row(path, key, parts, options)
                    key, parts = found, {}
                if suffix in IMAGE_SUFFIXES or suffix in _TEXT:
                    most = MAX_BYTES if suffix in IMAGE_SUFFIXES else _MAX_TEXT
                    handle = archive.extractfile(member)
                    parts[suffix] = b"" if handle is None else handle.read(most + 1)
                else:
                    other += 1
            yield from _row(path, key, parts, options)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise BlindspotsError(f"{path} is not a whole tar ({error}): fetch it again.") from error
    if other:
        yield LeftOut("other_file", other, path.name)


def _row(path: Path, key: str, parts: dict[str, bytes], options: SourceOptions) -> Iterator[Row]:
    image = next((parts[suffix] for suffix in parts if suffix in IMAGE_SUFFIXES), None)
    if image is None and not any(suffix in parts for suffix in (".txt", ".caption")):
        return
    where = f"{path.name} {key}"
    about = _json(parts.get(".json"))
    caption: Any = None
    if options.caption_column:
        caption = cell(about, options.caption_column)
    else:
        text = parts.get(".txt", parts.get(".caption"))
        if text is not None:
            caption = _text(text, where)
        else:
            named = (name for name in options.captions if about.get(name) is not None)
            caption = about.get(next(named, ""))
    url = about.get("url")
    yield Row(caption, image, url if isinstance(url, str) else None, where)


def _json(content: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(content: bytes, where: str) -> object:
    try:
        return decode(content, where)
    except BlindspotsError:
        return content  # counted as no text
