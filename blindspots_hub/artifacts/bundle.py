"""Reading a bundle: `load_bundle` and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.atoms import dictionary
from blindspots_hub.artifacts.concept_column import ConceptColumn, concept_column, fires_in
from blindspots_hub.artifacts.frames import blindspots, frame
from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.labels import Label, best, named
from blindspots_hub.artifacts.layout import (
    LOCK,
    MANIFEST,
    NATURAL,
    PARTS,
    SAE_WEIGHTS,
    energies_path,
    features_path,
    generation_energies_path,
    heatmaps_path,
    listed_files,
    part_of,
    table_path,
    token_codes_path,
)
from blindspots_hub.artifacts.limits import IMAGE_BYTES, THUMBNAIL_BYTES
from blindspots_hub.artifacts.manifest import Manifest, ModelEntry
from blindspots_hub.artifacts.optional import read_optional
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.picture_table import PictureTable
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    LABELS,
    NATURAL_IMAGES,
    OWN_NATURAL,
    PAIR_DISTANCES,
    PAIRS,
    STRESS_IMAGES,
    STRESS_TESTS,
    THUMBNAILS,
    TableSpec,
    with_optional,
)
from blindspots_hub.artifacts.stress_tables import images_of_test
from blindspots_hub.artifacts.validate import faults, file_faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.token_codes import TokenCodes
from blindspots_hub.progress import Event, drive
from blindspots_hub.utils.files import near_name, sha256_file

if TYPE_CHECKING:
    from blindspots_hub.artifacts.hub.lock import Lock
    from blindspots_hub.artifacts.hub.repos import Reference


Method = TypeVar("Method", bound=Callable[..., Any])

KEPT = 64
"""Answers of one kind that a bundle keeps."""


def _kept(method: Method) -> Method:
    """A method of plain arguments that keeps its answers as long as its bundle lives."""

    @wraps(method)
    def asked(self: Bundle, *args: Any) -> Any:
        answers = self.__dict__.setdefault("_answers", {}).setdefault(method.__name__, {})
        if args not in answers:
            while len(answers) >= KEPT:
                answers.pop(next(iter(answers)))
            answers[args] = method(self, *args)
        return answers[args]

    return asked  # type: ignore[return-value]


@dataclass(frozen=True)
class Thumbnail:
    """A small webp and the caption it belongs to."""

    image: bytes
    caption: str


class Redraw(Protocol):
    """Who draws a model's images again where a bundle does not hold them."""

    def can(self, bundle: Bundle, source: str) -> bool:
        """Whether those of a source can be drawn."""

    def image(self, bundle: Bundle, source: str, pair_id: str) -> bytes | None:
        """One image file, or None."""


class Bundle:
    """A validated bundle on disk; tables are read when first asked for, and kept.

    Everything is read-only. `sources` are "natural" and the models' names. `redraw`, where a
    program sets it, draws images that the bundle does not hold.
    """

    def __init__(self, root: Path, unread: bool = False) -> None:
        """Open what was validated; where it is `unread`, a file is when it is first asked for."""
        self.root = root
        self._unread = unread
        self._sure: set[str] = set()
        self._checking = RLock()
        self.redraw: Redraw | None = None
        self._read_manifest()

    def _read_manifest(self) -> None:
        """As it is on the disk now; its sha256 names the state of the bundle."""
        self.manifest = Manifest.read(self.root)
        self.sha256 = sha256_file(self.root / MANIFEST)

    def __repr__(self) -> str:
        models = ", ".join(
            f"{name} ({entry.pairs:,} {'pairs' if entry.design == 'paired' else 'images'})"
            for name, entry in self.models.items()
        )
        shown = models or "no model yet"
        return f"<Bundle {self.name} {self.version}: {self.n_concepts:,} concepts; {shown}>"

    def _repr_html_(self) -> str:
        from blindspots_hub.notebook import bundle_html

        return bundle_html(self)

    def show(self, port: int | None = None) -> str:
        """Serve the page of this bundle on 127.0.0.1, without waiting, and return its address.

        `port` is by default the first free one from 7860 on; a taken one is a `BlindspotsError`.
        """
        from blindspots_hub.notebook import show

        return show(self, port)

    def frame(self, model: str) -> Any:
        """Every concept of a model as a labelled pandas frame."""
        return frame(self, model)

    def blindspots(self, model: str, two_fold: bool = False) -> Any:
        """What a model suppresses or exaggerates, surest first, as a labelled pandas frame.

        `two_fold` adds what is surely changed two-fold, within the paper's thresholds. It begins
        with the columns concept, label, relative_state, relative_certain, fold (generated over
        natural energy), relative_delta with relative_delta_low and relative_delta_high (its
        pointwise interval), q, and support (images); the rest is the table DELTAS of SPEC.md. An
        unknown model is a `BlindspotsError`.
        """
        return blindspots(self, model, two_fold)

    def check(self) -> None:
        """Validate all that is here and was not read yet; `BlindspotsError` with every fault."""
        with self._checking:
            if self._unread:
                _refuse(self.root, faults(self.root, _present(self.root, ())))
                self._unread = False

    def _checked(self, path: Path) -> Path:
        """`path`, once its content was found to be what the manifest says."""
        name = path.relative_to(self.root).as_posix()
        if not self._unread or name in self._sure:
            return path
        with self._checking:
            if name not in self._sure:
                _refuse(self.root, list(file_faults(self.root, self.manifest, name)))
                self._sure.add(name)
        return path

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

    @cached_property
    def concepts(self) -> pa.Table:
        """Table CONCEPTS: map coordinates and neighbours."""
        return self._read(CONCEPTS)

    @property
    def concept_columns(self) -> dict[str, pa.ChunkedArray]:
        """Columns of CONCEPTS as another bundle of this concept space takes them over."""
        return {name: self.concepts[name] for name in CONCEPTS.names if name != "label"}

    @cached_property
    def label_table(self) -> pa.Table:
        """Table LABELS; of bundles before 2.1 what their column `label` says."""
        table = self.optional(LABELS)
        if table is None:
            old = [label or "" for label in self.concepts["label"].to_pylist()]
            table = named(old, "unknown")
        return table

    @cached_property
    def labels(self) -> list[str]:
        """Name of every concept, the best it has; "" where it has none."""
        return best(self.label_table, self.n_concepts)

    def name_again(self) -> None:
        """Forget the names that were read: the table of labels was written anew."""
        for kept in ("label_table", "labels", "_label_rows"):
            self.__dict__.pop(kept, None)
        self._sure.discard(LABELS.path)
        self._read_manifest()

    def label_of(self, concept: int) -> Label | None:
        """The name that is shown of a concept with where it comes from; None where it has none."""
        row = self._label_rows.get(concept)
        return None if row is None else Label(**self.label_table.slice(row, 1).to_pylist()[0])

    @cached_property
    def _label_rows(self) -> dict[int, int]:
        rows: dict[int, int] = {}
        for row, concept in enumerate(self.label_table["concept"].to_pylist()):
            rows.setdefault(concept, row)
        return rows

    @cached_property
    def pairs(self) -> pa.Table:
        """Table PAIRS, images included: of many pairs ask for `pair_rows` and single images."""
        self.require(part_of(PAIRS.path))
        return self._read(PAIRS)

    @cached_property
    def pair_rows(self) -> pa.Table:
        """Table PAIRS without its images: `image` (path) is null where there is none."""
        self.require(part_of(PAIRS.path))
        names = [name if name != "image" else "image.path" for name in PAIRS.names]
        return read_table(self.files_of(PAIRS), names)

    def pictures_in_order(self, spec: TableSpec, model: str | None = None) -> PictureTable:
        """Images of PAIRS (by pair_id) or GENERATIONS (by pair_id, draw), to be gone through.

        A row group or two are in memory, and nothing is written.
        """
        self.require(part_of(spec.path))
        keys = ("pair_id",) if spec == PAIRS else ("pair_id", "draw")
        return PictureTable(self.files_of(spec, model), keys, IMAGE_BYTES, spool=False)

    def files_of(self, spec: TableSpec, model: str | None = None) -> list[Path]:
        """The files of a table, each found to be what the manifest says; none where it has none."""
        names = listed_files(self.manifest.files, spec, model)
        return [self._checked(self.root / name) for name in names]

    @_kept
    def deltas(self, model: str) -> pa.Table:
        """Table DELTAS of a model."""
        self.model(model)
        return self._read(DELTAS, model)

    @_kept
    def stress_tests(self) -> dict[tuple[int, str], dict[str, Any]]:
        """Rows of STRESS_TESTS by concept and model: what prompts that asked for it have shown."""
        table = self.optional(STRESS_TESTS)
        rows = [] if table is None else table.to_pylist()
        return {(row["concept"], row["model"]): row for row in rows}

    def stress_images(self, concept: int, model: str) -> list[dict[str, Any]]:
        """Rows of STRESS_IMAGES of one test, highest energy first of each drawing model."""
        path = table_path(self.root, STRESS_IMAGES)
        if path.relative_to(self.root).as_posix() not in self.manifest.files:
            return []
        return images_of_test(self._checked(path), concept, model)

    def refresh(self) -> None:
        """Read the manifest anew: an optional table was added to the folder since."""
        with self._checking:
            self._read_manifest()
            self._sure.clear()
            self.let_go()

    @_kept
    def distances(self, model: str) -> pa.Table:
        """Table PAIR_DISTANCES of a model."""
        self.model(model)
        return self._read(PAIR_DISTANCES, model)

    def generations(self, model: str) -> pa.Table:
        """Table GENERATIONS of a model, images included: of many ask for single images."""
        self.require(part_of(GENERATIONS.path))
        self.model(model)
        return self._read(GENERATIONS, model)

    @_kept
    def energies(self, source: str) -> ImageEnergies:
        """Per-image energies of a source; rows follow `image_ids(source)`."""
        return ImageEnergies.load(self._checked(energies_path(self.root, source)))

    @_kept
    def concept_energies(self, source: str, concept: int) -> ConceptColumn | None:
        """Energies of one concept in the images of a source; None where they are not here."""
        path = energies_path(self.root, source)
        return concept_column(self._checked(path), concept) if path.is_file() else None

    def fires_in(self, source: str, rows: np.ndarray) -> np.ndarray | None:
        """In how many of some images of a source each concept fires; None where not known here."""
        path = energies_path(self.root, source)
        if not path.is_file():
            return None
        return fires_in(self._checked(path), rows, self.n_concepts)

    @_kept
    def features(self, source: str) -> ImageFeatures | None:
        """Class token and mean patch token of a source's images; rows follow `image_ids(source)`.

        None where the bundle keeps none: it is of an earlier version, or was made from one that
        holds neither features nor natural images.
        """
        path = features_path(self.root, source)
        return ImageFeatures.load(self._checked(path)) if path.is_file() else None

    def atoms(self) -> np.ndarray:
        """The RA-SAE's fused dictionary, float32 (n, d); `BlindspotsError` where it is not here."""
        if (self.root / SAE_WEIGHTS).is_file():
            self._checked(self.root / SAE_WEIGHTS)
        return dictionary(self.root)

    @_kept
    def token_codes(self, source: str) -> TokenCodes | None:
        """Codes of single tokens of some of a source's images; None where the bundle keeps none."""
        path = token_codes_path(self.root, source)
        return TokenCodes.load(self._checked(path)) if path.is_file() else None

    def let_go(self) -> None:
        """Forget what was read and is kept in memory; it is read again when asked for."""
        self.__dict__.pop("_answers", None)

    def compared(self, model: str) -> tuple[ImageEnergies, ImageEnergies]:
        """Natural and generated energies that a model's tables compare; where paired, row by row.

        Unpaired ones have as many rows as there are images on either side.
        """
        natural, generated = self.energies(NATURAL), self.energies(model)
        ids = self.natural_ids(model)
        row = self._rows(NATURAL)
        if len(ids) == len(row) and ids == list(row):
            return natural, generated
        return natural.take(np.array([row[i] for i in ids], np.int64)), generated

    def natural_ids(self, model: str) -> list[str]:
        """Ids of the natural images that a model is compared with; where paired, pair by pair.

        The natural images of a combined bundle are those of several evaluations.
        """
        if self.model(model).paired:
            return self.image_ids(model)
        own = self.optional(OWN_NATURAL, model)
        ids: list[str] = self.image_ids(NATURAL) if own is None else own["pair_id"].to_pylist()
        return ids

    @_kept
    def generation_energies(self, model: str) -> GenerationEnergies | None:
        """Energies of a model's single generations; None where captions were drawn once.

        Bundles of the first schema keep none.
        """
        path = generation_energies_path(self.root, model)
        if not path.is_file():
            return None
        return GenerationEnergies.load(self._checked(path), len(self.image_ids(model)))

    def image_ids(self, source: str) -> list[str]:
        """Ids of the images of a source, in the order of its energies."""
        ids: list[str] = list(self._rows(source))
        return ids

    def heatmap(self, source: str, concept: int, pair_id: str) -> np.ndarray | None:
        """Codes of `concept` on the patches of one image, float32 `grid`; None where not kept.

        An image that a card shows and that has no heatmap is one in which the concept is silent.
        """
        row = self._rows(source).get(pair_id)
        return None if row is None else self._heatmaps(source).grid(concept, row, self.grid)

    def thumbnail(self, source: str, pair_id: str) -> Thumbnail | None:
        """Small image of a source, or None where the bundle does not hold it."""
        image = self._thumbnails.image(source, pair_id)
        return None if image is None else Thumbnail(image, self.caption(source, pair_id))

    def thumbnail_at_hand(self, source: str, pair_id: str) -> bool:
        """Whether the bundle holds a small image, and `thumbnail` reads it without waiting."""
        if "_thumbnails" not in self.__dict__:
            return False
        return (source, pair_id) in self._thumbnails and self._thumbnails.at_hand(source, pair_id)

    def has_thumbnail(self, source: str, pair_id: str) -> bool:
        """Whether the bundle holds a small image; none is read."""
        return (source, pair_id) in self._thumbnails

    def caption(self, source: str, pair_id: str) -> str:
        """Caption of an image of a source; "" where it has none. No image is read."""
        if (source, pair_id) in self._thumbnails:
            return self._thumbnails.caption(source, pair_id)
        paired = source == NATURAL or self.model(source).paired
        return self._natural_captions.get(pair_id, "") if paired else ""

    def image(self, source: str, pair_id: str) -> bytes | None:
        """An image as large as it was measured, or None where it is not redistributed.

        Only parts that are here are looked into; of several generations it is the first.
        """
        table, key = self._large(source, pair_id)
        kept = None if table is None else table.image(*key)
        if kept is None and self._drawn_again(source):
            assert self.redraw is not None
            return self.redraw.image(self, source, pair_id)
        return kept

    def has_picture(self, source: str, pair_id: str) -> bool:
        """Whether an image can be shown, small or as it was measured; none is read."""
        if self.has_thumbnail(source, pair_id):
            return True
        table, key = self._large(source, pair_id)
        kept = table is not None and table.has_image(*key)
        return kept or (self._drawn_again(source) and bool(self.caption(source, pair_id)))

    def _drawn_again(self, source: str) -> bool:
        return self.redraw is not None and source != NATURAL and self.redraw.can(self, source)

    def _large(self, source: str, pair_id: str) -> tuple[PictureTable | None, tuple[Any, ...]]:
        """The table with the images of a source as they were measured, and an image's key in it."""
        keys: tuple[str, ...] = ("pair_id",)
        key: tuple[Any, ...] = (pair_id,)
        names = listed_files(self.manifest.files, PAIRS)
        if source != NATURAL:
            self.model(source)
            names = listed_files(self.manifest.files, GENERATIONS, source)
            keys, key = (*keys, "draw"), (*key, 0)
        here = bool(names) and all((self.root / name).is_file() for name in names)
        return (self._pictures(tuple(names), keys) if here else None), key

    @_kept
    def _heatmaps(self, source: str) -> Heatmaps:
        return Heatmaps.load(self._checked(heatmaps_path(self.root, source)))

    @_kept
    def _rows(self, source: str) -> dict[str, int]:
        if source == NATURAL:
            path = table_path(self.root, NATURAL_IMAGES)
        else:
            self.model(source)
            path = table_path(self.root, PAIR_DISTANCES, source)
        ids = read_table(self._checked(path), ["pair_id"])["pair_id"].to_pylist()
        return {pair_id: row for row, pair_id in enumerate(ids)}

    @cached_property
    def _thumbnails(self) -> PictureTable:
        return PictureTable(
            self.files_of(THUMBNAILS),
            ("source", "pair_id"),
            THUMBNAIL_BYTES,
            captions="caption",
        )

    def image_url(self, pair_id: str) -> str | None:
        """Where a natural image was fetched; None where it is not known here."""
        return self._urls.get(pair_id)

    @cached_property
    def _urls(self) -> dict[str, str]:
        names = listed_files(self.manifest.files, PAIRS)
        if not all((self.root / name).is_file() for name in names):
            return {}
        table = read_table(self.files_of(PAIRS), ["pair_id", "url"])
        both = zip(table["pair_id"].to_pylist(), table["url"].to_pylist(), strict=True)
        return {pair_id: url for pair_id, url in both if url}

    @_kept
    def _pictures(self, names: tuple[str, ...], keys: tuple[str, ...]) -> PictureTable:
        paths = [self._checked(self.root / name) for name in names]
        return PictureTable(paths, keys, IMAGE_BYTES)

    @cached_property
    def _natural_captions(self) -> dict[str, str]:
        path = self._checked(table_path(self.root, NATURAL_IMAGES))
        table = read_table(path, ["pair_id", "caption"])
        return dict(zip(table["pair_id"].to_pylist(), table["caption"].to_pylist(), strict=True))

    def _read(self, spec: TableSpec, model: str | None = None) -> pa.Table:
        table = read_table(self.files_of(spec, model))
        if "image" not in table.column_names:
            table = table.combine_chunks()
        return with_optional(table, spec)

    def captions(self, pair_ids: list[str]) -> list[str]:
        """Captions of pairs, in the order asked."""
        path = self._checked(table_path(self.root, NATURAL_IMAGES))
        table = read_table(path, ["pair_id", "caption"])
        index = pc.index_in(pa.array(pair_ids, pa.string()), value_set=table["pair_id"])
        captions: list[str] = table["caption"].take(index).to_pylist()
        return captions


def load_bundle(
    source: str | Path,
    parts: Collection[str] = (),
    show: Callable[[Event], None] | None = None,
    contents: bool = True,
) -> Bundle:
    """Open a bundle after checking every part that is there, and that `parts` are.

    `source` is the folder of a bundle; or `NAMESPACE/NAME[@VERSION]`, a bundle on the Hub (VERSION
    is 1.0.0, v1.0.0 or a 40-hex commit of its `deltas` repository, by default the highest version);
    or the path of a `bundle.lock.json`, which names one. From the Hub only `deltas` and `parts` are
    fetched, into the Hub client's cache, and the rest when it is asked for; what was fetched before
    asks no network. A string that is both a folder and a reference is the folder; a `Path` is never
    a reference. `show` receives the events of fetching. Without `contents` only names, sizes and
    what files say of themselves is checked at once, and each file's sha256 and content when it is
    first read.

    Raises `BlindspotsError` with every fault found: nothing of a faulty bundle is loaded. Where the
    Hub is needed and cannot be reached it does so within seconds.
    """
    published = _published(source)

    def found_in(root: Path) -> list[str]:
        return faults(root, _present(root, parts), contents=contents)

    if published is None:
        root = Path(source).expanduser()
        found = found_in(root)
    else:
        from blindspots_hub.artifacts.hub.fetch import opening

        root = drive(opening(published, parts), show)
        found = found_in(root)
        if found:  # the cache was damaged since: mend it
            root = drive(opening(published, _present(root, parts), check=True), show)
            found = found_in(root)
    _refuse(root, found)
    return Bundle(root, unread=not contents)


def _refuse(root: Path, found: list[str]) -> None:
    """`BlindspotsError` where something is wrong."""
    if found:
        shown = "; ".join(found[:20]) + (f"; and {len(found) - 20} more" if found[20:] else "")
        raise BlindspotsError(
            f"{root} is not a whole bundle: {shown}. Fetch it again, or name another folder."
        )


def _published(source: str | Path) -> Reference | Lock | None:
    """What `source` names on the Hub; None where it names a folder."""
    from blindspots_hub.artifacts.hub.lock import Lock
    from blindspots_hub.artifacts.hub.repos import Reference, looks_like_reference

    path = Path(source).expanduser()
    if path.name == LOCK and path.is_file():
        return Lock.parse(path.read_bytes(), str(path))
    if not looks_like_reference(source):
        return None
    meant = near_name(source)
    if meant is not None and (meant / MANIFEST).is_file():
        raise BlindspotsError(
            f"{source} is no folder here: did you mean {meant}? A bundle of that name on the Hub "
            f"is asked for with its version, as {source}@1.0.0."
        )
    return Reference.parse(str(source))


def _present(root: Path, parts: Collection[str]) -> set[str]:
    return {*parts, *(part for part in PARTS if (root / part).is_dir())}
