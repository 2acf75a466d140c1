"""Tables as people have them: CSV, TSV and JSON lines of any common separator and encoding.

Nothing is cut and nothing guessed in silence: what cannot be read for sure is one sentence that
names the line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.spreadsheet import SEPARATORS
from blindspots_hub.utils.text_encoding import text_encoding

MAX_LINE = 16 * 1024 * 1024
"""Characters of the longest line, or cell, that is read: a line may hold an image as text."""

LOOKED_AT = 100
"""Rows of a JSON-lines file whose keys are its columns: the first may lack one."""


@dataclass(frozen=True)
class Table:
    """Columns of a table, and its rows one at a time.

    `rows` gives the number of a row's first line and its cells by column; cells that a row lacks
    are missing in it.
    """

    columns: list[str]
    rows: Iterator[tuple[int, dict[str, Any]]]


def separated(path: Path, wanted: tuple[tuple[str, ...], ...]) -> Table:
    """A CSV or TSV file; the separator is the one by which the header has a name of each `wanted`.

    Spaces around names of columns and after separators do not count. Where the first of `wanted` is
    the last column and is written without quotes, ", " belongs to it: "0.png,a cat, asleep". Raises
    `BlindspotsError` with the line where a row has more cells than the header otherwise, or so few
    that one of `wanted` is missing.
    """
    encoding = text_encoding(path)
    with _told(path, encoding), open(path, encoding=encoding, newline="") as handle:
        first = handle.readline(MAX_LINE)
    named = first[4:].rstrip("\r\n") if first[:4].lower() == "sep=" else ""  # as Excel writes it
    order = ("\t", *SEPARATORS) if path.suffix.lower() == ".tsv" else SEPARATORS
    tried = (named,) if len(named) == 1 else order
    headers = {}
    for separator in tried:
        table = _rows(path, encoding, separator, bool(named))
        _, names, written = next(table, (1, [], ""))
        headers[separator] = header = [name.strip() for name in names]
        needed = [column_of(header, some) for some in wanted]
        if all(name is not None for name in needed):
            places = [header.index(str(name)) for name in needed]
            prose = header[-1] == needed[0] and f"{separator} " not in written
            return Table(header, _checked(path, table, header, places, separator if prose else ""))
    return Table(max(headers.values(), key=len), iter(()))


def _rows(
    path: Path, encoding: str, separator: str, skip: bool
) -> Iterator[tuple[int, list[str], str]]:
    """Line number, cells and text of every row that is not blank."""
    csv.field_size_limit(MAX_LINE)
    with _told(path, encoding), open(path, encoding=encoding, newline="") as handle:
        read: list[str] = []
        spaces = separator != "\t"
        reader = csv.reader(
            _kept(handle, read), delimiter=separator, skipinitialspace=spaces, strict=True
        )
        line = 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells) and not (skip and line == 1):
                    yield line, cells, "".join(read)
                line = reader.line_num + 1
                read.clear()
        except csv.Error as error:
            raise BlindspotsError(
                f"{path} line {line} cannot be read ({error}): put captions that hold quotes or "
                'line breaks in quotes, with each quote inside written twice ("").'
            ) from error


def _kept(handle: IO[str], read: list[str]) -> Iterator[str]:
    """The lines of a file, each of them put into `read` too."""
    while line := handle.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            raise csv.Error(f"it has more than {MAX_LINE:,} characters")
        read.append(line)
        yield line


def _checked(
    path: Path,
    rows: Iterator[tuple[int, list[str], str]],
    header: list[str],
    places: list[int],
    in_prose: str,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Cells by column; `in_prose` is the separator where it may stand in the last column."""
    for line, cells, text in rows:
        if in_prose and len(cells) > len(header) and '"' not in text:
            last = text.rstrip("\r\n").split(in_prose, len(header) - 1)[-1]
            if all(part.startswith(" ") for part in last.split(in_prose)[1:]):
                cells = [*cells[: len(header) - 1], last]
        if any(cell.strip() for cell in cells[len(header) :]):
            raise BlindspotsError(
                f"{path} line {line} has {len(cells)} cells, its header {len(header)}: put cells "
                "that hold the separator in quotes."
            )
        if max(places) >= len(cells):
            raise BlindspotsError(
                f"{path} line {line} has {len(cells)} cells, its header {len(header)}: a cell with "
                "a line break in it must stand in quotes; mend or remove that line."
            )
        yield line, dict(zip(header, cells, strict=False))


def json_lines(path: Path) -> Table:
    """A JSON-lines file; its columns are the keys of its first `LOOKED_AT` rows.

    Raises `BlindspotsError` with the line that is no JSON object or longer than `MAX_LINE`.
    """
    encoding = text_encoding(path)
    columns = dict.fromkeys(
        key for _, record in islice(_objects(path, encoding), LOOKED_AT) for key in record
    )
    return Table(list(columns), _objects(path, encoding))


def _objects(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _told(path, encoding), open(path, encoding=encoding) as handle:
        number = 0
        while line := handle.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith("\n"):
                raise BlindspotsError(
                    f"{path} line {number} has more than {MAX_LINE:,} characters: keep images in "
                    "files of their own, and name those."
                )
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                raise BlindspotsError(
                    f"{path} line {number} is not a JSON object: mend or remove that line."
                )
            yield number, {key.strip(): value for key, value in record.items()}


def column_of(columns: list[str], wanted: tuple[str, ...]) -> str | None:
    """The first of the `wanted` names that is a column, as it is spelt there; case is the same."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(column.strip().lower(), column)
    return next((by_name[name] for name in wanted if name in by_name), None)


@contextmanager
def _told(path: Path, encoding: str) -> Iterator[None]:
    """Turn what reading a text table raises into a sentence."""
    try:
        yield
    except UnicodeError as error:
        raise BlindspotsError(
            f"{path} is no whole text in {encoding}: save it as UTF-8."
        ) from error
    except OSError as error:
        raise BlindspotsError(
            f"{path} cannot be read ({error.strerror}): check your rights to it."
        ) from error
