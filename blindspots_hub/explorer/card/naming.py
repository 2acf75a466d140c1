"""The card's lines on a concept's name: its origin, its other names, a field to change it."""

from __future__ import annotations

import math
from datetime import date
from html import escape
from pathlib import Path

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import Label, changed, given_by_hand, rows_of
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.artifacts.limits import TITLE
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import number, term

PROGRAM = Path(__file__).resolve().parents[2]
"""The package's own folder."""

OTHERS = 5
"""Other names that a card lists."""


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
    return told + (_field(found) if editable else "")


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
    root = bundle.root.resolve()
    return not (root / LOCK).is_file() and PROGRAM not in root.parents


def rename(bundle: Bundle, concept: int, label: str) -> None:
    """Give a concept a name by hand, or with "" take that away; the bundle's labels are written.

    Raises `BlindspotsError` where the name is too long or the bundle cannot be written.
    """
    if not can_be_named(bundle):
        raise BlindspotsError(
            f"{bundle.name} is a copy of what lies on the Hub, or the embedded example: "
            "pull or copy it to a folder of your own to name its concepts."
        )
    one = Label(concept, given_by_hand(label), date=date.today().isoformat())
    add_tables(bundle.root, {LABELS: changed(bundle.label_table, [one])})
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
