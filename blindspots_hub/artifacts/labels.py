"""Names of concepts: many a concept, of which the best is shown; apart from what was measured."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.limits import NAME, SENTENCE, TITLE
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.spreadsheet import bare, no_formula
from blindspots_hub.utils.terminal import without_controls
from blindspots_hub.utils.text_encoding import decode

HUMAN = "human"
"""The method of a name that somebody gave; it is shown before any other."""

TRUTH = "planted factor"
"""The method of a name that is known, as the concept's images were made: shown before any found."""

CAPTION_WORDS = "caption words"
"""The method of a name that is a word of captions: nobody looked at the images."""

PROVISIONAL = (CAPTION_WORDS,)
"""Methods whose names are to be taken with care."""


@dataclass(frozen=True)
class Label:
    """One name of a concept: a row of the table LABELS."""

    concept: int
    label: str
    method: str = HUMAN
    model: str | None = None
    score: float | None = None
    faithfulness: float | None = None
    date: str = ""
    sentence: str | None = None
    prompt: str | None = None
    shuffled: float | None = None
    judge: str | None = None

    @property
    def key(self) -> tuple[int, str, str | None, str | None]:
        """What one name of a concept is told from its others by."""
        return self.concept, self.method, self.model, self.prompt

    @property
    def provisional(self) -> bool:
        """Whether the name is to be taken with care, as nothing looked at the images."""
        return self.method in PROVISIONAL

    @property
    def by(self) -> str:
        """Who gave the name, in words: "caption words, provisional", "image-text model NAME"."""
        who = f"{self.method} {self.model}" if self.model else self.method
        return f"{who}, provisional" if self.provisional else who

    @property
    def rank(self) -> tuple[int, float, float, str]:
        """Larger is better: given by hand, then known, then faithful, then sure, then recent."""
        given = {HUMAN: 2, TRUTH: 1}.get(self.method, 0)
        faithful, sure = (
            -math.inf if one is None or math.isnan(one) else one
            for one in (self.faithfulness, self.score)
        )
        return given, faithful, sure, self.date


NAMES = tuple(one.name for one in fields(Label))

SEPARATORS = (",", ";", "\t", "|")
"""Of a CSV file's cells, in the order in which they are tried."""

BEST = "best"
"""Column of a CSV file, beside `NAMES`: "yes" for the name that is shown of its concept."""

MOST_BYTES = 256 * 1024**2
"""Of a CSV file of names."""


def table_of(labels: Iterable[Label]) -> pa.Table:
    """The table LABELS: by concept, the best name first."""
    ordered = sorted(labels, key=lambda one: one.rank, reverse=True)
    ordered.sort(key=lambda one: one.concept)
    columns = list(zip(*map(astuple, ordered), strict=True)) or [()] * len(NAMES)
    arrays = [pa.array(column, c.type) for column, c in zip(columns, LABELS.columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LABELS.schema)


def named(labels: Sequence[str], method: str, day: str = "") -> pa.Table:
    """The table LABELS of one name a concept, by its index; "" is none."""
    return table_of(
        Label(concept, label, method, date=day) for concept, label in enumerate(labels) if label
    )


def rows_of(table: pa.Table) -> list[Label]:
    """The rows of a table LABELS."""
    return [Label(**row) for row in table.to_pylist()]


def best(table: pa.Table, n_concepts: int) -> list[str]:
    """The name that is shown of each of `n_concepts` concepts; "" where it has none."""
    concepts, rows = shown_rows(table, n_concepts)
    shown = np.full(n_concepts, "", object)
    shown[concepts] = table["label"].take(rows).to_pylist()
    return list(shown)


def givers(table: pa.Table, n_concepts: int) -> list[str | None]:
    """Who gave the name that is shown of each concept (`Label.by`); None where it has none."""
    concepts, rows = shown_rows(table, n_concepts)
    given = zip(*(table[name].take(rows).to_pylist() for name in ("method", "model")), strict=True)
    told = lru_cache(maxsize=None)(lambda method, model: Label(0, "", method, model).by)
    shown = np.full(n_concepts, None, object)
    shown[concepts] = [told(method, model) for method, model in given]
    return list(shown)


def shown_rows(table: pa.Table, n_concepts: int) -> tuple[np.ndarray, np.ndarray]:
    """The concepts that have a name, ascending, and the row of the one that is shown of each."""
    concepts, rows = np.unique(table["concept"].to_numpy(), return_index=True)
    inside = (concepts >= 0) & (concepts < n_concepts)
    return concepts[inside], rows[inside]


def changed(table: pa.Table, by: Iterable[Label]) -> pa.Table:
    """`table` with the names `by` in it.

    Each takes the place of the name that the same method, model and prompt gave the concept before;
    an empty one removes that.
    """
    kept = {one.key: one for one in rows_of(table)}
    for one in by:
        kept[one.key] = one
    return table_of(one for one in kept.values() if one.label)


def csv_of(table: pa.Table) -> str:
    """A table LABELS as CSV, a line a name, the one that is shown first; unknown is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*NAMES, BEST])
    before = None
    for one in rows_of(table):
        told = [no_formula(o) if isinstance(o, str) else o for o in astuple(one)]
        writer.writerow([*told, "" if one.concept == before else "yes"])
        before = one.concept
    return text.getvalue()


def write_csv(path: Path, table: pa.Table) -> None:
    """Write a table LABELS as the file of `csv_of`."""
    with atomic(path) as partial:
        partial.write_bytes(csv_of(table).encode())


def read_csv(path: Path, n_concepts: int) -> list[Label]:
    """The names in a CSV file, as `names_in`; at most `MOST_BYTES` of it are read."""
    try:
        with open(path, "rb") as handle:
            content = handle.read(MOST_BYTES + 1)
    except OSError as error:
        raise BlindspotsError(
            f"{path} cannot be read ({error.strerror}): give another file."
        ) from error
    if len(content) > MOST_BYTES:
        raise BlindspotsError(
            f"{path} is larger than {MOST_BYTES // 1024**2} MiB: take names in by several files."
        )
    return names_in(decode(content, str(path)), n_concepts, str(path))


def names_in(text: str, n_concepts: int, path: str) -> list[Label]:
    """The names in CSV with the columns `concept`, `label` and any of the others; more are ignored.

    Commas, semicolons, tabs or bars separate them, as spreadsheets write them. Names without a
    `method` are given by hand, and those of a file without `date`s get today's. Raises
    `BlindspotsError` with the line that is wrong; `path` names the file in it.
    """
    try:
        found = list(_parsed(_read(text), path, n_concepts))
    except csv.Error as error:
        raise BlindspotsError(f"{path} cannot be read as CSV ({error}): give another file.") from (
            error
        )
    twice = Counter(one.key for one in found).most_common(1)
    if twice and twice[0][1] > 1:
        raise BlindspotsError(
            f"{path} has {twice[0][1]} names of concept {twice[0][0][0]} by one method: keep one."
        )
    if not found:
        raise BlindspotsError(f"{path} holds no name: write one a line below the columns' names.")
    return found


def _read(text: str) -> csv.DictReader[str]:
    """Rows by the names in the first line, whose separator is the one that finds `concept`."""
    for separator in (*SEPARATORS, SEPARATORS[0]):
        lines = io.StringIO(text, newline="")
        reader = csv.DictReader(lines, delimiter=separator, skipinitialspace=separator != "\t")
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        if {"concept", "label"} <= set(reader.fieldnames):
            break
    return reader


def _parsed(reader: csv.DictReader[str], path: str, n_concepts: int) -> Iterator[Label]:
    columns = reader.fieldnames or []
    for needed in ("concept", "label"):
        if needed not in columns:
            raise BlindspotsError(
                f"{path} has no column {needed}: its first line names the columns, of "
                f"{', '.join(NAMES)}."
            )
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise BlindspotsError(
                f"{where} has another number of fields than the {len(columns)} columns: put "
                "names that contain a comma in double quotes."
            )
        told = {name: _text(row.get(name, ""), name, where) for name in _TEXTS}
        yield Label(
            concept_number(row["concept"], n_concepts, where),
            told.pop("label") or "",
            told.pop("method") or HUMAN,
            date=_day(row.get("date"), where),
            **told,  # type: ignore[arg-type]
            **{name: _number(row.get(name, ""), name, where) for name in _NUMBERS},  # type: ignore[arg-type]
        )


_TEXTS = {
    "label": TITLE, "method": TITLE, "model": TITLE, "judge": TITLE, "sentence": SENTENCE,
    "prompt": NAME,
}  # fmt: skip
_NUMBERS = ("score", "faithfulness", "shuffled")


def _text(told: str, name: str, where: str) -> str | None:
    """A text of a table as it is kept: no longer than a bundle may hold."""
    words = without_controls(bare(told)).strip()
    if len(words) > _TEXTS[name]:
        raise BlindspotsError(
            f"{where}: the {name} has {len(words):,} characters: {_TEXTS[name]:,} at most."
        )
    return words or None


def given_by_hand(label: str) -> str:
    """A name as somebody typed it, in one line; `BlindspotsError` where it is too long."""
    return _text(" ".join(label.split()), "label", "The name") or ""


def concept_number(told: str, n_concepts: int, where: str) -> int:
    """The concept that a user names; `BlindspotsError` where there is none such."""
    digits = told.strip().removeprefix("#")
    known = digits.isascii() and digits.isdigit() and len(digits) < 10
    if not known or int(digits) >= n_concepts:
        raise BlindspotsError(
            f"{where}: {told[:20]!r} is no concept: they are numbered from 0 to {n_concepts - 1}."
        )
    return int(digits)


def _number(told: str, name: str, where: str) -> float | None:
    try:
        value = float(told) if told.strip() else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise BlindspotsError(f"{where}: {name} {told!r} is no number: leave it empty if unknown.")
    if value is not None and name != "score" and not 0 <= value <= 1:
        raise BlindspotsError(f"{where}: {name} {told!r} is no AUROC: it lies between 0 and 1.")
    return value


def _day(told: str | None, where: str) -> str:
    """The day as it is kept: today's in a file without such a column, "" where it is unknown."""
    if told is None:
        return date.today().isoformat()
    if not told.strip():
        return ""
    try:
        return date.fromisoformat(told.strip()).isoformat()
    except ValueError:
        raise BlindspotsError(f"{where}: {told!r} is no day: write it as YYYY-MM-DD.") from None
