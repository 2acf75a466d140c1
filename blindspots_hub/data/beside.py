"""The file that a table names, in the folder of the table and nowhere else."""

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache
from pathlib import Path


def file_beside(folder: Path, name: str) -> Path | None:
    """The file that a table in `folder` calls `name`; None where there is none that may be read.

    Spaces around a name do not count, a backslash is as good as a slash, and letters with accents
    are the same however they are composed. Nothing outside `folder` is read, by `..` or by a link,
    but for the blobs that the files of a snapshot in the Hub's cache are links to.
    """
    if not name.strip() or "\0" in name:
        return None
    tried = dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/")))
    return next((path for one in tried if (path := _inside(folder, one)) is not None), None)


def as_spelt(path: Path) -> Path:
    """`path`, or the one beside it whose name differs only in how accents are composed."""
    if path.name.isascii() or path.exists():
        return path
    return _as_spelt(path.parent, (path.name,))


def _inside(folder: Path, name: str) -> Path | None:
    root = Path(os.path.abspath(folder))
    try:
        path = Path(os.path.normpath(root / name))
        if not path.is_relative_to(root):
            return None
        if not path.is_file():
            path = _as_spelt(root, path.relative_to(root).parts)
        if not path.is_file():
            return None
        target = path.resolve()
        blobs = _blobs(root)
        allowed = target.is_relative_to(root.resolve()) or (
            blobs is not None and target.is_relative_to(blobs)
        )
    except (OSError, ValueError, RuntimeError):  # no file can be called so, or links in a ring
        return None
    return path if allowed else None


def _as_spelt(root: Path, parts: tuple[str, ...]) -> Path:
    """The path whose parts are spelt as the disk has them, where only the composition differs."""
    for part in parts:
        known = root / part
        root = known if known.exists() else root / _names(root).get(_composed(part), part)
    return root


@lru_cache(maxsize=64)
def _names(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {_composed(name): name for name in os.listdir(folder)}


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _blobs(folder: Path) -> Path | None:
    """Where the Hub's cache keeps the files of the snapshot that `folder` is, or lies in."""
    for path in (folder, *folder.parents):
        if path.parent.name == "snapshots" and path.parent.parent.name.startswith(
            ("datasets--", "models--", "spaces--")
        ):
            return (path.parent.parent / "blobs").resolve()
    return None
