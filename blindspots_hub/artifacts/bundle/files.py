"""The files of a bundle: what its manifest says of them, checked and fetched when first read."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import pyarrow as pa

from blindspots_hub.artifacts.bundle.kept import forget
from blindspots_hub.artifacts.inventory import away, regular_size
from blindspots_hub.artifacts.layout import LOCK, MANIFEST, PARTS, listed_files, part_of, table_path
from blindspots_hub.artifacts.manifest import Manifest, ModelEntry
from blindspots_hub.artifacts.optional import read_optional
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import TableSpec, with_optional
from blindspots_hub.artifacts.validate import faults, file_faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.progress import drive
from blindspots_hub.utils.files import sha256_file


class BundleFiles:
    """Root and manifest of a bundle on disk, and its files by what is asked of them."""

    def __init__(self, root: Path, unread: bool = False) -> None:
        """Open what was validated; where it is `unread`, a file is when it is first asked for."""
        self.root = root
        self._unread = unread
        self._sure: set[str] = set()
        self._looked: dict[str, frozenset[str]] = {}
        self._checking, self._fetching = RLock(), Lock()
        self._read_manifest()
        # Of a bundle of the Hub: what comes later is looked at when it comes.
        self._late = away(root, self.manifest.files)

    def _read_manifest(self) -> None:
        """As it is on the disk now; its sha256 names the state of the bundle."""
        self.manifest = Manifest.read(self.root)
        self.sha256 = sha256_file(self.root / MANIFEST)

    def check(self) -> None:
        """Validate all that is here and was not read yet; `BlindspotsError` with every fault."""
        with self._checking:
            if self._unread:
                found = faults(self.root, present(self.root, ()))
                here = [name for name in self.manifest.files if self.is_here(name)]
                if found and self._fetched_anew(here):
                    found = faults(self.root, present(self.root, ()))
                refuse(self.root, found)
                self._unread = False

    def _checked(self, path: Path, columns: Collection[str] | None = None) -> Path:
        """`path`, once it is here and its content was found to be what the manifest says.

        Of a table that is all of it, or some `columns` for who reads no others.
        """
        name = path.relative_to(self.root).as_posix()
        if self._known(name, columns) or not (self._unread or name in self._late):
            return path
        self.fetch([name])
        with self._checking:
            if not self._known(name, columns):
                seen = self._looked.get(name)
                found = list(file_faults(self.root, self.manifest, name, columns, seen is None))
                if found and self._fetched_anew([name]):
                    found = list(file_faults(self.root, self.manifest, name, columns))
                refuse(self.root, found)
                if columns is None:
                    self._sure.add(name)
                else:
                    self._looked[name] = (seen or frozenset()).union(columns)
        return path

    def _whole(self, path: Path) -> Path:
        """`path`, once its sha256 is the manifest's: for who looks at what they read themselves."""
        return self._checked(path, ())

    def _known(self, name: str, columns: Collection[str] | None) -> bool:
        """Whether a file, or some columns of it, were found to be whole before."""
        seen = self._looked.get(name)
        some = columns is not None and seen is not None and seen.issuperset(columns)
        return some or name in self._sure

    def _fetched_anew(self, names: Collection[str]) -> bool:
        """Whether files in the Hub client's cache were looked at, and fetched again if damaged."""
        if not (self.root / LOCK).is_file():
            return False
        from blindspots_hub.artifacts.hub.fetch import fetching, is_cached

        if not is_cached(self.root):
            return False
        try:
            drive(fetching(self.root, names, check=True))
        except BlindspotsError:  # what is wrong with the file says more
            return False
        return True

    def check_parts(self, *parts: str) -> None:
        """Look at all files of these parts that are not known to be whole yet.

        Before networks are loaded from them, for example; `BlindspotsError` where one is damaged.
        """
        for name in self.manifest.files:
            if part_of(name) in parts:
                self._checked(self.root / name)

    def fetch(self, names: Collection[str] | None = None) -> None:
        """Fetch those of the files `names` that are away, of a bundle of the Hub: by default all.

        Per-image energies, features and token codes are, until something reads them. Raises
        `BlindspotsError` where the Hub does not give them.
        """
        with self._fetching:
            missing = sorted(self._late if names is None else self._late.intersection(names))
            missing = [name for name in missing if regular_size(self.root / name) is None]
            if missing:
                from blindspots_hub.artifacts.hub.fetch import fetching

                drive(fetching(self.root, missing))

    def has(self, path: Path) -> bool:
        """Whether the bundle has a file, be it here or to be fetched."""
        return path.relative_to(self.root).as_posix() in self.manifest.files

    def is_here(self, *names: str) -> bool:
        """Whether these files of the bundle lie on this disk already."""
        return all(regular_size(self.root / name) is not None for name in names)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.manifest.version

    @property
    def identity(self) -> str:
        """What names the results in links: optional tables that come and go do not change it."""
        return self.manifest.results or self.sha256

    def optional(self, spec: TableSpec, model: str | None = None) -> pa.Table | None:
        """A table that a bundle may have, or None where this one has not."""
        path = table_path(self.root, spec, model)
        if path.relative_to(self.root).as_posix() in self.manifest.files:
            self._checked(path)
        return read_optional(self.root, self.manifest, spec, model)

    @property
    def concept_space(self) -> dict[str, Any]:
        """Backbone, preprocessing, token layout, SAE: what makes two bundles comparable."""
        return self.manifest.concept_space

    @property
    def n_concepts(self) -> int:
        """Number of concepts."""
        return int(self.concept_space["n_concepts"])

    @property
    def grid(self) -> tuple[int, int]:
        """Patches of an image as (rows, columns)."""
        rows, columns = self.concept_space["layout"]["grid"]
        return int(rows), int(columns)

    @property
    def tokens(self) -> str:
        """Which tokens all energies sum, of `TOKENS`.

        Bundles of before this was told have it with their models; without one it was `patches`.
        """
        told = (model.measured_with.tokens for model in self.models.values())
        return self.manifest.tokens or next(told, MeasureSettings().tokens)

    @cached_property
    def models(self) -> dict[str, ModelEntry]:
        """The manifest's entry of every model, by name, in the manifest's order."""
        return {model.name: model for model in self.manifest.models}

    def model(self, name: str) -> ModelEntry:
        """The manifest's entry of one model; an unknown one raises `BlindspotsError`."""
        if name not in self.models:
            raise BlindspotsError(
                f"The bundle {self.name} has no model {name!r}: it has {', '.join(self.models)}."
            )
        return self.models[name]

    @property
    def parts(self) -> set[str]:
        """The parts that the manifest names, be they here or not."""
        return {part_of(name) for name in self.manifest.files}

    def require(self, *parts: str) -> None:
        """`BlindspotsError` unless these parts of the bundle are here.

        A bundle that came from the Hub fetches what is missing, by the lock that came with it.
        """
        missing = [part for part in parts if not (self.root / part).is_dir()]
        if missing and (self.root / LOCK).is_file():
            from blindspots_hub.artifacts.hub.fetch import adding

            drive(adding(self.root, missing))
            missing = [part for part in missing if not (self.root / part).is_dir()]
        if missing:
            raise BlindspotsError(
                f"The bundle {self.name} in {self.root} was fetched without its "
                f"{' and '.join(missing)}: pull the bundle with all its parts."
            )

    def files_of(
        self,
        spec: TableSpec,
        model: str | None = None,
        columns: Collection[str] | None = None,
    ) -> list[Path]:
        """The files of a table, each found to be what the manifest says; none where it has none.

        Where some `columns` are named, no others are to be read.
        """
        names = listed_files(self.manifest.files, spec, model)
        return [self._checked(self.root / name, columns) for name in names]

    def refresh(self) -> None:
        """Read the manifest anew: an optional table was added to the folder since."""
        with self._checking:
            self._read_manifest()
            self._sure.clear()
            self._looked.clear()
            self.let_go()

    def let_go(self) -> None:
        """Forget what was read and is kept in memory; it is read again when asked for."""
        forget(self)

    def _read(self, spec: TableSpec, model: str | None = None) -> pa.Table:
        table = read_table(self.files_of(spec, model))
        if "image" not in table.column_names:
            table = table.combine_chunks()
        return with_optional(table, spec)


def refuse(root: Path, found: list[str]) -> None:
    """`BlindspotsError` where something is wrong."""
    if found:
        shown = "; ".join(found[:20]) + (f"; and {len(found) - 20} more" if found[20:] else "")
        raise BlindspotsError(
            f"{root} is not a whole bundle: {shown}. Fetch it again, or name another folder."
        )


def present(root: Path, parts: Collection[str]) -> set[str]:
    """The `parts` and those that are here."""
    return {*parts, *(part for part in PARTS if (root / part).is_dir())}
