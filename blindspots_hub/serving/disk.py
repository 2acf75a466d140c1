"""Room on the disk: what a public page keeps is bounded, and looked at before a run begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from blindspots_hub.errors import BlindspotsError

KEPT = 4 * 1024**3
"""Bytes of visitors' evaluations that a public page keeps; the oldest go first."""

KEPT_MODELS = 40 * 1024**3
"""Bytes of visitors' models that stay fetched."""

AN_IMAGE = 1_000_000
"""Bytes that one evaluated pair may need: both images, their codes, its rows."""

AN_EVALUATION = 300 * 1024**2
"""Bytes that an evaluation needs besides: concept space, tables, the file to download."""

SPARE = 512 * 1024**2
"""Bytes that are left free for everything else."""


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue  # it went meanwhile
    return total


def prune(
    root: Path,
    most: int,
    spared: Collection[Path] = (),
    forget: Callable[[Path], None] = lambda folder: None,
) -> list[Path]:
    """Remove the oldest folders directly in `root`, hidden ones apart, until `most` bytes stay.

    A folder is as old as its last change; those in `spared` stay. `forget` is told of each one
    before it goes. Returns what was removed.
    """
    if not root.is_dir():
        return []
    kept = {folder.resolve() for folder in spared}
    folders = [
        one
        for one in root.iterdir()
        if one.is_dir() and not one.is_symlink() and not one.name.startswith(".")
    ]
    sizes = {folder: folder_bytes(folder) for folder in folders}
    total, removed = sum(sizes.values()), []
    for folder in sorted(folders, key=lambda one: one.stat().st_mtime):
        if total <= most:
            break
        if folder.resolve() in kept:
            continue
        forget(folder)
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]
        removed.append(folder)
    return removed


def check_room(folder: Path, needed: int) -> None:
    """`BlindspotsError` where the disk of `folder` has less than `needed` bytes and some spare."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed + SPARE:
        raise BlindspotsError(
            f"The disk has {free / 1e6:,.0f} MB left, and this needs about {needed / 1e6:,.0f} MB "
            f"besides {SPARE / 1e6:,.0f} MB to spare: free some space, or ask for less."
        )


def evaluation_bytes(images: int, fetched: int = 0) -> int:
    """Bytes that an evaluation of so many images needs at most, and of a model to fetch first."""
    return AN_EVALUATION + images * AN_IMAGE + fetched
