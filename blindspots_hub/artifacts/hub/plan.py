"""What publishing would change in a repository: compared by hash, nothing is transferred."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.artifacts.hub.client import Content, Hub, Stored
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.artifacts.layout import CARD, LOCK, MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import sha256_file

ADDED, CHANGED, DELETED, UNCHANGED = "added", "changed", "deleted", "unchanged"

_HUBS_OWN = ".gitattributes"
"""The Hub writes it into every repository: which files go into large-file storage."""


@dataclass(frozen=True)
class Change:
    """What becomes of one file: `ADDED`, `CHANGED`, `DELETED` or `UNCHANGED`; its size in bytes."""

    path: str
    kind: str
    size: int


@dataclass(frozen=True)
class Seen:
    """A repository as it was read: the commit of its head (None: there is none) and its files."""

    repo: Repo
    head: str | None
    stored: Mapping[str, Stored]


@dataclass(frozen=True)
class RepoPlan:
    """What publishing changes in one repository, `head` being the commit that it was read at."""

    repo: Repo
    head: str | None
    changes: tuple[Change, ...]
    holds_lock: bool

    @property
    def unchanged(self) -> bool:
        """Whether the repository is there and its content is that to be published."""
        return self.head is not None and all(c.kind == UNCHANGED for c in self.changes)

    @property
    def deleted(self) -> list[str]:
        """Paths that a commit of the plan deletes: a lock holds for the content it was made for."""
        return [c.path for c in self.changes if c.kind == DELETED] + [LOCK] * self.holds_lock

    @property
    def written(self) -> list[str]:
        """Paths that a commit of the plan adds or changes."""
        return [c.path for c in self.changes if c.kind in (ADDED, CHANGED)]

    @property
    def bytes(self) -> int:
        """Bytes of the files that a commit of the plan adds or changes."""
        return sum(c.size for c in self.changes if c.kind in (ADDED, CHANGED))

    def lines(self) -> list[str]:
        """The plan in words, a line for the repository and one a file that changes."""
        state = "new" if self.head is None else "unchanged" if self.unchanged else "changes"
        same = sum(c.kind == UNCHANGED for c in self.changes)
        kept = f", {same} files unchanged" if same else ""
        head = f"{self.repo.kind} {self.repo.id}: {state}, {self.bytes:,} bytes to publish{kept}"
        return [head] + [
            f"  {c.kind:8} {c.size:>14,}  {c.path}" for c in self.changes if c.kind != UNCHANGED
        ]


def look(hub: Hub, repo: Repo) -> Seen:
    """Read a repository's head.

    A repository that holds files and no manifest was made for something else: nothing of it is
    ever deleted, a `BlindspotsError` says so.
    """
    head = hub.head(repo)
    stored = {} if head is None else hub.files(repo, head)
    if set(stored) - {_HUBS_OWN, CARD} and MANIFEST not in stored and LOCK not in stored:
        raise BlindspotsError(
            f"The {repo.kind} {repo.id} holds something else than a bundle (no {MANIFEST}): choose "
            "another name (--name), or empty it first."
        )
    return Seen(repo, head, stored)


def plan(seen: Seen, files: Mapping[str, Content]) -> RepoPlan:
    """Compare what a repository stores with `files`, its next content."""
    stored = seen.stored
    changes = [
        Change(path, _kind(content, stored.get(path)), content_size(content))
        for path, content in files.items()
    ]
    gone = set(stored) - set(files) - {_HUBS_OWN, LOCK}
    changes += [Change(path, DELETED, stored[path].size) for path in gone]
    holds_lock = LOCK in stored and LOCK not in files
    return RepoPlan(seen.repo, seen.head, tuple(sorted(changes, key=lambda c: c.path)), holds_lock)


def _kind(content: Content, stored: Stored | None) -> str:
    if stored is None:
        return ADDED
    return UNCHANGED if is_stored(content, stored) else CHANGED


def is_stored(content: Content, stored: Stored) -> bool:
    """Whether a repository's file holds just these bytes."""
    if content_size(content) != stored.size:
        return False
    if stored.sha256 is not None:
        if isinstance(content, Path):
            return sha256_file(content) == stored.sha256
        return hashlib.sha256(content).hexdigest() == stored.sha256
    raw = content.read_bytes() if isinstance(content, Path) else content
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest() == stored.git_sha1


def content_size(content: Content) -> int:
    """Bytes of a file's content."""
    return content.stat().st_size if isinstance(content, Path) else len(content)
