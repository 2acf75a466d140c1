"""Names of concepts as CSV: exported, edited by people and their spreadsheets, taken in again."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pyarrow as pa

from blindspots_hub.artifacts.labels import HUMAN, NAMES, Label, rows_of
from blindspots_hub.artifacts.limits import NAME, SENTENCE, TITLE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.spreadsheet import SEPARATORS, bare, no_formula
from blindspots_hub.utils.terminal import without_controls
from blindspots_hub.utils.text_encoding import decode

BEST = "best"
"""Column of a CSV file, beside `NAMES`: "yes" for the name that is shown of its concept."""

MOST_BYTES = 256 * 1024**2
"""Of a CSV file of names."""


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
