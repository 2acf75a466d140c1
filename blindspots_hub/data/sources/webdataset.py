"""Tars of images with their captions beside them, as webdataset and img2dataset write them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from blindspots_hub.data.images import MAX_BYTES
from blindspots_hub.data.listing import IMAGE_SUFFIXES
from blindspots_hub.data.sources.rows import LeftOut, Row, SourceOptions, cell
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.text_encoding import decode

SUFFIXES = (".tar", ".tar.gz", ".tgz")

_TEXT = (".txt", ".caption", ".json")
_MAX_TEXT = 1 << 20
"""Bytes of a caption's file, or of a member's name, that are read; a longer one is none."""


def is_tar(path: Path) -> bool:
    """Whether a file is named as a tar."""
    return path.name.lower().endswith(SUFFIXES)


def tar_rows(path: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    """Rows of a tar, read once from its beginning; nothing is unpacked to disk.

    Members that share their name up to the first dot, one after the other, are one row: an image,
    and a .txt or .caption, or a .json with the caption (and perhaps the url). Where several of them
    are images, each that has a caption of its own name up to the last dot is a row; others are
    counted. Anything but plain files is passed over; of a file longer than `MAX_BYTES` no more is
    read, and it counts as unreadable.
    """
    other = 0
    try:
        with _Tar.open(path, "r|*") as archive:
            key, parts = "", _Parts()
            for member in archive:
                name = PurePosixPath(member.name)
                stem, dot, suffix = name.name.partition(".")
                middle, _, suffix = suffix.rpartition(".")
                suffix = f".{suffix.lower()}" if dot else ""
                if not member.isfile() or not stem:
                    continue
                if (found := str(name.with_name(stem))) != key:
                    yield from _rows(path, key, parts, options)
                    key, parts = found, _Parts()
                if suffix in IMAGE_SUFFIXES or suffix in _TEXT:
                    most = MAX_BYTES if suffix in IMAGE_SUFFIXES else _MAX_TEXT
                    handle = archive.extractfile(member)
                    content = b"" if handle is None else handle.read(most + 1)
                    parts.setdefault(middle, []).append((suffix, content))
                else:
                    other += 1
            yield from _rows(path, key, parts, options)
            if not archive.has_end:
                yield LeftOut("end_of_tar", 1, f"{path.name} was cut, or never ended")
    except BlindspotsError:
        raise
    except Exception as error:  # tarfile fed hostile bytes may raise anything at all
        raise BlindspotsError(f"{path} is not a whole tar ({error}): fetch it again.") from error
    if other:
        yield LeftOut("other_file", other, path.name)


class _Parts(dict[str, list[tuple[str, bytes]]]):
    """Endings and contents of a row's members, by what stands between first and last dot."""


_TOLD_APART = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip
"""Headers whose own content, such as a long name, tarfile reads whole before the next member."""


class _Member(tarfile.TarInfo):
    """A member whose header is damaged, or whose file ends early, is told: tarfile ends there."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        """A header of 512 bytes; `ReadError` where it claims a name that no archiver writes."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in _TOLD_APART and found.size > _MAX_TEXT:
            raise tarfile.ReadError(f"a name in it claims {found.size / 1e6:,.0f} MB")
        return found

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Member:
        """The next member; `ReadError` where what comes is neither one nor the end."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            kind = type(error).__name__  # of classes that are tarfile's own
            if kind in ("InvalidHeaderError", "TruncatedHeaderError"):
                raise tarfile.ReadError(str(error)) from error
            if kind == "EmptyHeaderError" and isinstance(tarfile_, _Tar):
                tarfile_.has_end = False
            raise


class _Tar(tarfile.TarFile):
    """A tar; `has_end` is whether it ended as tars do, once it was read."""

    tarinfo = _Member
    has_end = True


def _rows(path: Path, key: str, parts: _Parts, options: SourceOptions) -> Iterator[Row | LeftOut]:
    """The row of one name's members, or of several images those with captions of their own."""
    pictured = [m for m, found in parts.items() if any(s in IMAGE_SUFFIXES for s, _ in found)]
    images = sum(suffix in IMAGE_SUFFIXES for found in parts.values() for suffix, _ in found)
    told = [m for m in pictured if any(suffix in _TEXT for suffix, _ in parts[m])]
    rows = 0
    if len(pictured) > 1 and told:
        for middle in told:
            name = f"{key}.{middle}" if middle else key
            yield from _row(path, name, _first(parts[middle]), options)
            rows += 1
    else:
        together = [one for found in parts.values() for one in found]
        yield from _row(path, key, _first(together), options)
        rows = min(images, 1)
    if images > rows:
        yield LeftOut("second_image", images - rows, f"{path.name} {key}")


def _first(found: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """The first content of every ending."""
    return dict(reversed(found))


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
