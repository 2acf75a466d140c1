"""What an analysis is: a question to a bundle, answered by a table, a figure and a sentence.

One analysis is one file beside this one. It declares its name, the paper's section, how many models
it is about, what it needs of a bundle, and its columns; `analysis/registry.py` lists them all, and
schema, command line, report, page and tests go through that list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import (
    FINDINGS,
    NATURAL,
    SAE,
    SAE_WEIGHTS,
    features_path,
    token_codes_path,
)
from blindspots_hub.artifacts.schema import IMAGE_TEXT, TOKEN_FIRES, Column, TableSpec
from blindspots_hub.errors import BlindspotsError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

About = Literal["one model", "two models", "all models"]
"""How many models one answer is about."""

Need = Literal[
    "tables",
    "energies",
    "paired",
    "same pairs",
    "features",
    "atoms",
    "scores",
    "fires",
    "token codes",
    "stress tests",
]
"""What a bundle must have: δ tables, per-image energies, paired models, pairs that all the models
share, per-image features, the RA-SAE’s dictionary, scores of an image-text model, counts of the
tokens that concepts fire on, codes of tokens, stress tests."""


LEAST_SHARED = 2
"""Pairs that models must share to be compared directly."""


class NotAnswerable(BlindspotsError):
    """The bundle lacks what an analysis needs; the sentence says what."""


@dataclass(frozen=True)
class Example:
    """A pair that shows what a finding says, and why it is shown; `concept` where it is about one.

    `source` is the model whose image it is, or "natural".
    """

    source: str
    pair_id: str
    why: str
    concept: int | None = None


@dataclass(frozen=True)
class Finding:
    """An answer: its rows by the analysis's columns, its sentence, and its figure when asked for.

    `sentence` holds the number and its uncertainty; `examples` are images that show it.
    """

    table: dict[str, Any]
    sentence: str
    figure: Callable[[], Figure] = field(compare=False)
    examples: tuple[Example, ...] = ()

    def to_arrow(self, spec: TableSpec) -> pa.Table:
        """The rows as the Arrow table that `spec` describes."""
        return pa.table({name: self.table[name] for name in spec.names}, schema=spec.schema)

    def to_pandas(self) -> Any:
        """The rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.table)

    def __repr__(self) -> str:
        rows = len(next(iter(self.table.values()), ()))
        return f"<Finding: {self.sentence} ({rows:,} rows)>"


@dataclass(frozen=True)
class Analysis:
    """One question. `find(bundle, models)` answers it for as many models as it is about.

    `name` is its file's, `title` a line for people, `section` the paper's; `columns` are those of
    its table beside the models' names, which come first.
    """

    name: str
    title: str
    section: str
    about: About
    needs: tuple[Need, ...]
    row: str
    columns: tuple[Column, ...]
    find: Callable[[Bundle, Sequence[str]], Finding] = field(compare=False)
    least: int = 1
    """Models that it needs, where it is about all of them."""

    @property
    def spec(self) -> TableSpec:
        """Its table in a bundle: optional, and by its name."""
        return TableSpec(f"{FINDINGS}/{self.name}.parquet", self.row, self.columns)

    @property
    def where(self) -> str:
        """Where it is asked, in words: a section or an appendix of the paper, or its reviewers."""
        if self.section == "reviewers":
            return "asked by reviewers"
        if self.section.startswith("appendix"):
            return self.section
        return f"{'section' if self.section[0].isdigit() else 'appendix'} {self.section}"

    def groups(self, bundle: Bundle) -> list[tuple[str, ...]]:
        """The models of a bundle as this analysis takes them: one by one, in pairs, or all."""
        names = tuple(bundle.models)
        if self.about == "one model":
            return [(name,) for name in names]
        if self.about == "two models":
            return list(combinations(names, 2))
        return [names] if names else []

    def missing(self, bundle: Bundle, models: Sequence[str]) -> Need | Literal["models"] | None:
        """What the bundle lacks first for an answer; None where it has everything."""
        if len(models) < self._fewest:
            return "models"
        return next((need for need in self.needs if _MISSING[need](bundle, models)), None)

    def lacks(self, bundle: Bundle, models: Sequence[str]) -> str | None:
        """What the bundle lacks for an answer, as one sentence; None where it has everything."""
        if len(models) < self._fewest:
            has = f"{bundle.name} has {len(models)}"
            return f"{self.title}: this needs {self._fewest} models, and {has}."
        for need in self.needs:
            if missing := _MISSING[need](bundle, models):
                return f"{self.title}: this needs {missing}."
        return None

    @property
    def _fewest(self) -> int:
        return {"one model": 1, "two models": 2, "all models": self.least}[self.about]

    def answer(self, bundle: Bundle, models: Sequence[str]) -> Finding:
        """The finding; `NotAnswerable` where the bundle lacks something."""
        if missing := self.lacks(bundle, models):
            raise NotAnswerable(missing)
        return self.find(bundle, models)


def _unpaired(bundle: Bundle, models: Sequence[str]) -> str | None:
    names = [name for name in models if not bundle.model(name).paired]
    return None if not names else (
        f"generated images of the same captions as the natural ones, and {', '.join(names)} was "
        "measured unpaired"
    )  # fmt: skip


def _apart(bundle: Bundle, models: Sequence[str]) -> str | None:
    if missing := _unpaired(bundle, models):
        return missing
    shared = set.intersection(*(set(bundle.image_ids(name)) for name in models))
    return None if len(shared) >= LEAST_SHARED else (
        f"{LEAST_SHARED} pairs that all of {', '.join(models)} drew, and they share {len(shared)}"
    )  # fmt: skip


def _no_energies(bundle: Bundle, models: Sequence[str]) -> str | None:
    names = [n for n in (NATURAL, *models) if not bundle.has_energies(n)]
    return None if not names else f"the per-image energies of {', '.join(names)}"


def _no_features(bundle: Bundle, models: Sequence[str]) -> str | None:
    names = [n for n in (NATURAL, *models) if not bundle.has(features_path(bundle.root, n))]
    return (
        None
        if not names
        else (
            f"the per-image features of {', '.join(names)}, which older bundles do not keep: "
            "evaluate the model again"
        )
    )


def _no_token_codes(bundle: Bundle, models: Sequence[str]) -> str | None:
    names = [n for n in (NATURAL, *models) if not bundle.has(token_codes_path(bundle.root, n))]
    return None if not names else f"the token codes of {', '.join(names)} (evaluate again)"


def _no_atoms(bundle: Bundle, models: Sequence[str]) -> str | None:
    here = (bundle.root / SAE_WEIGHTS).is_file()
    return None if here else f"the RA-SAE’s dictionary: pull the bundle with its part {SAE}"


def _no_stress_tests(bundle: Bundle, models: Sequence[str]) -> str | None:
    tested = {model for _, model in bundle.stress_tests()}
    names = [name for name in models if name not in tested]
    return (
        None
        if not names
        else (f"prompts that ask {', '.join(names)} for its blindspots, which `stress` draws")
    )


def _no_table(spec: TableSpec, what: str) -> Callable[[Bundle, Sequence[str]], str | None]:
    def missing(bundle: Bundle, models: Sequence[str]) -> str | None:
        names = [name for name in models if bundle.optional(spec, name) is None]
        return None if not names else f"{what} of {', '.join(names)}"

    return missing


_MISSING: dict[Need, Callable[[Bundle, Sequence[str]], str | None]] = {
    "tables": lambda bundle, models: None,
    "energies": _no_energies,
    "paired": _unpaired,
    "same pairs": _apart,
    "features": _no_features,
    "token codes": _no_token_codes,
    "atoms": _no_atoms,
    "stress tests": _no_stress_tests,
    "scores": _no_table(
        IMAGE_TEXT, "scores by an image-text model (`score-captions` computes them)"
    ),
    "fires": _no_table(
        TOKEN_FIRES, "counts of the tokens that concepts fire on (evaluate the model again)"
    ),
}
"""What a bundle lacks of each need, in words; nothing where it has it."""


def columns_of_models(count: int) -> tuple[Column, ...]:
    """The columns that name the models of a row: `model`, or `model` and `other`."""
    names = ("model", "other")[:count]
    return tuple(Column(name, pa.string(), "", "name of the model") for name in names)
