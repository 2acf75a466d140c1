"""What one visitor looks at: the one state of the page, which is also its link."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from blindspots_hub.analysis.deltas import KINDS, SHOW
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.layout_switch import FIRST, LAYOUTS
from blindspots_hub.explorer.page.view_parts import ConceptsView, PairsView

ALL = next(iter(SHOW))
"""The filter that shows everything."""

SIZES = ("frequency", "energy", "|δ|")
"""What the size of a point can stand for; the first is the one shown first."""

ROWS = (10, 20, 50, 100, 300)
"""Rows that a ranking can have; few at first, so that another model or δ arrives at once."""

HEAT = 30
"""How much is shown of where a concept fires, in percent: so much is its outline alone, which
leaves a blank image blank; more fills it."""

WIDEST = 30
"""Percent of the map's width: the widest radius around a concept."""

FIRST_TAB = "explore"
"""Id of the tab that the page opens with."""

LONGEST = 200
"""Characters of a link's value that are looked at; what is longer is no name."""

ANALYSIS_NAMES = tuple(one.name for one in ANALYSES)
"""What a link can open in Findings and Structure."""

ALIKE = 0.55
"""`difflib`'s ratio from which on a name was probably meant by another."""


@dataclass(frozen=True)
class View:
    """What is on the screen, as plain values; a link is a view written down.

    `bundle` is a bundle's id (`catalog.bundle_id`) and `model` one of its models, "" where a link
    leaves it open. `kind` is the δ, `concept` the open card, `pair` the id of the open pair of
    images. `show` is the map's filter, `layout` by what the map is laid out, `unjudged` whether
    concepts that could not be judged can be met on the map. `size` is what the size of a point
    stands for, `companions` whether curves lead to the concepts that fire in the same images,
    `around` the radius of the open concept's neighbours in percent of the map's width (0: none),
    `rows` the rows of a ranking, `heat` the opacity of overlays in percent. `concepts` and `pairs`
    are what the tables of these tabs show, `open` names the analysis whose figure is open, `other`
    the model that `model` is held against. `tab` is a tab's id. `noted` says when the page noted
    the view, later ones having larger numbers: it is no part of what is on the screen.
    """

    bundle: str = ""
    model: str = ""
    kind: str = KINDS[0]
    concept: int | None = None
    pair: str | None = None
    show: str = ALL
    layout: str = FIRST
    unjudged: bool = False
    size: str = SIZES[0]
    companions: bool = True
    around: int = 0
    rows: int = ROWS[0]
    heat: int = HEAT
    concepts: ConceptsView = field(default_factory=ConceptsView)
    pairs: PairsView = field(default_factory=PairsView)
    open: str = ""
    other: str = ""
    tab: str = FIRST_TAB
    noted: int = field(default=0, compare=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> View:
        """The view that a link's query names; names that are no part of a view are not looked at.

        A value that can never be right is a `BlindspotsError` that says what was meant. Whether
        there is such a bundle, model, concept or tab is not known here: `arrival.settled` asks.
        """
        said = {name: value[:LONGEST] for name, value in query.items() if name in NAMES}
        return cls(
            bundle=said.get("bundle", ""),
            model=said.get("model", ""),
            kind=_one_of("δ", said.get("delta", KINDS[0]), KINDS),
            concept=_concept(said["concept"]) if "concept" in said else None,
            pair=said.get("pair") or None,
            show=_one_of("filter", said.get("show", ALL), tuple(SHOW)),
            layout=_one_of("layout of the map", said.get("layout", FIRST), tuple(LAYOUTS)),
            unjudged=_one_of("switch", said.get("unjudged", "0"), ("0", "1")) == "1",
            size=_one_of("size", said.get("size", SIZES[0]), SIZES),
            companions=_one_of("switch", said.get("companions", "1"), ("0", "1")) == "1",
            around=_whole("around", said.get("around", "0"), 0, WIDEST),
            rows=int(_one_of("number of rows", said.get("rows", str(ROWS[0])), _ROWS)),
            heat=_whole("heat", said.get("heat", str(HEAT)), 0, 100),
            concepts=ConceptsView.from_query(said),
            pairs=PairsView.from_query(said),
            open=_one_of("analysis", said["open"], ANALYSIS_NAMES) if said.get("open") else "",
            other=said.get("with", ""),
            tab=said.get("tab") or FIRST_TAB,
        )

    @classmethod
    def from_link(cls, link: str) -> View:
        """The view of a `link`, as `from_query`."""
        return cls.from_query(dict(parse_qsl(link.removeprefix("?"))))

    def query(self) -> dict[str, str]:
        """The query that names this view; what is as the page opens with is left out."""
        said = {
            "bundle": self.bundle,
            "model": self.model,
            "delta": self.kind if self.kind != KINDS[0] else "",
            "concept": "" if self.concept is None else str(self.concept),
            "pair": self.pair or "",
            "show": self.show if self.show != ALL else "",
            "layout": self.layout if self.layout != FIRST else "",
            "unjudged": "1" if self.unjudged else "",
            "size": self.size if self.size != SIZES[0] else "",
            "companions": "" if self.companions else "0",
            "around": str(self.around) if self.around else "",
            "rows": str(self.rows) if self.rows != ROWS[0] else "",
            "heat": str(self.heat) if self.heat != HEAT else "",
            **self.concepts.query(),
            **self.pairs.query(),
            "open": self.open,
            "with": self.other,
            "tab": self.tab if self.tab != FIRST_TAB else "",
        }
        return {name: value for name, value in said.items() if value}

    @property
    def link(self) -> str:
        """The query as an address ends with it: `?bundle=…&model=…`."""
        return "?" + urlencode(self.query())

    @property
    def key(self) -> str:
        """The `catalog.Entry.key` of the model that is shown."""
        return f"{self.bundle}/{self.model}"

    def heated(self, percent: Any) -> View:
        """The same with overlays as opaque as a slider says."""
        return replace(self, heat=min(max(int(percent), 0), 100))

    def of_model(self, key: str) -> View:
        """The same of another model, by its entry's key."""
        bundle, _, model = key.partition("/")
        return replace(self, bundle=bundle, model=model)


NAMES = (
    "bundle", "model", "delta", "concept", "pair", "show", "layout", "unjudged", "size",
    "companions", "around", "rows", "heat", *ConceptsView.names(), *PairsView.names(),
    "open", "with", "tab",
)  # fmt: skip
"""Names of a link's query."""

PLACES = (
    "bundle",
    "model",
    "concept",
    "pair",
    "concepts-page",
    "pairs-page",
    "open",
    "with",
    "tab",
)
"""Those of them that say what is open: a visitor goes back to what was open before."""


def unknown(what: str, said: str, known: Sequence[str], where: str = "") -> BlindspotsError:
    """The error that there is no `what` called `said`, with the nearest name that there is."""
    shown = said if len(said) <= 40 else f"{said[:40]}…"
    if meant := nearest(said, known):
        return BlindspotsError(f"There is no {what} {shown!r}{where}: did you mean {meant}?")
    there = f"there is {', '.join(known)}" if known else "there is none at all"
    return BlindspotsError(f"There is no {what} {shown!r}{where}: {there}.")


def nearest(said: str, known: Sequence[str]) -> str | None:
    """The name among `known` that was probably meant by `said`, or by its last part; else None."""
    for asked in (said, said.rpartition("/")[2]):
        alike = [difflib.SequenceMatcher(None, asked, name).ratio() for name in known]
        if max(alike, default=0.0) >= ALIKE:
            return known[alike.index(max(alike))]
    return None


_ROWS = tuple(str(rows) for rows in ROWS)


def _one_of(what: str, said: str, known: Sequence[str]) -> str:
    if said not in known:
        raise unknown(what, said, known)
    return said


def _whole(what: str, said: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if said.isascii() and said.isdigit() and len(said) <= 4 and low <= int(said) <= high:
        return int(said)
    raise BlindspotsError(
        f"The link’s {what} {said[:20]!r} is no whole number from {low} to {high}."
    )


def _concept(said: str) -> int:
    """The number of a concept; whether there is such a concept is not known here."""
    if not (said.isascii() and said.isdigit() and len(said) <= 9):
        raise BlindspotsError(
            f"The link’s concept {said[:20]!r} is not the number of a concept: they are whole, "
            "and counted from 0."
        )
    return int(said)
