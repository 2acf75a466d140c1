"""A concept's name on its card: origin, other names, a field; and names as a file, in and out."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from datetime import date
from html import escape

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import Label, changed, rows_of
from blindspots_hub.artifacts.labels_csv import csv_of, given_by_hand, names_in
from blindspots_hub.artifacts.limits import TITLE
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.commands import is_own_folder
from blindspots_hub.explorer.page.format import count, number, term
from blindspots_hub.utils.folder_lock import in_turn

OTHERS = 5
"""Other names that a card lists."""

MOST_BYTES = 8 * 1024**2
"""Of a file of names that the page takes in; the command takes larger ones."""


def named_by(entry: Entry, concept: int, editable: bool) -> str:
    """Where the concept's name comes from, its other names, and where `editable` a field for one.

    Names and what is said of them are a stranger's words: all are escaped.
    """
    bundle = entry.bundle
    found = bundle.label_of(concept)
    if found is None:
        told = '<p class="named">It has no name: its images say what it is.</p>'
    else:
        said = f"{term('label', 'named by')} {escape(_origin(found))}"
        if found.sentence:
            said += f"<br>{escape(found.sentence)}"
        told = f'<p class="named">{said}</p>'
    others = [o for o in names_of(bundle, concept) if o != found][:OTHERS]
    if others:
        listed = " · ".join(f"{escape(o.label)} ({escape(_origin(o))})" for o in others)
        told += f'<p class="named">also: {listed}</p>'
    return told + (_field(found) if editable else "") + names_file(editable)


def names_file(editable: bool) -> str:
    """All names of the bundle as a CSV file to save, and where `editable` the way back in."""
    taken = (
        f' <label>Take in a CSV <input type="file" accept=".csv,text/csv" data-names-in '
        f'data-most="{MOST_BYTES}"></label>'
        if editable
        else ""
    )
    return (
        '<p class="named names-file"><button type="button" data-names>Save all names (CSV)</button>'
        f'{taken} <span data-names-told role="status"></span></p>'
    )


def names_to_save(bundle: Bundle) -> dict[str, str]:
    """All names of a bundle as a file that a browser saves: see `table_files.as_file`."""
    content = csv_of(bundle.label_table).encode()
    return {
        "name": f"{bundle.name}-names.csv",
        "type": "text/csv",
        "content": base64.b64encode(content).decode("ascii"),
    }


def names_of(bundle: Bundle, concept: int) -> list[Label]:
    """All names of a concept, the one that is shown first."""
    table = bundle.label_table
    first = table["concept"].to_numpy().searchsorted(concept)
    last = table["concept"].to_numpy().searchsorted(concept, side="right")
    return rows_of(table.slice(first, last - first))


def can_be_named(bundle: Bundle) -> bool:
    """Whether names can be written into a bundle: it is a folder of one's own.

    Neither a copy of the Hub's nor the embedded example is, which is part of the program.
    """
    return is_own_folder(bundle)


def rename(bundle: Bundle, concept: int, label: str) -> None:
    """Give a concept a name by hand, or with "" take that away; the bundle's labels are written.

    Raises `BlindspotsError` where the name is too long or the bundle cannot be written.
    """
    _keep(bundle, [Label(concept, given_by_hand(label), date=date.today().isoformat())])


def take_in(bundle: Bundle, text: str, file: str) -> str:
    """Take the names of a CSV file into a bundle, all or none; returns what was done, in words.

    `file` is its name. Raises `BlindspotsError` where it is too large, with the line that is wrong,
    or where the bundle cannot be written.
    """
    shown = file[-80:] or "The file"
    if len(text.encode()) > MOST_BYTES:
        raise BlindspotsError(
            f"{shown} is larger than {MOST_BYTES // 1024**2} MiB: take it in by the command labels "
            "BUNDLE --import FILE."
        )
    found = names_in(text.removeprefix("\ufeff"), bundle.n_concepts, shown)
    _keep(bundle, found)
    named = sum(map(bool, bundle.labels))
    return (
        f"{count(len(found))} names of {shown} were taken in: {count(named)} of "
        f"{count(bundle.n_concepts)} concepts have a name."
    )


def _keep(bundle: Bundle, names: Sequence[Label]) -> None:
    if not can_be_named(bundle):
        raise BlindspotsError(
            f"{bundle.name} is a copy of what lies on the Hub, or the embedded example: "
            "pull or copy it to a folder of your own to name its concepts."
        )
    with in_turn(bundle.root):
        bundle.name_again()  # as they are there now: a command may have named some meanwhile
        add_tables(bundle.root, {LABELS: changed(bundle.label_table, names)})
    bundle.name_again()


def _origin(found: Label) -> str:
    """Method, model, score and date of a name, unescaped."""
    said = [found.method + (", provisional" if found.provisional else ""), found.model or ""]
    if found.faithfulness is not None and math.isfinite(found.faithfulness):
        shuffled = found.shuffled
        beside = "" if shuffled is None else f", {number(shuffled)} if shuffled"
        said.append(f"faithfulness {number(found.faithfulness)}{beside}")
    elif found.score is not None and math.isfinite(found.score):
        said.append(f"score {number(found.score)}")
    return " · ".join(part for part in (*said, found.date) if part)


def _field(found: Label | None) -> str:
    label = escape(found.label if found else "", quote=True)
    return (
        '<details class="rename"><summary>Name it yourself</summary>'
        f'<label>Name <input type="text" data-name value="{label}" maxlength="{TITLE}" '
        'autocomplete="off"></label> <button type="button" data-rename>Keep</button>'
        "</details>"
    )
