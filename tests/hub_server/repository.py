"""One repository: commits, branches, tags, pull requests, LFS objects, and who may see it.

The tests look at it and change it through the same object that the routes serve from.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub_server.errors import HubError, no_entry, no_revision
from hub_server.objects import ObjectStore, Pointer

BRANCH, TAG, PULL = "refs/heads/", "refs/tags/", "refs/pr/"

ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in (
        *("*.7z", "*.arrow", "*.bin", "*.ckpt", "*.gz", "*.h5", "*.npy", "*.npz", "*.onnx"),
        *("*.parquet", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.safetensors", "*.tar", "*.tgz"),
        *("*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
    )
)
"""The `.gitattributes` of a new repository (the Hub's list, shortened)."""


@dataclass(frozen=True)
class Entry:
    """A file or folder of a commit: its git sha; a file's size in bytes and LFS pointer."""

    path: str
    oid: str
    folder: bool
    size: int = 0
    lfs: Pointer | None = None


@dataclass(frozen=True)
class Commit:
    """A commit: its sha, first parent, author's name, time (Unix seconds) and message."""

    sha: str
    tree: str
    parent: str | None
    author: str
    when: int
    message: str


@dataclass
class Repository:
    """A model, dataset or Space.

    `gated` is `False`, `"auto"` or `"manual"`; `admitted` are the users let into a gated one.
    """

    kind: str
    id: str
    folder: Path
    creator: str
    private: bool = False
    gated: bool | str = False
    sdk: str | None = None
    admitted: set[str] = field(default_factory=set)
    created: float = field(default_factory=time.time)
    refs: dict[str, str] = field(default_factory=dict)
    discussions: list[dict[str, object]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _trees: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._objects = ObjectStore(self.folder / "objects")
        first = {".gitattributes": ATTRIBUTES.encode()}
        if self.kind == "space":
            name = self.id.split("/")[1]
            front = f"---\ntitle: {name}\nemoji: 🐦\nsdk: {self.sdk}\n---\n"
            first["README.md"] = front.encode()
        self.write(first, message="initial commit", author=self.creator)

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    @property
    def key(self) -> str:
        """`dataset/ana/birds`: what faults match by."""
        return f"{self.kind}/{self.id}"

    @property
    def head(self) -> str:
        """The sha of `main`."""
        return self.refs[BRANCH + "main"]

    @property
    def tags(self) -> dict[str, str]:
        """Sha by tag."""
        return self._named(TAG)

    @property
    def branches(self) -> dict[str, str]:
        """Sha by branch."""
        return self._named(BRANCH)

    @property
    def pulls(self) -> dict[str, str]:
        """Sha by number of a pull request."""
        return self._named(PULL)

    def _named(self, start: str) -> dict[str, str]:
        return {ref[len(start) :]: sha for ref, sha in self.refs.items() if ref.startswith(start)}

    def resolve(self, revision: str = "main") -> str:
        """The sha of a branch, a tag, a full ref, a sha or its first seven digits or more."""
        for ref in (revision, BRANCH + revision, TAG + revision):
            if ref in self.refs:
                return self.refs[ref]
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            for sha in self._objects.starting_with(revision):
                if re.match(rb"tree [0-9a-f]{40}\n", self._objects.get(sha)):
                    return sha
        raise no_revision(revision)

    def commit(self, sha: str) -> Commit:
        """A commit of this sha."""
        head, _, message = self._objects.get(sha).decode().partition("\n\n")
        lines = [line.split(" ", 1) for line in head.split("\n")]
        said = dict(reversed(lines))
        author, when, _ = said["author"].rsplit(" ", 2)
        return Commit(
            sha, said["tree"], said.get("parent"), author.split(" <")[0], int(when), message
        )

    def commits(self, revision: str = "main") -> list[Commit]:
        """A revision's history, the last first."""
        found = [self.commit(self.resolve(revision))]
        while found[-1].parent:
            found.append(self.commit(found[-1].parent))
        return found

    def entries(self, revision: str = "main") -> dict[str, Entry]:
        """All files and folders of a revision by path, a folder before what is in it."""
        tree = self.commit(self.resolve(revision)).tree
        if tree not in self._trees:
            self._trees[tree] = self._read_tree(tree)
        return self._trees[tree]

    def _read_tree(self, tree: str) -> dict[str, Entry]:
        found = {}
        for path, oid, folder in self._objects.walk(tree):
            if folder:
                found[path] = Entry(path, oid, folder=True)
            else:
                content = self._objects.get(oid)
                lfs = Pointer.parse(content)
                found[path] = Entry(path, oid, False, lfs.size if lfs else len(content), lfs)
        return found

    def paths(self, revision: str = "main") -> list[str]:
        """The paths of all files of a revision."""
        return [path for path, entry in self.entries(revision).items() if not entry.folder]

    def file(self, path: str, revision: str = "main") -> Entry:
        """A file's entry."""
        sha = self.resolve(revision)
        entry = self.entries(sha).get(path)
        if entry is None or entry.folder:
            raise no_entry(path, sha)
        return entry

    def read(self, path: str, revision: str = "main") -> bytes:
        """A file's bytes, an LFS file's own."""
        entry = self.file(path, revision)
        return self.lfs(entry.lfs.sha256) if entry.lfs else self.blob(entry.oid)

    def blob(self, oid: str) -> bytes:
        """A blob of git; of an LFS file, its pointer."""
        return self._objects.get(oid)

    def lfs(self, sha256: str) -> bytes:
        """An LFS object's bytes."""
        return self.lfs_path(sha256).read_bytes()

    def lfs_path(self, sha256: str) -> Path:
        """Where an LFS object lies once it is uploaded."""
        return self.folder / "lfs" / sha256

    def store_lfs(self, sha256: str, content: bytes) -> Pointer:
        """Keep an LFS object; refused if the bytes are not those of the sha."""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise HubError(400, f"The bytes received are not those of sha256 {sha256}")
        path = self.lfs_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{sha256}.{threading.get_ident()}")
        part.write_bytes(content)
        part.replace(path)
        return Pointer(sha256, len(content))

    def write(
        self,
        files: Mapping[str, bytes | Pointer],
        *,
        remove: Sequence[str] = (),
        message: str = "changed",
        author: str = "somebody",
        ref: str = BRANCH + "main",
        parent: str | None = None,
    ) -> str:
        """Commit files (a pointer stands for an LFS object) to a ref, made if it is new; the sha.

        Args:
            files: content by path.
            remove: paths of files; of folders with a slash at the end.
            message: title, and after an empty line the description.
            author: who commits.
            ref: full name of a branch or pull request.
            parent: sha or its first digits that the ref must be at.

        Raises:
            HubError: 412 when the ref is elsewhere, 404 when nothing is there to remove.
        """
        with self.lock:
            tip = self.refs.get(ref)
            if parent is not None and (tip is None or not tip.startswith(parent)):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            # The first commit on a new pull request goes on from where its ref was made.
            tree = (
                {e.path: e.oid for e in self.entries(tip).values() if not e.folder} if tip else {}
            )
            for path in remove:
                gone = [p for p in tree if p == path or (path[-1] == "/" and p.startswith(path))]
                if not gone:
                    raise HubError(
                        404, f"A file with this name doesn't exist: {path}", "EntryNotFound"
                    )
                for name in gone:
                    del tree[name]
            for path, content in files.items():
                raw = content.content() if isinstance(content, Pointer) else content
                tree[path] = self._objects.put("blob", raw)
            who = f"{author} <{author}@users.noreply.hf.co> {int(time.time())} +0000"
            before = f"parent {tip}\n" if tip else ""
            text = f"tree {self._objects.put_tree(tree)}\n{before}author {who}\ncommitter {who}\n"
            self.refs[ref] = self._objects.put("commit", f"{text}\n{message}".encode())
            return self.refs[ref]

    def move_tag(self, tag: str, revision: str) -> None:
        """Put a tag somewhere else, as its owner may at any time."""
        self.refs[TAG + tag] = self.resolve(revision)
