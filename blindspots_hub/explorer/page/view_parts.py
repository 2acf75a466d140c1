"""What the tables of the page show: the parts of a `View` that belong to one tab each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from blindspots_hub.analysis.notable_pairs import CAUSES
from blindspots_hub.analysis.words import ORDER
from blindspots_hub.errors import BlindspotsError

LAST_PAGE = 99_999
"""No table has more pages."""

CONCEPTS_SHOWN = ("all", "judged", "blindspots", "certain", *ORDER)
"""Which concepts the table can be asked for: groups of states, then single states."""

SIZES_SHOWN = ("any", "1.5", "2", "4", "10")
"""Fold changes that a concept's interval can be asked to lie beyond."""

SORTS = (
    "surest", "concept", "label", "state", "delta", "drawn", "q", "support", "cluster",
)  # fmt: skip
"""What the concepts can be sorted by; the first is how they are sorted at first."""

SORT_OF_MODEL = "delta:"
"""What a sort by the δ of another model begins with; its entry's key follows."""

PAIRS_SHOWN = ("all", "memorised", "trivial", "incongruent", "noise")
"""Kinds of pairs, as `analysis.notable_pairs` tells them apart."""

WHY_SHOWN = ("any", *CAUSES)
"""Why a pair is called memorised; "any" of them."""

PAIR_ORDERS = ("telling", "near", "far")
"""How pairs are ordered: the most telling of their kind first, or by their difference."""

Readers = Mapping[str, Callable[[str], Any]]
"""How the value of each field is read from a link."""

P = TypeVar("P", bound="Part")


@dataclass(frozen=True)
class Part:
    """Controls of one tab; a link names each as `<prefix>-<field>`, those as at first left out."""

    prefix: ClassVar[str]
    readers: ClassVar[Readers]

    @classmethod
    def from_query(cls: type[P], query: Mapping[str, str]) -> P:
        """The part that a link's query names; a value that can't be right is a `BlindspotsError`.

        An empty value is the one at first.
        """
        said = {name: query.get(f"{cls.prefix}-{name}", "") for name in cls.readers}
        return cls(**{name: cls.readers[name](value) for name, value in said.items() if value})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of a link's query that belong to it."""
        return tuple(f"{cls.prefix}-{name}" for name in cls.readers)

    def query(self) -> dict[str, str]:
        """What of it differs from what is shown at first."""
        return {
            f"{self.prefix}-{field.name}": str(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }


def one_of(what: str, known: Sequence[str]) -> Callable[[str], str]:
    """A reader of one of `known`."""

    def read(said: str) -> str:
        if said not in known:
            raise BlindspotsError(
                f"There is no {what} {said[:40]!r} in this table: there is {', '.join(known)}."
            )
        return said

    return read


def whole(what: str, least: int, most: int) -> Callable[[str], int]:
    """A reader of a whole number."""

    def read(said: str) -> int:
        digits = said.removeprefix("-")
        if (
            digits.isascii()
            and digits.isdigit()
            and len(digits) <= 9
            and least <= int(said) <= most
        ):
            return int(said)
        raise BlindspotsError(
            f"The {what} {said[:20]!r} is no whole number from {least:,} to {most:,}."
        )

    return read


def _share(said: str) -> float:
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise BlindspotsError(f"The largest q {said[:20]!r} is no number above 0 and up to 1.")
    return value


def _sort(said: str) -> str:
    name = said.removeprefix("-")
    if name.startswith(SORT_OF_MODEL):
        return said
    return said[: len(said) - len(name)] + one_of("order", SORTS)(name)


def _text(said: str) -> str:
    return said


@dataclass(frozen=True)
class ConceptsView(Part):
    """The table of concepts: its filters, its order and its page, counted from 1.

    `q` is the largest that is shown, `support` the least; `size` is how many-fold a concept has to
    be changed for sure. `sort` begins with "-" where it descends.
    """

    state: str = CONCEPTS_SHOWN[0]
    q: float = 1.0
    support: int = 0
    size: str = SIZES_SHOWN[0]
    label: str = ""
    cluster: int | None = None
    sort: str = SORTS[0]
    page: int = 1

    prefix: ClassVar[str] = "concepts"
    readers: ClassVar[Readers] = {
        "state": one_of("state", CONCEPTS_SHOWN),
        "q": _share,
        "support": whole("least support", 0, 10**9),
        "size": one_of("size", SIZES_SHOWN),
        "label": _text,
        "cluster": whole("cluster", -1, 10**9),
        "sort": _sort,
        "page": whole("page", 1, LAST_PAGE),
    }


@dataclass(frozen=True)
class PairsView(Part):
    """The list of pairs: their kind, why they are memorised, words of the caption, order, page.

    `concept` is the one whose overlay lies over the open pair; None leaves it to the page.
    """

    which: str = PAIRS_SHOWN[0]
    why: str = WHY_SHOWN[0]
    words: str = ""
    order: str = PAIR_ORDERS[0]
    page: int = 1
    concept: int | None = None

    prefix: ClassVar[str] = "pairs"
    readers: ClassVar[Readers] = {
        "which": one_of("kind of pair", PAIRS_SHOWN),
        "why": one_of("cause", WHY_SHOWN),
        "words": _text,
        "order": one_of("order", PAIR_ORDERS),
        "page": whole("page", 1, LAST_PAGE),
        "concept": whole("concept", 0, 10**9),
    }
