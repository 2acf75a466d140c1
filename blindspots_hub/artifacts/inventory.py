"""What lies in a bundle's folder, by names and kinds alone: nothing is opened and no link followed.

A bundle comes from elsewhere, so a link in it would hand over whatever it points at: to who reads
the bundle, to who copies it, and at last to who publishes it. So there are none, and a file that
the manifest does not name is told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from blindspots_hub.artifacts.layout import (
    CARD,
    IMAGES,
    LOCK,
    MANIFEST,
    PARTS,
    is_known,
    on_demand,
    part_of,
)
from blindspots_hub.artifacts.limits import FILES
from blindspots_hub.artifacts.schema import SCHEMA_VERSION
from blindspots_hub.errors import BlindspotsError

_OWN = {MANIFEST, LOCK, CARD, *(f"{part}/{CARD}" for part in PARTS)}


def folder_faults(root: Path, listed: Collection[str], strict: bool = False) -> Iterator[str]:
    """Links, devices, pipes and files that the manifest does not name, a sentence each.

    Hidden folders (work in progress) are not looked into; nothing of a bundle lies there. Of files
    beside the parts only links are told, unless `strict`.
    """
    for number, (name, mode) in enumerate(_entries(root)):
        if number > FILES:
            yield f"the folder holds more than {FILES:,} files"
            return
        if stat.S_ISLNK(mode):
            yield f"{name} is a link, and a bundle has none: whatever it points at would be shared"
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield f"{name} is no file but a pipe, a socket or a device"
        elif stat.S_ISREG(mode) and name not in listed and _must_be_listed(name, strict):
            yield f"{name} is not in the manifest"


def _must_be_listed(name: str, strict: bool) -> bool:
    if name in _OWN or part_of(name) == IMAGES or name.rpartition("/")[2].startswith("."):
        return False
    return strict or part_of(name) in PARTS


def _entries(root: Path) -> Iterator[tuple[str, int]]:
    """Path and mode of everything below `root`, links themselves and not what they point at."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as found:
                there = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue  # told where its files are missed
        for entry in there:
            name = f"{folder}/{entry.name}" if folder else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            hidden = entry.name.startswith(".")
            if stat.S_ISDIR(mode):
                if not hidden:
                    folders.append(name)
                continue
            yield name, mode


def regular_size(path: Path) -> int | None:
    """Bytes of a regular file; None where there is none, or a link, pipe or device."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def away(root: Path, listed: Collection[str]) -> set[str]:
    """Files of a bundle of the Hub that are fetched when they are read, and are not here yet.

    None of a bundle that came otherwise (it has no lock): there they are missing.
    """
    if regular_size(root / LOCK) is None:
        return set()
    there = (name for name in listed if on_demand(name))
    return {n for n in there if not ((root / n).is_symlink() or (root / n).exists())}


def unknown_files(listed: Collection[str], models: Collection[str]) -> list[str]:
    """Files of a manifest that have no place in a bundle with these models."""
    return sorted(name for name in listed if not is_known(name, models))


def of_later_minor(version: object) -> bool:
    """Whether a manifest is of a minor that this program does not know, with files of its own."""
    if not isinstance(version, str):
        return False
    mine, theirs = ([int(n) for n in one.split(".")] for one in (SCHEMA_VERSION, version))
    return theirs > mine


def files_to_copy(
    root: Path, listed: Collection[str], parts: Collection[str], models: Collection[str] = ()
) -> list[str]:
    """Files of parts that another bundle takes over: named by the manifest, known, and no links.

    With them the parts' cards, for people. Raises `BlindspotsError` where a file is a link or is
    missing.
    """
    names = sorted(name for name in listed if part_of(name) in parts and is_known(name, models))
    for name in names:
        behind = any((root / Path(*Path(name).parts[:n])).is_symlink() for n in range(1, 5))
        if behind or regular_size(root / name) is None:
            raise BlindspotsError(
                f"{root / name} is missing, or is a link instead of a file: fetch the bundle again."
            )
    cards = [f"{part}/{CARD}" for part in sorted(parts) if not (root / part).is_symlink()]
    return names + [card for card in cards if regular_size(root / card) is not None]
