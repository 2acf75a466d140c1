"""Names of concepts: many a concept, of which the best is shown; apart from what was measured."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

import pyarrow as pa

from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

HUMAN = "human"
"""The method of a name that somebody gave; it is shown before any other."""


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

    @property
    def rank(self) -> tuple[bool, float, float, str]:
        """Larger is better: given by hand, then faithful, then sure, then recent."""
        faithful, sure = (
            -math.inf if one is None else one for one in (self.faithfulness, self.score)
        )
        return self.method == HUMAN, faithful, sure, self.date


NAMES = tuple(one.name for one in fields(Label))


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
    shown = [""] * n_concepts
    columns = (table[name].to_pylist() for name in ("concept", "label"))
    for concept, label in reversed(list(zip(*columns, strict=True))):
        if 0 <= concept < n_concepts:
            shown[concept] = label
    return shown


def changed(table: pa.Table, by: Iterable[Label]) -> pa.Table:
    """`table` with the names `by` in it.

    Each takes the place of the name that the same method and model gave the concept before; an
    empty one removes that.
    """
    kept = {(one.concept, one.method, one.model): one for one in rows_of(table)}
    for one in by:
        kept[one.concept, one.method, one.model] = one
    return table_of(one for one in kept.values() if one.label)


def write_csv(path: Path, table: pa.Table) -> None:
    """Write a table LABELS as CSV, a line a name; what is not known is empty."""
    with atomic(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(NAMES)
        writer.writerows(astuple(one) for one in rows_of(table))


def read_csv(path: Path, n_concepts: int) -> list[Label]:
    """The names in a CSV file with the columns `concept`, `label` and any of the others.

    Names without a `method` are given by hand, those without a `date` today. Raises
    `BlindspotsError` with the line that is wrong.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            return list(_parsed(csv.DictReader(handle), path, n_concepts))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BlindspotsError(f"{path} cannot be read as CSV ({error}): give another file.") from (
            error
        )


def _parsed(reader: csv.DictReader[str], path: Path, n_concepts: int) -> Iterator[Label]:
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
        label = row["label"].strip()
        yield Label(
            concept_number(row["concept"], n_concepts, where),
            label,
            row.get("method", "").strip() or HUMAN,
            row.get("model", "").strip() or None,
            _number(row.get("score", ""), "score", where),
            _number(row.get("faithfulness", ""), "faithfulness", where),
            _day(row.get("date", ""), where),
        )


def concept_number(told: str, n_concepts: int, where: str) -> int:
    """The concept that a user names; `BlindspotsError` where there is none such."""
    digits = told.strip().removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and int(digits) < n_concepts):
        raise BlindspotsError(
            f"{where}: {told!r} is no concept: they are numbered from 0 to {n_concepts - 1}."
        )
    return int(digits)


def _number(told: str, name: str, where: str) -> float | None:
    try:
        value = float(told) if told.strip() else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise BlindspotsError(f"{where}: {name} {told!r} is no number: leave it empty if unknown.")
    return value


def _day(told: str, where: str) -> str:
    if not told.strip():
        return date.today().isoformat()
    try:
        return date.fromisoformat(told.strip()).isoformat()
    except ValueError:
        raise BlindspotsError(f"{where}: {told!r} is no day: write it as YYYY-MM-DD.") from None
