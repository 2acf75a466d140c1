"""Names on the Hub: the repositories of a bundle, its versions as tags, references to them.

The bundle `NAMESPACE/NAME` is a handful of repositories, one a part: datasets
`NAMESPACE/NAME-pairs`, `…-generations`, `…-deltas`, models `…-sae` and `…-backbone`, and the Space
`NAMESPACE/NAME`. Version X.Y.Z is the tag `vX.Y.Z` in each of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.artifacts.layout import (
    BACKBONE,
    DELTAS_PART,
    GENERATIONS_PART,
    PAIRS_PART,
    SAE,
)
from blindspots_hub.errors import BlindspotsError

SPACE = "space"
"""What stands for the Space where other repositories name their part of the bundle."""

KINDS = {
    PAIRS_PART: "dataset",
    GENERATIONS_PART: "dataset",
    DELTAS_PART: "dataset",
    SAE: "model",
    BACKBONE: "model",
    SPACE: "space",
}
"""The Hub's repository type of every part, in the order in which they are published."""

_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9]([\w.-]*[A-Za-z0-9_])?", re.ASCII)
_LONGEST = 96 - len(f"-{GENERATIONS_PART}")  # the Hub ends names at 96 characters
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Repo:
    """One repository of a bundle.

    `kind` is the Hub's type ("dataset", "model", "space"), `id` its `namespace/name`, `part` the
    folder of the bundle that it holds, or `SPACE`.
    """

    kind: str
    id: str
    part: str


@dataclass(frozen=True, order=True)
class Version:
    """A version X.Y.Z; versions are ordered as numbers, 1.10.0 after 1.9.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read "1.2.0" or "v1.2.0"; anything else raises `BlindspotsError`."""
        found = _VERSION.fullmatch(text.removeprefix("v"))
        if found is None:
            raise BlindspotsError(f"{text!r} is not a version: write three numbers such as 1.0.0.")
        return cls(*(int(number) for number in found.groups()))

    @classmethod
    def of_tag(cls, tag: str) -> Version | None:
        """The version that a tag stands for; None for tags that are no versions."""
        return cls.parse(tag) if tag.startswith("v") and _VERSION.fullmatch(tag[1:]) else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The tag of this version in every repository of its bundle."""
        return f"v{self}"


@dataclass(frozen=True)
class Reference:
    """A bundle on the Hub, at a version, at a commit of its `deltas` repository, or at neither.

    Neither means the highest version that is published.
    """

    namespace: str
    name: str
    version: Version | None = None
    commit: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `NAMESPACE/NAME[@VERSION]`, where VERSION is 1.2.0, v1.2.0 or a 40-hex commit sha.

        Anything else raises `BlindspotsError`.
        """
        bundle, at, revision = text.partition("@")
        namespace, slash, name = bundle.partition("/")
        if not slash or (at and not revision):
            raise BlindspotsError(
                f"{text!r} does not name a bundle on the Hub: write NAMESPACE/NAME, or "
                "NAMESPACE/NAME@1.0.0 for one version."
            )
        check_name("namespace", namespace)
        check_name("bundle", name)
        if not revision:
            return cls(namespace, name)
        if is_sha(revision):
            return cls(namespace, name, commit=revision)
        return cls(namespace, name, version=Version.parse(revision))

    @property
    def bundle(self) -> str:
        """`NAMESPACE/NAME`, which is also the id of its Space."""
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        at = self.commit or self.version
        return f"{self.bundle}@{at}" if at else self.bundle

    def repo(self, part: str) -> Repo:
        """The repository of a part, or of the Space (`SPACE`)."""
        suffix = "" if part == SPACE else f"-{part}"
        return Repo(KINDS[part], f"{self.bundle}{suffix}", part)

    def repos(self, parts: Collection[str]) -> list[Repo]:
        """The repositories of `parts`, in the order in which they are published."""
        return [self.repo(part) for part in KINDS if part in parts]


def is_sha(text: str) -> bool:
    """Whether `text` is a whole commit sha: nothing shorter is ever recorded or trusted."""
    return _SHA.fullmatch(text) is not None


def check_name(what: str, name: str) -> None:
    """`BlindspotsError` unless the Hub and a bundle's repositories can be called so."""
    if not _NAME.fullmatch(name) or name.endswith(".git") or len(name) > _LONGEST:
        raise BlindspotsError(
            f"{name!r} cannot be the name of a {what} on the Hub: use letters, digits, single '-', "
            f"'_' and '.', at most {_LONGEST} characters, first and last a letter or digit."
        )


def looks_like_reference(source: str | Path) -> bool:
    """Whether `source` may name a bundle on the Hub: no path here, and of the form of one."""
    if isinstance(source, Path) or Path(source).expanduser().exists():
        return False
    try:
        Reference.parse(source)
    except BlindspotsError:
        return False
    return True
