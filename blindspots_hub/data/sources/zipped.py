"""A zip of a folder of captioned images, unpacked within bounds to where only this run looks."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from blindspots_hub.data.images import MAX_BYTES, first_bytes
from blindspots_hub.data.listing import IMAGE_SUFFIXES
from blindspots_hub.data.sources.rows import LeftOut, Row
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import printable

MAX_MEMBERS = 1_000_000
MAX_TABLE = 1 << 30
"""Bytes of the largest table or caption's file inside."""

MAX_RATIO, SPARE = 20, 1 << 30
"""Bytes that may be unpacked: so many times the zip's own, and `SPARE`. Images hardly shrink."""

_SOURCES = (".csv", ".tsv", ".jsonl", ".parquet", ".tar", ".tar.gz", ".tgz")
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".caption", ".json")


def zip_rows(
    path: Path, read: Callable[[Path], Iterator[Row | LeftOut]]
) -> Iterator[Row | LeftOut]:
    """Rows that `read` finds in the folder that the zip holds; images come as their bytes.

    Members with names that lead elsewhere, or that another has, and links are left out and counted.
    """
    with tempfile.TemporaryDirectory(prefix="blindspots-zip-") as name:
        folder = Path(name)
        refused = _unpack(path, folder)
        folder = _only_folder(folder)
        try:
            for row in read(folder):
                if isinstance(row, Row) and isinstance(row.image, Path):
                    row = replace(row, image=first_bytes(row.image))
                yield row
        except BlindspotsError as error:
            # What is told of the folder is true of the zip.
            raise type(error)(str(error).replace(str(folder), str(path))) from error
        if refused:
            yield LeftOut("unsafe_name", len(refused), refused[0])


def _only_folder(folder: Path) -> Path:
    """`folder`, or the only one in it, at any depth, as long as nothing beside it is a source."""
    while True:
        inside = list(folder.iterdir())
        folders = [one for one in inside if one.is_dir()]
        sources = (*IMAGE_SUFFIXES, *_SOURCES)
        if len(folders) != 1 or any(one.name.lower().endswith(sources) for one in inside):
            return folder
        folder = folders[0]


def _unpack(path: Path, folder: Path) -> list[str]:
    """Unpack what may be; names of members that may not."""
    most = MAX_RATIO * path.stat().st_size + SPARE
    refused: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise BlindspotsError(f"{path} holds {len(members):,} files: split it.")
            for member in members:
                target = _target(member)
                if target is None:
                    if not member.is_dir():
                        refused.append(printable(member.filename)[:200])
                    continue
                if not target.parts:
                    continue
                if member.flag_bits & 1:
                    raise BlindspotsError(f"{path} is locked by a password: unpack it first.")
                table = target.suffix.lower() in _TABLES
                bound = min(MAX_TABLE if table else MAX_BYTES + 1, most)
                if not _room(folder / target):
                    refused.append(printable(member.filename)[:200])
                    continue
                most -= _copy(archive, member, folder / target, bound)
                if most <= 0:
                    raise BlindspotsError(
                        f"{path} unpacks to more than {MAX_RATIO} times its size: unpack it where "
                        "you trust it, and give the folder."
                    )
    except BlindspotsError:
        raise
    except OSError as error:
        if error.errno is not None:  # the disk's; decompressors have theirs without a number
            raise BlindspotsError(
                f"{path} cannot be unpacked in {tempfile.gettempdir()} ({error.strerror}): free "
                "some space there, or set TMPDIR to a folder that has it."
            ) from error
        raise BlindspotsError(f"{path} is not a whole zip ({error}): fetch it again.") from error
    except Exception as error:  # zipfile fed hostile bytes may raise anything at all
        raise BlindspotsError(f"{path} is not a whole zip ({error}): fetch it again.") from error
    return refused


def _room(target: Path) -> bool:
    """Whether a file can be made at `target`: no other is called so, nor as a folder above it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return not os.path.lexists(target)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR):
            return False
        raise


def _target(member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where a member goes below the folder: nowhere (no parts) where it says nothing, or None."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if name.is_absolute() or ".." in name.parts or "\0" in member.filename:
        return None
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return None
    if member.is_dir() or any(part.startswith(".") or part == "__MACOSX" for part in name.parts):
        return PurePosixPath()
    if any(":" in part or len(os.fsencode(part)) > 255 for part in name.parts):
        return None
    return name


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Unpack a member, cut at `most` bytes; an image that was cut is told when it is read."""
    written = 0
    with archive.open(member) as source, open(target, "wb") as handle:
        while written < most and (block := source.read(min(1 << 20, most - written))):
            handle.write(block)
            written += len(block)
    return written
