"""Names of concepts: many a concept, of which the best is shown; apart from what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.schema import LABELS

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
