"""Tables of a bundle: each by itself, and what they name of one another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.column_checks import RULES, column_faults, interval_faults
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL, table_path
from blindspots_hub.artifacts.limits import (
    IMAGE_BYTES,
    IMAGES,
    IMAGES_BYTES,
    IMAGES_RATIO,
    THUMBNAIL_BYTES,
)
from blindspots_hub.artifacts.parquet_bounds import (
    BoundedTable,
    Unreadable,
    is_image_column,
    open_bounded,
    plain,
)
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    IMAGE_TEXT,
    LABELS,
    NATURAL_IMAGES,
    OWN_NATURAL,
    PAIR_DISTANCES,
    PAIRS,
    PICTURE_KEYS,
    STRESS_IMAGES,
    STRESS_TESTS,
    THUMBNAILS,
    TOKEN_FIRES,
    TableSpec,
    has_columns,
)

_MAGIC = (b"RIFF", b"\x89PNG", b"\xff\xd8")
"""How a picture begins that a card can show."""


_BY_CONCEPT = (CONCEPTS.path, DELTAS.path, TOKEN_FIRES.path)
"""Tables with a row for each concept."""


@dataclass
class Tables:
    """What was found in the tables so far: rows, ids and faults."""

    root: Path
    n_concepts: int
    paired: Mapping[str, bool]
    rows: dict[tuple[str, str | None], int] = field(default_factory=dict)
    ids: dict[tuple[str, str | None], pa.Array] = field(default_factory=dict)

    def check(
        self,
        spec: TableSpec,
        model: str | None = None,
        lenient: bool = False,
        contents: bool = True,
        pictures: bool = True,
        files: Sequence[str] = (),
        columns: Collection[str] | None = None,
    ) -> Iterator[str]:
        """What is wrong with one table by itself; its rows and ids are remembered.

        `files` are the names of its shards, where it lies in some; `columns` those that are looked
        into, by default all.

        A `lenient` look passes over a table whose columns are those of another version. Without
        `contents` only the footer is read: rows and columns; without `pictures` no image is, nor
        told which rows are there twice.
        """
        path = table_path(self.root, spec, model)
        name = path.relative_to(self.root).as_posix()
        try:
            table = open_bounded([self.root / one for one in files] or path, IMAGES)
            types = {one.name: one.type for one in table.schema}
            if lenient and not has_columns(types, spec):
                return
            yield from self._inside(name, spec, model, table, contents, pictures, columns)
        except Unreadable as error:
            yield f"{name} {error}"
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"

    def _inside(
        self,
        name: str,
        spec: TableSpec,
        model: str | None,
        table: BoundedTable,
        contents: bool,
        pictures: bool,
        columns: Collection[str] | None,
    ) -> Iterator[str]:
        self.rows[spec.path, model] = table.rows
        if spec.path in _BY_CONCEPT and table.rows != self.n_concepts:
            yield f"{name} has {table.rows} rows for {self.n_concepts} concepts"
        rules = RULES[spec.path]
        there = []
        for column in spec.columns:
            index = table.schema.get_field_index(column.name)
            if index < 0:
                if table.schema.names.count(column.name) > 1:
                    yield f"{name} has two columns {column.name!r}"
                elif not column.optional:
                    yield f"{name} lacks the column {column.name!r}"
            elif table.schema.field(index).type != column.type:
                kind = table.schema.field(index).type
                yield f"{name}: column {column.name!r} is {str(kind)[:60]} instead of {column.type}"
            elif column.name in rules and (columns is None or column.name in columns):
                there.append(column.name)
        if not contents:
            return
        read = table.read(there)
        sound = []
        for column_name in there:
            found = list(column_faults(name, read[column_name], rules[column_name]))
            yield from (f"{name}: column {column_name!r} {fault}" for fault in found)
            sound += [] if found else [column_name]
        for id_column in ("pair_id", "source", "concept"):
            if id_column in sound:
                key = (f"{spec.path}#{id_column}", model)
                column = read[id_column]
                self.ids[key] = column.combine_chunks() if id_column == "concept" else plain(column)
        yield from (f"{name}: {fault}" for fault in interval_faults(read.select(sound)))
        for names in (("nearest", "nearest_cosine"), ("often_with", "often_with_cosine")):
            yield from self._neighbours(name, read.select([n for n in names if n in sound]))
        if {"patches", "codes"} <= set(sound) and _differ(read["patches"], read["codes"]):
            yield f"{name}: patches and their codes differ in length"
        if {"top_natural", "top_generated"} & set(sound) and model is not None:
            self._tops = {n: plain(read[n]).unique() for n in sound if n.startswith("top_")}
            yield from self._top_faults(name, model)
        if not pictures:
            return
        both = PICTURE_KEYS.get(spec.path, ())
        if len(both) > 1 and set(both) <= set(sound):  # of one the column's own rule is enough
            yield from (f"{name} has {fault}" for fault in _key_faults(read, both))
        index = table.schema.get_field_index("image")
        if index >= 0 and is_image_column(table.schema.field(index).type):
            yield from _image_faults(name, table)

    def _neighbours(self, name: str, both: pa.Table) -> Iterator[str]:
        """Lists of concepts beside the cosines that belong to them."""
        for column in both.column_names:
            members = pa.chunked_array([chunk.flatten() for chunk in both[column].chunks])
            whole = pa.types.is_integer(members.type)
            if whole and len(members) and pc.max(members).as_py() >= self.n_concepts:
                yield f"{name}: {column} names a concept that is none of the {self.n_concepts}"
        if both.num_columns == 2 and _differ(*both.columns):
            yield f"{name}: {both.column_names[0]} and its cosines differ in length"

    def _top_faults(self, name: str, model: str) -> Iterator[str]:
        places = {
            "top_natural": (NATURAL_IMAGES, None),
            "top_generated": (PAIR_DISTANCES, model),
        }
        for column, (spec, owner) in places.items():
            if column in self._tops:
                yield from self._absent(f"{name}: {column}", self._tops[column], spec, owner)

    def references(self, models: list[str], pairs: bool, generations: bool) -> Iterator[str]:
        """What tables name of one another and do not find there."""
        for model in models:
            own = self.ids.get((f"{PAIR_DISTANCES.path}#pair_id", model))
            if own is not None and self.paired.get(model):
                name = PAIR_DISTANCES.path.format(model=model)
                yield from self._absent(f"{name}: pair_id", own, NATURAL_IMAGES, None)
            compared = self.ids.get((f"{OWN_NATURAL.path}#pair_id", model))
            if compared is not None:
                name = OWN_NATURAL.path.format(model=model)
                yield from self._absent(f"{name}: pair_id", compared, NATURAL_IMAGES, None)
            scored = self.ids.get((f"{IMAGE_TEXT.path}#pair_id", model))
            if scored is not None:
                name = IMAGE_TEXT.path.format(model=model)
                yield from self._absent(f"{name}: pair_id", scored, PAIR_DISTANCES, model)
            if generations and own is not None:
                made = self.ids.get((f"{GENERATIONS.path}#pair_id", model))
                if made is not None:
                    name = PAIR_DISTANCES.path.format(model=model)
                    yield from self._absent(f"{name}: pair_id", own, GENERATIONS, model)
        if pairs:
            natural = self.ids.get((f"{NATURAL_IMAGES.path}#pair_id", None))
            if natural is not None:
                yield from self._absent(f"{NATURAL_IMAGES.path}: pair_id", natural, PAIRS, None)
        yield from self._thumbnail_references(models)
        yield from self.label_faults()

    def label_faults(self) -> Iterator[str]:
        """Concepts that are none, in the tables that name some of them and were looked at."""
        for spec in (LABELS, STRESS_TESTS, STRESS_IMAGES):
            named = self.ids.get((f"{spec.path}#concept", None))
            most = pc.max(named).as_py() if named is not None and len(named) else 0
            if most >= self.n_concepts:
                yield f"{spec.path} names a concept that is none of the {self.n_concepts}"

    def _thumbnail_references(self, models: list[str]) -> Iterator[str]:
        source, pair_id = (
            self.ids.get((f"{THUMBNAILS.path}#{name}", None)) for name in ("source", "pair_id")
        )
        if source is None or pair_id is None:
            return
        strange = set(source.unique().to_pylist()) - {NATURAL, *models}
        if strange:
            yield f"{THUMBNAILS.path} has images of {min(strange)[:60]!r}, which {MANIFEST} lacks"
        for one in (NATURAL, *models):
            spec, owner = (NATURAL_IMAGES, None) if one == NATURAL else (PAIR_DISTANCES, one)
            shown = pair_id.filter(pc.equal(source, one))
            yield from self._absent(f"{THUMBNAILS.path}: images of {one}", shown, spec, owner)

    def _absent(
        self, what: str, named: pa.Array, spec: TableSpec, model: str | None
    ) -> Iterator[str]:
        there = self.ids.get((f"{spec.path}#pair_id", model))
        if there is None or not len(named):
            return
        missing = named.filter(pc.invert(pc.is_in(named, value_set=there)))
        if len(missing):
            table = spec.path.format(model=model)
            yield f"{what} names {missing[0].as_py()[:60]!r}, which {table} does not have"


def _differ(a: pa.ChunkedArray, b: pa.ChunkedArray) -> bool:
    """Whether lists that belong to each other differ in length."""
    lengths = [pc.list_value_length(one).combine_chunks() for one in (a, b)]
    return not pc.all(pc.equal(*lengths), min_count=0).as_py()


def _image_faults(name: str, table: BoundedTable) -> Iterator[str]:
    """Images of a table; small ones must be pictures, others may be missing."""
    shown = name in (THUMBNAILS.path, STRESS_IMAGES.path)
    most, total = (THUMBNAIL_BYTES if shown else IMAGE_BYTES), 0
    for cells in table.images():
        content = cells.field("bytes")
        if shown and (cells.null_count or content.null_count):
            yield f"{name} has rows without an image"
            return
        lengths = pc.binary_length(content.dictionary)
        if (pc.max(lengths).as_py() or 0) > most:
            yield f"{name} has an image of more than {most:,} bytes"
            return
        total += pc.sum(lengths.take(content.indices)).as_py() or 0
        if total > IMAGES_BYTES + IMAGES_RATIO * table.size:
            yield f"{name} repeats its images until they are more than {total:,} bytes"
            return
        if shown:
            begins: Any = (cell[:4] for cell in content.dictionary.to_pylist())
            if not all(one.startswith(_MAGIC) for one in begins):
                yield f"{name} has an image that is no WebP, PNG or JPEG file"
                return


def _key_faults(read: pa.Table, key: tuple[str, ...]) -> Iterator[str]:
    """Rows that are there twice by some columns."""
    pairs = pa.table({one: plain_or_number(read[one]) for one in key})
    if pairs.group_by(list(key)).aggregate([]).num_rows != len(pairs):
        yield f"two rows of one {' and '.join(key)}"


def plain_or_number(column: pa.ChunkedArray) -> pa.Array:
    """A column as it is, texts decoded."""
    return plain(column) if pa.types.is_dictionary(column.type) else column.combine_chunks()
