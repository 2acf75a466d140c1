"""The questions that programs ask of the page's bundles, with the bounds of what is answered."""

# No `from __future__ import annotations`: Gradio reads the types of answers as they stand.

from typing import Any, Literal

import numpy as np

from blindspots_hub.analysis.correlation import pearson
from blindspots_hub.analysis.deltas import KINDS, ModelDeltas
from blindspots_hub.analysis.model_agreement import shared
from blindspots_hub.analysis.model_comparison import changes
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.stored import left_to_ask
from blindspots_hub.analysis.summary import VERDICT_BY, counted, verdict
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog, Entry, bundle_id, check_concept
from blindspots_hub.explorer.page.commands import BUNDLE, command
from blindspots_hub.explorer.page.pictures import thumbnail_url
from blindspots_hub.explorer.page.view import LONGEST, View, unknown
from blindspots_hub.explorer.programs.answer_types import (
    BlindspotsAnswer,
    CompareAnswer,
    ConceptAnswer,
    Judgement,
    Pair,
    PairsAnswer,
    Picture,
)
from blindspots_hub.measure.delta import STATES, fold

MOST = 500
"""Rows of one answer."""


class Questions:
    """Answers from a catalog's bundles; what is not there is a `BlindspotsError`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def blindspots(
        self,
        model: str,
        delta: Literal["relative", "absolute"] = "relative",
        certain: bool = False,
        limit: int = 50,
        bundle: str = "",
    ) -> BlindspotsAnswer:
        """What a text-to-image model draws too rarely or too much, the surest first.

        Args:
            model: Name of a model of the bundle, such as "alder-1"; "" for the first.
            delta: Compare by ratio ("relative", rare concepts count as much) or by difference.
            certain: Only what is certain also for concepts picked from a ranking.
            limit: Most concepts of each side, 1 to 500.
            bundle: Id of a bundle as it stands in a link of the page; "" for the page's own.

        Returns:
            A sentence with what was judged and found, and concepts with state, δ (0 to 1, 0.5 is as
            in nature), its interval, generated over natural energy, q-value and support (pairs in
            which it fires on either side; where there are no pairs, images of both sides together).

        An unknown model or bundle, or a limit out of range, is an error of one sentence.
        """
        entry, kind = self._entry(bundle, model), _one_of("delta", delta, KINDS)
        most = _limit(limit)
        reading = entry.reading(kind)
        found: list[int] = []
        for side in ("suppressed", "exaggerated"):
            found += reading.blindspots(side, bool(certain))[:most].tolist()
        sentence = verdict(entry.bundle, entry.model).sentence
        if kind != VERDICT_BY:
            sentence = f"{sentence} {counted(reading)}".rstrip()
        return {
            "model": entry.model,
            "delta": kind,
            "pairs": entry.pairs,
            "concepts": entry.bundle.n_concepts,
            "judged": int(reading.determined.sum()),
            "sentence": sentence,
            "blindspots": [_judgement(entry, reading, k) for k in found],
            "link": View(bundle_id(entry.bundle), entry.model, kind=kind).link,
        }

    def concept(
        self, concept: int, delta: Literal["relative", "absolute"] = "relative", bundle: str = ""
    ) -> ConceptAnswer:
        """One visual concept: how every model draws it, what is near it, images that show it.

        Args:
            concept: Number of the concept, counted from 0.
            delta: Compare by ratio ("relative") or by difference of energies ("absolute").
            bundle: Id of a bundle as it stands in a link of the page; "" for the page's own.

        Returns:
            Its label, its judgement in every model, numbers of the nearest concepts, and images
            that show it most (addresses relative to the page).

        A concept that is not there is an error of one sentence.
        """
        found, kind = self._bundle(bundle), _one_of("delta", delta, KINDS)
        if not _is_whole(concept):
            raise BlindspotsError("A concept is asked for by its number, counted from 0.")
        k = check_concept(found, int(concept))
        entries = [Entry(found, name) for name in found.models]
        pictures: list[Picture] = []
        for entry in entries[:8]:
            table = found.deltas(entry.model)
            for source, column in ((NATURAL, "top_natural"), (entry.model, "top_generated")):
                if source == NATURAL and pictures:
                    continue
                ids = [i for i in table[column][k].as_py() or () if found.has_thumbnail(source, i)]
                pictures += [
                    {
                        "source": source,
                        "pair_id": i,
                        "caption": found.caption(source, i),
                        "address": thumbnail_url(found, source, i),
                    }
                    for i in ids[:4]
                ]
        return {
            "concept": k,
            "label": found.labels[k],
            "models": [_judgement(entry, entry.reading(kind), k) for entry in entries],
            "nearest": [int(n) for n in found.concepts["nearest"][k].as_py() or ()],
            "pictures": pictures,
            "link": View(bundle_id(found), concept=k, kind=kind).link,
        }

    def compare(self, first: str, second: str, limit: int = 50, bundle: str = "") -> CompareAnswer:
        """Two models of a bundle: do they misdraw the same, and what changed between them?

        Args:
            first: Name of a model, such as a base or an earlier checkpoint.
            second: Name of the model that it is held against.
            limit: Most changed concepts in the answer, 1 to 500, the surest first.
            bundle: Id of a bundle as it stands in a link of the page; "" for the page's own.

        Returns:
            Pearson's r of relative δ with its 95% interval over the concepts that both judge; how
            many concepts are fixed, broken, moved and unchanged from the first to the second on the
            captions that both drew, and the changed ones with mean energies and q-value.

        An unknown model is an error of one sentence; so is comparing a model with itself.
        """
        entry = self._entry(bundle, first)
        other = self._entry(bundle, second).model
        if entry.model == other:
            raise BlindspotsError("Two models are compared: name another one.")
        most = _limit(limit)
        concepts, (x, y) = shared(entry.bundle, (entry.model, other))
        r = pearson(x.delta[concepts], y.delta[concepts])
        answer: CompareAnswer = {
            "first": entry.model,
            "second": other,
            "pearson": _number(r.value),
            "pearson_low": _number(r.low),
            "pearson_high": _number(r.high),
            "concepts": len(concepts),
            "captions": 0,
            "counts": {},
            "changes": [],
            "note": "",
            "link": View(bundle_id(entry.bundle), entry.model, other=other, tab="compare").link,
        }
        one = analysis("model_comparison")
        missing = one.lacks(entry.bundle, (entry.model, other))
        if missing is None and left_to_ask(entry.bundle, one.name):
            run = command(entry.bundle, "compare", entry.model, other, "--bundle", BUNDLE)
            missing = f"A bundle of this size is compared beside the page: {run}."
        if missing is not None:
            return {**answer, "note": missing}
        found = changes(entry.bundle, entry.model, other)
        rows = found.columns(entry.bundle.labels)
        order = [int(i) for i in np.lexsort((rows["concept"], rows["p"]))]
        changed = [i for i in order if rows["change"][i] != "unchanged"][:most]
        names = ("label", "change", "energy_natural", "energy_first", "energy_second", "q")
        return {
            **answer,
            "captions": found.pairs,
            "counts": found.counts,
            "changes": [
                {"concept": int(rows["concept"][i]), **{n: _plain(rows[n][i]) for n in names}}  # type: ignore[typeddict-item]
                for i in changed
            ],
        }

    def pairs(
        self,
        model: str,
        order: Literal["largest", "smallest"] = "largest",
        limit: int = 50,
        bundle: str = "",
    ) -> PairsAnswer:
        """Captions whose generated image differs most, or least, from the natural one.

        Args:
            model: Name of a model of the bundle; "" for the first.
            order: "largest" distances first (what failed), or "smallest" (what may be memorised).
            limit: Most pairs, 1 to 500.
            bundle: Id of a bundle as it stands in a link of the page; "" for the page's own.

        Returns:
            Pairs with caption, distance (energy), mean σ(d/τ) over concepts, and the addresses of
            both images, relative to the page.

        A model that did not draw the captions of natural images has no pairs, which is
        an error of one sentence.
        """
        entry, most = self._entry(bundle, model), _limit(limit)
        _one_of("order", order, ("largest", "smallest"))
        if not entry.paired:
            raise BlindspotsError(
                f"{entry.title} did not draw the captions of natural images: it has no pairs."
            )
        found, table = entry.bundle, entry.bundle.distances(entry.model)
        distance, mean = (table[n].to_numpy() for n in ("distance", "mean_delta"))
        ids = found.image_ids(entry.model)
        ranked = np.argsort(distance if order == "smallest" else -distance, kind="stable")[:most]
        captions = found.captions([ids[row] for row in ranked])
        shown: list[Pair] = [
            {
                "pair_id": ids[row],
                "caption": caption,
                "distance": float(distance[row]),
                "mean_delta": float(mean[row]),
                "natural": thumbnail_url(found, NATURAL, ids[row]),
                "generated": thumbnail_url(found, entry.model, ids[row]),
            }
            for row, caption in zip(ranked, captions, strict=True)
        ]
        return {"model": entry.model, "pairs": len(ids), "shown": shown}

    def _bundle(self, identity: str) -> Bundle:
        named = identity if isinstance(identity, str) else str(identity)
        return self._catalog.bundle(named[:LONGEST] or bundle_id(self._catalog.home))

    def _entry(self, identity: str, model: str) -> Entry:
        found = self._bundle(identity)
        if not found.models:
            raise BlindspotsError(f"The bundle {found.name} holds no model yet.")
        named = model[:LONGEST] if isinstance(model, str) else str(model)[:LONGEST]
        name = named or next(iter(found.models))
        if name not in found.models:
            raise unknown("model", name, list(found.models), f" in the bundle {found.name}")
        return Entry(found, name)


def _judgement(entry: Entry, reading: ModelDeltas, k: int) -> Judgement:
    judged = bool(reading.determined[k])
    value = {"delta": reading.delta, "low": reading.low, "high": reading.high, "q": reading.q}
    numbers = {name: _number(column[k]) if judged else None for name, column in value.items()}
    return {
        "model": entry.model,
        "concept": k,
        "label": entry.bundle.labels[k],
        "state": STATES[reading.state[k]],
        "certain": bool(reading.certain[k]),
        "delta": numbers["delta"],
        "low": numbers["low"],
        "high": numbers["high"],
        "times": _number(fold(reading.r[k : k + 1])[0]) if judged else None,
        "q": numbers["q"],
        "support": float(reading.support[k]),
    }


def _number(value: Any) -> float | None:
    """A float that JSON can say."""
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _limit(limit: Any) -> int:
    if not _is_whole(limit) or not 1 <= limit <= MOST:
        raise BlindspotsError(f"The limit is a whole number from 1 to {MOST}.")
    return int(limit)


def _is_whole(said: Any) -> bool:
    number = isinstance(said, (int, float)) and not isinstance(said, bool)
    return number and float(said).is_integer()


def _one_of(what: str, said: Any, known: tuple[str, ...]) -> str:
    if said not in known:
        raise unknown(what, str(said)[:LONGEST], known)
    return str(said)
