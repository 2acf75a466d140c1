"""`bundle.json`, typed: what a bundle says of itself and of every model.

What a newer minor version adds is kept in `extra` and written back; what is of the wrong type is
told in words, all of it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from blindspots_hub.artifacts.checks import (
    anything,
    at_most,
    between,
    count,
    flag,
    inside,
    list_of,
    map_of,
    number,
    one_of,
    or_null,
    record,
    share,
    text,
    title,
)
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL
from blindspots_hub.artifacts.limits import CONCEPTS, FILES, GRID, LONGEST_PATH, MODELS, NAME
from blindspots_hub.artifacts.schema import SCHEMA_VERSION, major
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.settings import TOKENS, MeasureSettings
from blindspots_hub.utils.files import read_json

PAIRED, UNPAIRED = "paired", "unpaired"

_SETTINGS = record(
    {
        "confidence": inside(0, 1),
        "min_support": between(1, 2**50),
        "tau": inside(0, 1e100),
        "tokens": one_of(*TOKENS),
    },
    {"alpha": inside(0, 1)},
)
_NULL = record(
    {"pairs": count},
    {
        "kind": or_null(text),
        "repeats": or_null(count),
        "flagged": or_null(share),
        "flagged_low": or_null(share),
        "flagged_high": or_null(share),
        "relative_flagged": or_null(share),
        "generations": or_null(record()),
    },
)
_STATES = map_of(count)
_RUN = record(
    {},
    {
        **dict.fromkeys(("source", "unet", "variant_of"), or_null(text)),
        "settings": or_null(record()),
        "versions": or_null(record()),
        "joined": or_null(record()),
        "skipped": or_null(map_of(count)),
    },
)
_SIDE = record(
    {
        "is_outside": flag,
        "outside": share,
        "images": count,
        "feature": text,
        "median": inside(-500, 500),
        "home": inside(-500, 500),
        "r2": number,
    }
)
"""What the warning that images are outside a concept space is made of; two numbers are logarithms,
of which nobody can say what a large one stands for."""

_MODEL = record(
    {
        "name": title,
        "title": title,
        "design": one_of(PAIRED, UNPAIRED),
        "pairs": count,
        "settings": _SETTINGS,
    },
    {
        "natural_images": count,
        "dropped": map_of(count),
        "method": count,
        "selection": record({}, {"rejected": count, "supported": count, "level": number}),
        "run": _RUN,
        "counts": record({"absolute": _STATES, "relative": _STATES}),
        "null": _NULL,
        "domain": record({"home": record({"r2": number})}, {"natural": _SIDE, "generated": _SIDE}),
        "request": text,
    },
)
_MANIFEST = record(
    {
        "schema_version": anything,
        "name": title,
        "version": title,
        "concept_space": record(
            {
                "n_concepts": between(1, CONCEPTS),
                "layout": record({"grid": list_of(between(1, GRID), 2)}),
            }
        ),
        "models": at_most(MODELS, list_of(_MODEL)),
        "files": at_most(FILES, map_of(record({"sha256": title, "bytes": count}))),
        "packages": at_most(FILES, map_of(text)),
    },
    {
        "created_with": text,
        "results": text,
        "request": text,
        "note": text,
        "licence": text,
        "skipped": map_of(count),
        "tokens": one_of(*TOKENS),
    },
)


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says of a file: hex sha256, and its size in bytes."""

    sha256: str
    bytes: int


class _Written:
    """Reading the fields of a dataclass from a JSON object, and writing them back.

    What no field is named for goes to `extra`; a field that is None is not written.
    """

    extra: Mapping[str, Any]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def _split(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        own = {one.name for one in fields(cls)} - {"extra"}
        known = {name: one for name, one in value.items() if name in own}
        return {**known, "extra": {name: one for name, one in value.items() if name not in own}}

    def _joined(self) -> dict[str, Any]:
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "extra"}
        return {**{name: one for name, one in own.items() if one is not None}, **self.extra}


@dataclass(frozen=True)
class ModelEntry(_Written):
    """What the manifest says of one model; SPEC.md tells what each field means.

    `request` is the fingerprint of what its evaluation was asked for. `method` is None in bundles
    of the first method.
    """

    name: str
    title: str
    design: str
    pairs: int
    settings: Mapping[str, Any]
    natural_images: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    method: int | None = None
    selection: Mapping[str, Any] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    null: Mapping[str, Any] = field(default_factory=dict)
    domain: Mapping[str, Any] | None = None
    request: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paired(self) -> bool:
        """Whether every generated image is compared with the natural image of its caption."""
        return self.design == PAIRED

    @property
    def measured_with(self) -> MeasureSettings:
        """The settings that this program knows of those the model was measured with."""
        known = {one.name for one in fields(MeasureSettings)}
        return MeasureSettings(**{k: v for k, v in self.settings.items() if k in known})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelEntry:
        """Read a checked object."""
        return cls(**cls._split(value))

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return self._joined()


@dataclass(frozen=True)
class Manifest(_Written):
    """What `bundle.json` says; SPEC.md tells what each field means."""

    schema_version: str | int
    name: str
    version: str
    concept_space: dict[str, Any]
    models: tuple[ModelEntry, ...]
    files: Mapping[str, FileEntry]
    packages: Mapping[str, str]
    created_with: str = ""
    results: str | None = None
    request: str | None = None
    note: str | None = None
    licence: str | None = None
    skipped: Mapping[str, int] | None = None
    tokens: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """The manifest of the bundle at `root`; `BlindspotsError` with every fault of it."""
        return cls.from_json(read_json(root / MANIFEST), root / MANIFEST)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: Path | str = MANIFEST) -> Manifest:
        """Read a JSON object; `BlindspotsError` with every fault of it, and `where` it is."""
        if found := list(manifest_faults(value)):
            raise BlindspotsError(f"{where} cannot be read: {'; '.join(found)}.")
        parts = cls._split(value)
        parts["models"] = tuple(ModelEntry.from_json(one) for one in value["models"])
        parts["files"] = {
            name: FileEntry(one["sha256"], one["bytes"]) for name, one in value["files"].items()
        }
        return cls(**parts)

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            **self._joined(),
            "models": [model.to_json() for model in self.models],
            "files": {name: vars(one).copy() for name, one in self.files.items()},
        }


def manifest_faults(value: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a manifest by itself; without faults its paths lie inside the bundle.

    Of a later major only that is told: what else it holds is not for this program to judge.
    """
    version = value.get("schema_version", SCHEMA_VERSION)
    if major(version) is None:
        yield (
            f"{MANIFEST} has schema version {version!r}, this program reads versions up to "
            f"{SCHEMA_VERSION}: use the version of blindspots_hub that wrote it"
        )
        return
    yield from _MANIFEST(value, MANIFEST)
    files, models = value.get("files"), value.get("models")
    for name in files if isinstance(files, dict) else ():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            yield f"{MANIFEST} names {name[:200]!r}, which lies outside the bundle"
        elif (
            path.as_posix() != name
            or not name.isprintable()
            or ":" in path.parts[0]
            or len(name) > LONGEST_PATH
        ):
            yield f"{MANIFEST} names {name[:200]!r}, which is no plain path"
    named = Counter(
        model["name"]
        for model in (models if isinstance(models, list) else ())
        if isinstance(model, dict) and isinstance(model.get("name"), str)
    )
    for name, times in named.items():
        if (
            name in ("", NATURAL)
            or not name.isprintable()
            or set("/\\:") & set(name)
            or name.startswith(".")
            or len(name) > NAME
        ):
            yield f"{MANIFEST} has a model called {name[:60]!r}, which is not allowed"
        if times > 1:
            yield f"{MANIFEST} has two models called {name[:60]!r}"
