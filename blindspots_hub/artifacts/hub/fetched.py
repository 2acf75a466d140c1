"""Where bundles from the Hub lie on this machine, and what references meant when they were fetched.

Beside the Hub client's own cache, a bundle is a folder of links into that cache, named for its
lock. `refs/` records the lock of every version and commit that was fetched: a tag that is known
asks no network, and one that was moved on the Hub since does not change what it means here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.repos import Reference, is_sha
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.utils.files import json_bytes, write_bytes


def bundles_folder() -> Path:
    """The folder of all fetched bundles, `blindspots_hub/bundles` beside the client's cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser().parent / "blindspots_hub" / "bundles"


def folder_of(lock: Lock) -> Path:
    """The folder of the bundle that a lock names; equal locks share it."""
    namespace, name = lock.bundle.split("/")
    digest = hashlib.sha256(lock.to_bytes()).hexdigest()
    return bundles_folder() / f"{namespace}--{name}" / digest[:40]


@dataclass(frozen=True)
class Recorded:
    """What a reference meant when it was fetched: its lock, and the `deltas` commit it lay in."""

    lock: Lock
    commit: str


def recorded(reference: Reference) -> Recorded | None:
    """What was recorded for this version or commit; None where nothing readable was."""
    path = _record(reference)
    if path is None or not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        commit, lock = str(kept["commit"]), str(kept["lock"]).encode()
    except (ValueError, KeyError, TypeError):
        return None
    return Recorded(Lock.parse(lock, str(path)), commit) if is_sha(commit) else None


def record(reference: Reference, lock: Lock, commit: str) -> None:
    """Remember what a reference was found to mean: the lock that lies in `commit`.

    A commit that a user named may belong to no tag, so nothing is remembered of the version then.
    """
    named = [Reference(reference.namespace, reference.name, commit=commit)]
    if reference.commit is None:
        named.append(Reference(reference.namespace, reference.name, version=lock.version))
    for known in named:
        path = _record(known)
        if path is not None:
            write_bytes(path, json_bytes({"commit": commit, "lock": lock.to_bytes().decode()}))


def _record(reference: Reference) -> Path | None:
    revision = reference.commit or (reference.version and reference.version.tag)
    folder = bundles_folder() / f"{reference.namespace}--{reference.name}" / "refs"
    return folder / f"{revision}.json" if revision else None


def lock_in(root: Path) -> Lock | None:
    """The lock of a bundle that was fetched to `root`; None where it came otherwise."""
    path = root / LOCK
    return Lock.parse(path.read_bytes(), str(path)) if path.is_file() else None
