"""Git's objects on disk, with the shas git gives them; loose, one file each, uncompressed.

An LFS file is what it is in git: a small blob, the pointer, that names sha256 and size.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_MODE, FOLDER_MODE = "100644", "40000"

POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


@dataclass(frozen=True)
class Pointer:
    """What stands in git for an LFS file: its sha256 (hex) and size in bytes."""

    sha256: str
    size: int

    def content(self) -> bytes:
        """The blob in git."""
        return (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{self.sha256}\nsize {self.size}\n"
        ).encode()

    @classmethod
    def parse(cls, content: bytes) -> Pointer | None:
        """The pointer that a blob is, if it is one."""
        match = POINTER.fullmatch(content)
        return cls(match[1].decode(), int(match[2])) if match else None


def git_sha(kind: str, content: bytes) -> str:
    """The 40 hex digits git names an object by."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


class ObjectStore:
    """Blobs, trees and commits of one repository."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, kind: str, content: bytes) -> str:
        """Keep an object (`blob`, `tree`, `commit`); its sha."""
        sha = git_sha(kind, content)
        path = self._root / sha[:2] / sha[2:]
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return sha

    def get(self, sha: str) -> bytes:
        """An object's content."""
        return (self._root / sha[:2] / sha[2:]).read_bytes()

    def starting_with(self, prefix: str) -> list[str]:
        """Shas that begin so (four digits at least)."""
        folder = self._root / prefix[:2]
        return sorted(prefix[:2] + p.name for p in folder.glob(f"{prefix[2:]}*"))

    def put_tree(self, files: dict[str, str]) -> str:
        """A tree, and those below it, of blob shas by path; its sha."""
        entries: list[tuple[str, str, str]] = []
        below: dict[str, dict[str, str]] = {}
        for path, sha in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = sha
            else:
                entries.append((name, FILE_MODE, sha))
        entries += [(name, FOLDER_MODE, self.put_tree(inner)) for name, inner in below.items()]
        # Git sorts a folder as if its name ended in a slash.
        entries.sort(key=lambda entry: entry[0] + "/" * (entry[1] == FOLDER_MODE))
        return self.put(
            "tree",
            b"".join(
                f"{mode} {name}\0".encode() + bytes.fromhex(sha) for name, mode, sha in entries
            ),
        )

    def walk(self, tree: str, below: str = "") -> Iterator[tuple[str, str, bool]]:
        """Every entry under a tree as (path, sha, is a folder), a folder before what is in it."""
        content = self.get(tree)
        while content:
            header, _, rest = content.partition(b"\0")
            mode, _, name = header.decode().partition(" ")
            sha, content = rest[:20].hex(), rest[20:]
            yield f"{below}{name}", sha, mode == FOLDER_MODE
            if mode == FOLDER_MODE:
                yield from self.walk(sha, f"{below}{name}/")
