"""Which concepts the table shows, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import ORDER
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import SHOWN_ABOVE, SHOWN_BELOW
from blindspots_hub.explorer.page.view_parts import SIZES_SHOWN, SORT_OF_MODEL, ConceptsView
from blindspots_hub.measure.delta import BLINDSPOTS, fold


def chosen(
    entry: Entry, kind: str, asked: ConceptsView, other: Callable[[str], Entry]
) -> np.ndarray:
    """The concepts that `asked` lets through, in its order: int64 (m,).

    `other` gives the model of an entry's key, for a sort by its δ.
    """
    reading = entry.reading(kind)
    kept = np.flatnonzero(_let_through(entry.bundle, reading, asked))
    descending, name = asked.sort.startswith("-"), asked.sort.removeprefix("-")
    if name.startswith(SORT_OF_MODEL):
        reading = other(name.removeprefix(SORT_OF_MODEL)).reading(kind)
        name = "delta"
    keys = _keys(entry.bundle, reading, name, descending)
    order: np.ndarray = kept[np.lexsort([key[kept] for key in reversed(keys)])]
    return order


def clusters(bundle: Bundle) -> np.ndarray | None:
    """Cluster of every concept, int64 (n,), -1 for none; None where the bundle knows of none."""
    column = bundle.concepts["cluster"]
    if column.null_count == len(column):
        return None
    found: np.ndarray = column.fill_null(-1).to_numpy().astype(np.int64)
    return found


def sure_change(reading: ModelDeltas) -> np.ndarray:
    """How far from no change the near end of each selection interval lies, as a relative gap.

    float64 (n,); below 0 where the interval contains no change, NaN where nothing was judged.
    """
    return np.maximum(reading.r_selected_low, -reading.r_selected_high)


def _let_through(bundle: Bundle, reading: ModelDeltas, asked: ConceptsView) -> np.ndarray:
    kept = _in_state(reading, asked.state)
    if asked.q < 1:
        kept &= reading.q <= asked.q
    if asked.support > 0:
        kept &= reading.support >= asked.support
    if asked.size != SIZES_SHOWN[0]:
        kept &= reading.determined & (fold(sure_change(reading)) >= float(asked.size))
    if asked.label:
        kept &= _named(bundle, asked.label)
    found = clusters(bundle)
    if asked.cluster is not None and found is not None:
        kept &= found == asked.cluster
    return kept


def _in_state(reading: ModelDeltas, state: str) -> np.ndarray:
    """bool (n,): concepts of a state, or of a group of states, by the one state column."""
    if state == "all":
        return np.ones(len(reading.state), bool)
    if state == "judged":
        return reading.determined.copy()
    blind = np.isin(reading.state, [CODE[name] for name in BLINDSPOTS])
    if state == "blindspots":
        return blind
    if state == "certain":
        return np.asarray(blind & reading.certain)
    return np.asarray(reading.state == CODE[state])


def _named(bundle: Bundle, text: str) -> np.ndarray:
    """bool (n,): whose label holds all words of `text`; "#12" and "12" are concept 12 as well."""
    words = text.casefold().split()
    found = np.array([all(word in label.casefold() for word in words) for label in bundle.labels])
    if (number := re.fullmatch(r"#?([0-9]{1,9})", text.strip())) and int(number[1]) < len(found):
        found[int(number[1])] = True
    return found


def _keys(
    bundle: Bundle, reading: ModelDeltas, name: str, descending: bool
) -> tuple[np.ndarray, ...]:
    """What is sorted by, the first key first; what has no value comes last in either direction."""
    turn = -1.0 if descending else 1.0
    judged = reading.determined
    surest = (-_nearest(reading), reading.q, -reading.support)
    number = np.arange(len(reading.state))
    if name == "surest":
        return (~judged, *(turn * key for key in surest), number)
    if name == "delta":
        # What a page shows alike is a tie: of the never drawn, the surest comes first.
        shown = np.clip(reading.delta, SHOWN_BELOW, SHOWN_ABOVE)
        near = np.where(reading.delta < 0.5, reading.selected_high, reading.selected_low)
        return (~judged, turn * shown, turn * near, reading.q, -reading.support, number)
    if name == "label":
        rank, unnamed = _alphabetical(bundle.labels)
        return (unnamed, turn * rank, number)
    value = {
        "concept": lambda: number,
        "state": lambda: _places()[reading.state],
        "drawn": lambda: np.where(judged, reading.r, np.nan),
        "q": lambda: reading.q,
        "support": lambda: reading.support,
        "cluster": lambda: _clustered(bundle),
    }[name]()
    return (np.isnan(value), turn * value, *surest, number)


def _nearest(reading: ModelDeltas) -> np.ndarray:
    """Near end of the selection interval of the chosen δ, as its distance from no change."""
    found = np.maximum(reading.gap_selected_low, -reading.gap_selected_high)
    return np.asarray(np.where(np.isnan(found), -np.inf, found))


def _places() -> np.ndarray:
    """Place of every state code in the order in which pages list states."""
    places = np.zeros(len(ORDER))
    places[[CODE[state] for state in ORDER]] = np.arange(len(ORDER))
    return places


def _alphabetical(labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    folded = [label.casefold() for label in labels]
    rank = {label: place for place, label in enumerate(sorted(set(folded)))}
    return (
        np.array([rank[label] for label in folded], np.float64),
        np.array([not label for label in folded], bool),
    )


def _clustered(bundle: Bundle) -> np.ndarray:
    found = clusters(bundle)
    if found is None:
        return np.full(bundle.n_concepts, np.nan)
    return np.where(found < 0, np.nan, found)
