"""Which models the page can show: those of its own bundle, and those evaluated beside it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import RLock

import numpy as np

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle, Redraw, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving.deployment import without_paths

ID_DIGITS = 16
"""Hex digits of a bundle's identity that stand for it in links and keys."""

OPEN = 12
"""Bundles of visitors that stay open, and models whose columns stay read."""


def bundle_id(bundle: Bundle) -> str:
    """What names a bundle in links: the first digits of `Bundle.identity`.

    That is the sha256 of its results: of the manifest as it is without labels and findings.
    """
    return bundle.identity[:ID_DIGITS]


@dataclass(frozen=True)
class Entry:
    """One model of one bundle: a line of the model menu."""

    bundle: Bundle
    model: str

    @property
    def key(self) -> str:
        """`<bundle id>/<model>`: unique, stable, and of no use to whoever does not know the id."""
        return f"{bundle_id(self.bundle)}/{self.model}"

    @property
    def title(self) -> str:
        """The model's title as its bundle gives it; untrusted text."""
        return self.bundle.model(self.model).title or self.model

    @property
    def paired(self) -> bool:
        """Whether the generated images share the natural ones' captions."""
        return self.bundle.model(self.model).paired

    @property
    def pairs(self) -> int:
        """Pairs (or generated images, where unpaired) that were measured."""
        return self.bundle.model(self.model).pairs

    @property
    def confidence(self) -> float:
        """Confidence of the table's pointwise intervals, in percent."""
        return 100 * self.bundle.model(self.model).measured_with.confidence

    def reading(self, kind: str) -> ModelDeltas:
        """The model's concepts under one of the two δ."""
        return _reading(self, kind)


@lru_cache(maxsize=OPEN)
def _reading(entry: Entry, kind: str) -> ModelDeltas:
    return ModelDeltas.of(entry.bundle.deltas(entry.model), kind)


def said(error: BlindspotsError, hosted: bool) -> str:
    """The sentence of an error; where a page is `hosted` for strangers it names no path."""
    return without_paths(str(error)) if hosted else str(error)


class Catalog:
    """The page's own bundles, and every bundle evaluated by a session of this server.

    `home` is the first of the page's bundles, `beside` are others of its concept space. A session
    sees its own bundle ids only: the catalog finds what it is asked for by id, and lists nothing
    but the page's own bundles and the ids that the session holds. An id is part of a sha256 that
    only the bundle's maker and those with a link know. `redraw` draws images that bundles do not
    hold; `hosted` says that strangers see the page.
    """

    def __init__(
        self,
        home: Bundle,
        beside: Sequence[Bundle] = (),
        redraw: Redraw | None = None,
        hosted: bool = False,
    ) -> None:
        self.home, self._redraw, self._hosted = home, redraw, hosted
        self._own: dict[str, Bundle] = {}
        for bundle in (home, *beside):
            self._mark(bundle)
            self._own.setdefault(bundle_id(bundle), bundle)
        self._added: dict[str, Path] = {}
        self._open: OrderedDict[str, Bundle] = OrderedDict()
        self._lock = RLock()

    def add(self, root: Path) -> str:
        """Open the bundle at `root` and return its id.

        A faulty bundle, or one whose concepts are not those of the page, is a `BlindspotsError`.
        """
        bundle = load_bundle(root)
        if bundle.concept_space != self.home.concept_space:
            raise BlindspotsError(
                f"{root} was measured in another concept space than {self.home.name}: evaluate "
                "the model with this page’s bundle to compare them."
            )
        identity = bundle_id(bundle)
        if identity not in self._own:
            with self._lock:
                self._added[identity] = bundle.root
                self._keep(identity, bundle)
        return identity

    def kept_in(self, folder: Path) -> list[str]:
        """Ids of the bundles that lie directly in `folder` and can be shown, the newest last.

        Of many the newest `OPEN` are looked at.
        """
        try:
            there = [one for one in folder.iterdir() if (one / MANIFEST).is_file()]
            there.sort(key=lambda one: (one / MANIFEST).stat().st_mtime)
        except OSError:
            return []
        found = []
        for root in there[-OPEN:]:
            try:
                identity = self.add(root)
            except BlindspotsError:  # of another concept space, or not whole
                continue
            if identity not in self._own and self.bundle(identity).models:
                found.append(identity)
        return found

    def forget(self, root: Path) -> None:
        """Know nothing any more of the bundles at or below `root`, which is about to go."""
        root = root.resolve()
        with self._lock:
            for identity, place in list(self._added.items()):
                if root in (place.resolve(), *place.resolve().parents):
                    del self._added[identity]
                    self._open.pop(identity, None)
        _reading.cache_clear()

    def said(self, error: BlindspotsError) -> str:
        """The sentence of an error as a visitor may read it: a stranger is told no path."""
        return said(error, self._hosted)

    def _mark(self, bundle: Bundle) -> None:
        bundle.redraw, bundle.hosted = self._redraw, self._hosted

    def _keep(self, identity: str, bundle: Bundle) -> Bundle:
        """Of the bundles that were added the latest ones stay open; the others lie on the disk."""
        self._mark(bundle)
        self._open[identity] = bundle
        self._open.move_to_end(identity)
        while len(self._open) > OPEN:
            self._open.popitem(last=False)
        return bundle

    def open(self, identity: str) -> Bundle | None:
        """The bundle of an id, where it is open; nothing is read."""
        return self._own.get(identity) or self._open.get(identity)

    def _find(self, identity: str) -> Bundle | None:
        if identity in self._own:
            return self._own[identity]
        with self._lock:
            if identity in self._open:
                return self._keep(identity, self._open[identity])
            root = self._added.get(identity)
            if root is None:
                return None
            try:
                bundle = load_bundle(root)
            except BlindspotsError:  # it went, or became another
                bundle = None
            if bundle is None or bundle_id(bundle) != identity:
                del self._added[identity]
                return None
            return self._keep(identity, bundle)

    def entries(self, own: Sequence[str] = ()) -> list[Entry]:
        """The models of the page's bundles, then those that the bundles `own` add to them."""
        added = [self._find(i) for i in own[-OPEN:] if i not in self._own]
        return [
            Entry(bundle, model)
            for bundle in (*self._own.values(), *added)
            if bundle is not None
            for model in bundle.models
        ]

    def bundle(self, identity: str) -> Bundle:
        """The bundle of an id; an unknown one raises `BlindspotsError`."""
        bundle = self._find(identity)
        if bundle is None:
            raise BlindspotsError(
                f"This page holds no bundle {identity[:ID_DIGITS]!r}: reload it, and evaluate the "
                "model again if it was evaluated here."
            )
        return bundle

    def entry(self, key: str) -> Entry:
        """The entry of a key; an unknown one raises `BlindspotsError`."""
        identity, _, model = key.partition("/")
        bundle = self.bundle(identity)
        bundle.model(model)
        return Entry(bundle, model)


def check_concept(bundle: Bundle, concept: int) -> int:
    """`concept`, or a `BlindspotsError` where the bundle has no such concept."""
    if not 0 <= concept < bundle.n_concepts:
        raise BlindspotsError(
            f"There is no concept {concept}: the bundle {bundle.name} has "
            f"{bundle.n_concepts:,}, counted from 0."
        )
    return concept


def menu(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """(title, key) of every entry; of equal titles the bundle tells, by its name or else its id."""
    titles = [entry.title for entry in entries]
    named = [
        title if titles.count(title) == 1 else f"{title} · {entry.bundle.name}"
        for title, entry in zip(titles, entries, strict=True)
    ]
    return [
        (name if named.count(name) == 1 else f"{name} · {bundle_id(entry.bundle)[:4]}", entry.key)
        for name, entry in zip(named, entries, strict=True)
    ]


def frequency_bytes(frequency: np.ndarray) -> np.ndarray:
    """Share of images (n,), or another amount, on a logarithmic scale as uint8: 0 never, 255 most.

    The scale begins at the lowest twentieth of what is seen, so that few rare ones do not make all
    others alike.
    """
    seen = frequency[frequency > 0]
    if not len(seen):
        return np.zeros(len(frequency), np.uint8)
    low, high = np.log(np.quantile(seen, 0.05)), np.log(seen.max())
    logs = np.log(np.maximum(frequency, seen.min()))
    scaled = 1 + 254 * np.clip((logs - low) / max(high - low, 1e-9), 0, 1)
    return np.where(frequency > 0, scaled.round(), 0).astype(np.uint8)
