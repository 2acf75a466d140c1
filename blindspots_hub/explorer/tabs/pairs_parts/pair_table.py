"""The pairs of a model with what is known of each: its kind, why, and what its caption says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis import notable_pairs
from blindspots_hub.analysis.caption_noise import noise, noisy, scored_noise
from blindspots_hub.analysis.notable_pairs import ANALYSIS, TENTH, causes
from blindspots_hub.analysis.stored import left_to_ask
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.caption_index import caption_index
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.commands import computing
from blindspots_hub.explorer.page.view_parts import PairsView

KEPT = 6
"""Models whose pairs stay told apart."""


@dataclass(frozen=True)
class PairTable:
    """Row i is pair i of the model, in the order of its energies.

    `kinds` are bool (N,) by kind; memorised and trivial ones are not in it where that was never
    asked, and `unknown` says what would tell. `scored` says that the noise of captions is by the
    scores of an image-text model; else `noise` tells why, of a caption alone.
    """

    ids: list[str]
    captions: list[str]
    distance: np.ndarray  # float64 (N,), energy
    natural_rows: np.ndarray  # int64 (N,), rows of the natural energies
    kinds: dict[str, np.ndarray]
    causes: dict[str, np.ndarray]
    scored: bool
    unknown: str

    def row(self, pair_id: str) -> int:
        """Row of a pair that is there."""
        return self.ids.index(pair_id)

    def why(self, row: int) -> str:
        """Why a pair is memorised, in words; "" where it is not."""
        told = [cause for cause, here in self.causes.items() if here[row]]
        words = {
            "other captions": "the same picture answers other captions",
            "other seeds": "the same picture comes from other seeds",
            "another image": "as near to another natural image",
        }
        return "; ".join(words[cause] for cause in told)

    def noise(self, row: int) -> str:
        """Why a caption is called noise, in words; "" where it is not."""
        if not self.kinds["noise"][row]:
            return ""
        by_rule = None if self.scored else noise(self.captions[row])
        return by_rule or "fits its image no better than another caption"

    def kinds_of(self, row: int) -> list[str]:
        """Names of the kinds that a pair is of."""
        return [kind for kind, here in self.kinds.items() if here[row]]


@lru_cache(maxsize=KEPT)
def pair_table(entry: Entry) -> PairTable:
    """The pairs of a paired model, by the answer that its bundle keeps of `notable_pairs`.

    Where it keeps none it is asked, unless that takes too long for a page.
    """
    bundle, model = entry.bundle, entry.model
    ids = bundle.image_ids(model)
    captions = [caption or "" for caption in bundle.captions(ids)]
    distance = bundle.distances(model)["distance"].to_numpy().astype(np.float64)
    kinds, unknown = _kinds(entry, ids, distance)
    scored = scored_noise(bundle, model, ids)
    kinds["noise"] = noisy(captions) if scored is None else scored
    place = {pair_id: row for row, pair_id in enumerate(bundle.image_ids(NATURAL))}
    memorised = kinds.get("memorised")
    return PairTable(
        ids, captions, distance,
        np.array([place[pair_id] for pair_id in ids], np.int64), kinds,
        {} if memorised is None else causes(bundle, model, memorised), scored is not None, unknown,
    )  # fmt: skip


def _kinds(entry: Entry, ids: list[str], distance: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """bool (N,) by kind, and what would tell those that are not known."""
    bundle, model = entry.bundle, entry.model
    stored = bundle.optional(ANALYSIS.spec)
    if stored is not None:
        for answer in stored.to_pylist():
            if answer["model"] == model and answer["pairs"] == len(ids):
                return {kind: np.isin(ids, answer[kind]) for kind in KINDS}, ""
    missing = ANALYSIS.lacks(bundle, [model])
    if missing is None and not left_to_ask(bundle, ANALYSIS.name):
        found = notable_pairs.pairs(bundle, model)
        return {kind: _mask(getattr(found, kind), len(ids)) for kind in KINDS}, ""
    farthest = np.argsort(distance, kind="stable")[::-1][: max(1, len(ids) // TENTH)]
    told = missing or (
        f"Which pairs are memorised or trivial is not in this bundle yet: "
        f"{computing(bundle, ANALYSIS.name)} tells it."
    )
    return {"incongruent": _mask(farthest, len(ids))}, told


KINDS = ("memorised", "trivial", "incongruent")
"""Kinds of pairs that the analysis tells apart."""


def _mask(rows: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def chosen(bundle: Bundle, table: PairTable, asked: PairsView) -> np.ndarray:
    """Rows of the pairs of `bundle` that `asked` lets through, in its order: int64 (m,).

    Words of captions are looked up in the index that search uses.
    """
    n = len(table.ids)
    kept = (
        np.ones(n, bool)
        if asked.which == "all"
        else table.kinds.get(asked.which, np.zeros(n, bool))
    )
    if asked.which == "memorised" and asked.why in table.causes:
        kept = kept & table.causes[asked.why]
    if asked.words.strip():
        kept = kept & np.isin(table.natural_rows, caption_index(bundle).find(asked.words))
    rows = np.flatnonzero(kept)
    near_first = asked.order == "near" or (
        asked.order == "telling" and asked.which in ("memorised", "trivial")
    )
    sign = 1 if near_first else -1
    order: np.ndarray = rows[np.lexsort((rows, sign * table.distance[rows]))]
    return order


def exported(table: PairTable, rows: np.ndarray) -> pa.Table:
    """Captions of `rows` with all that is known of the pairs, for a file."""
    at = rows.tolist()
    return pa.table(
        {
            "pair_id": pa.array([table.ids[row] for row in at], pa.string()),
            "caption": pa.array([table.captions[row] for row in at], pa.string()),
            "distance": table.distance[rows],
            "kinds": pa.array([", ".join(table.kinds_of(row)) for row in at], pa.string()),
            "memorised_because": pa.array([table.why(row) for row in at], pa.string()),
            "caption_noise": pa.array([table.noise(row) for row in at], pa.string()),
        }
    )


@dataclass(frozen=True)
class Difference:
    """Energy of one concept in both images of a pair."""

    concept: int
    natural: float
    generated: float

    @property
    def change(self) -> float:
        """Generated less natural."""
        return self.generated - self.natural


def differences(
    entry: Entry, table: PairTable, rows: np.ndarray, most: int
) -> list[list[Difference]]:
    """The concepts in which the images of each pair differ most, the largest difference first."""
    natural = entry.bundle.energies(NATURAL).take(table.natural_rows[rows]).matrix
    generated = entry.bundle.energies(entry.model).take(rows).matrix
    apart = (generated - natural).tocsr()
    found = []
    for row in range(len(rows)):
        part = slice(apart.indptr[row], apart.indptr[row + 1])
        concepts, change = apart.indices[part], np.abs(apart.data[part])
        largest = np.lexsort((concepts, -change))[:most]
        found.append(
            [
                Difference(k, float(natural[row, k]), float(generated[row, k]))
                for k in concepts[largest].tolist()
                if natural[row, k] != generated[row, k]
            ]
        )
    return found
