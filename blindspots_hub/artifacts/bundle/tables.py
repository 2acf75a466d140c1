"""The tables of a bundle, read when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.bundle.files import BundleFiles
from blindspots_hub.artifacts.bundle.kept import kept
from blindspots_hub.artifacts.labels import Label, best, givers, named, shown_rows
from blindspots_hub.artifacts.layout import NATURAL, listed_files, part_of, table_path
from blindspots_hub.artifacts.limits import IMAGE_BYTES
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
    PICTURE_KEYS,
    STRESS_IMAGES,
    STRESS_TESTS,
    TableSpec,
)
from blindspots_hub.artifacts.stress_tables import images_of_test


class BundleTables(BundleFiles):
    """Concepts and their names, pairs, δ, distances, generations and stress tests."""

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

    @cached_property
    def label_givers(self) -> list[str | None]:
        """Who gave the name that is shown of every concept; None where it has none."""
        return givers(self.label_table, self.n_concepts)

    def name_again(self) -> None:
        """Forget the names that were read: the table of labels was written anew."""
        for name in ("label_table", "labels", "label_givers", "_label_rows"):
            self.__dict__.pop(name, None)
        self._sure.discard(LABELS.path)
        self._looked.pop(LABELS.path, None)
        self._read_manifest()

    def label_of(self, concept: int) -> Label | None:
        """The name that is shown of a concept with where it comes from; None where it has none."""
        row = self._label_rows.get(concept)
        return None if row is None else Label(**self.label_table.slice(row, 1).to_pylist()[0])

    @cached_property
    def _label_rows(self) -> dict[int, int]:
        concepts, rows = shown_rows(self.label_table, self.n_concepts)
        return dict(zip(concepts.tolist(), rows.tolist(), strict=True))

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
        keys = PICTURE_KEYS[spec.path]
        return PictureTable(self.files_of(spec, model), keys, IMAGE_BYTES, spool=False)

    def generations(self, model: str) -> pa.Table:
        """Table GENERATIONS of a model, images included: of many ask for single images."""
        self.require(part_of(GENERATIONS.path))
        self.model(model)
        return self._read(GENERATIONS, model)

    @kept
    def deltas(self, model: str) -> pa.Table:
        """Table DELTAS of a model."""
        self.model(model)
        return self._read(DELTAS, model)

    def some_deltas(self, model: str, columns: Sequence[str]) -> pa.Table:
        """Some columns of the table DELTAS of a model; nothing is kept, for who asks for many."""
        self.model(model)
        return read_table(self.files_of(DELTAS, model, columns), columns)

    @kept
    def distances(self, model: str) -> pa.Table:
        """Table PAIR_DISTANCES of a model."""
        self.model(model)
        return self._read(PAIR_DISTANCES, model)

    @kept
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

    def natural_ids(self, model: str) -> list[str]:
        """Ids of the natural images that a model is compared with; where paired, pair by pair.

        The natural images of a combined bundle are those of several evaluations.
        """
        if self.model(model).paired:
            return self.image_ids(model)
        own = self.optional(OWN_NATURAL, model)
        ids: list[str] = self.image_ids(NATURAL) if own is None else own["pair_id"].to_pylist()
        return ids

    def image_ids(self, source: str) -> list[str]:
        """Ids of the images of a source, in the order of its energies."""
        ids: list[str] = list(self._rows(source))
        return ids

    @kept
    def _rows(self, source: str) -> dict[str, int]:
        if source == NATURAL:
            path = table_path(self.root, NATURAL_IMAGES)
        else:
            self.model(source)
            path = table_path(self.root, PAIR_DISTANCES, source)
        ids = read_table(self._checked(path), ["pair_id"])["pair_id"].to_pylist()
        return {pair_id: row for row, pair_id in enumerate(ids)}

    def captions(self, pair_ids: list[str]) -> list[str]:
        """Captions of pairs, in the order asked."""
        path = self._checked(table_path(self.root, NATURAL_IMAGES))
        table = read_table(path, ["pair_id", "caption"])
        index = pc.index_in(pa.array(pair_ids, pa.string()), value_set=table["pair_id"])
        captions: list[str] = table["caption"].take(index).to_pylist()
        return captions

    @cached_property
    def _natural_captions(self) -> dict[str, str]:
        path = self._checked(table_path(self.root, NATURAL_IMAGES))
        table = read_table(path, ["pair_id", "caption"])
        return dict(zip(table["pair_id"].to_pylist(), table["caption"].to_pylist(), strict=True))

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
