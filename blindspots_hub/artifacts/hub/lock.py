"""The lock of a published bundle: which commit of which repository belongs to it.

The Hub has no transaction over repositories; `bundle.lock.json`, equal in each of them, is what
makes them one thing. Tags can be moved, so what the lock records and fetching trusts are 40-hex
commit shas. A commit cannot hold its own sha, so the lock names the commit with the *content*, and
lies in the next one, which the version's tag points at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from blindspots_hub.artifacts.hub.repos import KINDS, Reference, Repo, Version, is_sha
from blindspots_hub.artifacts.layout import DELTAS_PART
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import json_bytes

LOCK_VERSION = 1


@dataclass(frozen=True)
class Lock:
    """A bundle `NAMESPACE/NAME` at a version.

    `manifest_sha256` is the sha256 of its `bundle.json`, `commits` the commit with the content of
    every part, and of the Space where it has one.
    """

    bundle: str
    version: Version
    manifest_sha256: str
    commits: dict[str, str]

    @property
    def reference(self) -> Reference:
        """The bundle at this version."""
        return Reference.parse(f"{self.bundle}@{self.version}")

    @property
    def repos(self) -> list[Repo]:
        """Its repositories, in the order in which they were published."""
        return self.reference.repos(self.commits)

    def repo(self, part: str) -> Repo:
        """The repository of a part."""
        return self.reference.repo(part)

    def to_bytes(self) -> bytes:
        """The content of `bundle.lock.json`, the same for equal locks."""
        repos = {
            repo.part: {"type": repo.kind, "id": repo.id, "commit": self.commits[repo.part]}
            for repo in self.repos
        }
        return json_bytes(
            {
                "lock_version": LOCK_VERSION,
                "bundle": self.bundle,
                "version": str(self.version),
                "manifest_sha256": self.manifest_sha256,
                "repos": repos,
            }
        )

    @classmethod
    def parse(cls, content: bytes, where: str) -> Lock:
        """Read what `to_bytes` wrote; anything else raises `BlindspotsError`, naming `where`."""
        try:
            lock = cls._read(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, BlindspotsError) as error:
            raise BlindspotsError(
                f"{where} is not the lock of a bundle ({error or type(error).__name__}): name "
                "another version, or ask who published it."
            ) from error
        if lock.to_bytes() != content:
            raise BlindspotsError(
                f"{where} was edited by hand or written by another version of blindspots_hub: "
                "name another version, or upgrade."
            )
        return lock

    @classmethod
    def _read(cls, found: dict[str, Any]) -> Lock:
        commits = {str(part): str(repo["commit"]) for part, repo in found["repos"].items()}
        lock = cls(
            str(found["bundle"]),
            Version.parse(found["version"]),
            str(found["manifest_sha256"]),
            commits,
        )
        _ = lock.reference  # raises where its name could not be one
        unknown = sorted(set(commits) - set(KINDS))
        if unknown or DELTAS_PART not in commits:
            raise ValueError(f"it names {', '.join(unknown) or 'no deltas'}")
        if not all(is_sha(commit) for commit in commits.values()):
            raise ValueError("it names a commit by less than its 40 digits")
        return lock
