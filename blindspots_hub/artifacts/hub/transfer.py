"""Files of a published bundle brought to a folder: checked, part by part, each part whole or not.

Over HTTP the client compares sizes only, so every file that arrives is held against the sha256 of
the manifest, and the manifest against that of the lock. What is wrong is fetched once more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.artifacts.inventory import regular_size
from blindspots_hub.artifacts.layout import DELTAS_PART, MANIFEST, part_of
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import read_json, sha256_file, share_or_copy


@dataclass(frozen=True)
class Wanted:
    """A file of a bundle: `name` in its folder, and `path` in a commit of the repository."""

    name: str
    repo: Repo
    commit: str
    path: str
    sha256: str
    size: int

    def is_at(self, path: Path) -> bool:
        """Whether just this file lies at `path`."""
        return regular_size(path) == self.size and sha256_file(path) == self.sha256


def read_manifest(hub: Hub, lock: Lock) -> tuple[Path, Manifest]:
    """The manifest that a lock names: the file in the client's cache, and what it says.

    A manifest whose paths lead out of a bundle, or that this program cannot read, is refused here,
    before anything is written.
    """
    repo, commit = lock.repo(DELTAS_PART), lock.commits[DELTAS_PART]
    path = hub.file(repo, commit, MANIFEST)
    if sha256_file(path) != lock.manifest_sha256:
        path = hub.file(repo, commit, MANIFEST, anew=True)
    if sha256_file(path) != lock.manifest_sha256:
        raise _altered(MANIFEST, repo, commit)
    return path, Manifest.from_json(read_json(path), str(lock.reference))


def wanted(lock: Lock, manifest: Manifest, part: str) -> list[Wanted]:
    """The files of a part; none where the bundle has no such part."""
    entries = [(name, e) for name, e in manifest.files.items() if part_of(name) == part]
    if entries and part not in lock.commits:
        raise BlindspotsError(
            f"The lock of {lock.reference} does not say where its {part} are: take another version."
        )
    return [
        Wanted(
            name,
            lock.repo(part),
            lock.commits[part],
            name.partition("/")[2],
            entry.sha256,
            entry.bytes,
        )
        for name, entry in sorted(entries)
    ]


def bringing(
    hub: Hub, files: Sequence[Wanted], root: Path, *, link: bool, check: bool
) -> Work[None]:
    """Bring files to the bundle folder `root`, a part at a time.

    With `link` they are fetched to the client's cache and share its bytes, else they are fetched to
    `root` itself. Files that are there are left alone: with `check` if their content is right,
    without if they are there at all. A part that was not there appears whole.
    """
    missing = [
        file
        for file in files
        if not (
            file.is_at(root / file.name) if check else regular_size(root / file.name) is not None
        )
    ]
    total = sum(file.size for file in missing)
    to_fetch = [f for f in missing if not (link and hub.is_cached(f.repo, f.commit, f.path))]
    _check_space(root, sum(file.size for file in to_fetch))
    done = 0
    for part in dict.fromkeys(part_of(file.name) for file in missing):
        own = [file for file in missing if part_of(file.name) == part]
        stage = root / ".fetching" / (f"{part}-{os.getpid()}-{get_ident()}" if link else part)
        for file in own:
            yield Event("fetch the bundle", done, total, {"file": file.name})
            if link:
                stage.joinpath(file.path).unlink(missing_ok=True)
                share_or_copy(_fetched(hub, file, None), stage / file.path)
            elif not file.is_at(stage / file.path):
                _fetched(hub, file, stage)
            done += file.size
        _settle(stage, own, root / part)
    yield Event("fetch the bundle", total, total)


def _fetched(hub: Hub, file: Wanted, into: Path | None) -> Path:
    for anew in (False, True):
        path = hub.file(file.repo, file.commit, file.path, into=into, anew=anew).resolve()
        if file.is_at(path):
            return path
    raise _altered(file.path, file.repo, file.commit)


def _settle(stage: Path, files: Collection[Wanted], part: Path) -> None:
    """Let what was staged become the part: all at once where there is none, else file by file."""
    shutil.rmtree(stage / ".cache", ignore_errors=True)  # the client's notes of its downloads
    try:
        os.rename(stage, part)
    except OSError:  # the part is there and lacks some files, or somebody else was faster
        for file in files:
            target = part / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(stage / file.path, target)
        shutil.rmtree(stage, ignore_errors=True)
    with suppress(OSError):  # parts of others are being fetched
        stage.parent.rmdir()


def _check_space(root: Path, needed: int) -> None:
    """`BlindspotsError` where the disk of `root` has less than `needed` bytes."""
    there = next(folder for folder in (root, *root.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise BlindspotsError(
            f"The bundle needs {needed / 1e6:,.0f} MB and the disk of {there} has "
            f"{free / 1e6:,.0f} MB: free some space, or fetch fewer parts."
        )


def _altered(path: str, repo: Repo, commit: str) -> BlindspotsError:
    return BlindspotsError(
        f"{path} of the {repo.kind} {repo.id} at {commit} is not what was published: its sha256 "
        "differs from the one recorded, twice in a row; try again later, or tell its owner."
    )
