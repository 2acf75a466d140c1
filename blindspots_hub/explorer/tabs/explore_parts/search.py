"""The search itself: number first, then names, then the words of every caption."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.caption_index import caption_index
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count

LIMIT = 12
"""Suggestions under the search box."""

MOST_CAPTIONS = 500
"""Captions that are looked into, evenly taken from all that hold the words."""


@dataclass(frozen=True)
class Hit:
    """A concept that a search found, and why where its name does not tell."""

    concept: int
    label: str
    reason: str


@lru_cache(maxsize=8)
def _names(bundle: Bundle, version: str) -> list[str]:
    """Names as they are searched; `version` is the manifest's sha256, which a new name changes."""
    return [label.lower() for label in bundle.labels]


def searched(entry: Entry) -> str:
    """What a search looks through, in words."""
    bundle = entry.bundle
    named = sum(1 for label in bundle.labels if label)
    return (
        f"Searched {count(named)} names, {count(bundle.n_concepts)} numbers and the words of "
        f"{count(caption_index(bundle).captions)} captions."
    )


def find(entry: Entry, text: str, limit: int = LIMIT) -> list[Hit]:
    """Concepts that fit `text`, best first.

    A number ("217", "#217") is that concept; a word is looked for in names, whole names and
    beginnings first, and then in all captions: the concepts that fire in the natural images of
    captions with it far more often than elsewhere.
    """
    text = " ".join(text.lower().split())
    if not text:
        return []
    bundle = entry.bundle
    reasons: dict[int, str] = {}
    if (digits := re.fullmatch(r"#?(\d{1,9})", text)) and int(digits[1]) < bundle.n_concepts:
        reasons[int(digits[1])] = ""
    elif (named := re.match(r"#(\d{1,9}) ", text)) and int(named[1]) < bundle.n_concepts:
        reasons[int(named[1])] = ""  # as the page names a concept: "#274 blank page"
        text = text[named.end() :]
    for concept in _by_name(_names(bundle, bundle.sha256), text)[:limit]:
        reasons.setdefault(concept, "")
    if len(reasons) < limit:
        for concept, reason in _by_caption(entry, text, limit):
            reasons.setdefault(concept, reason)
    return [
        Hit(concept, bundle.labels[concept], reason)
        for concept, reason in list(reasons.items())[:limit]
    ]


def _by_name(names: list[str], text: str) -> list[int]:
    found = [(name, k) for k, name in enumerate(names) if text in name]
    found.sort(key=lambda hit: (hit[0] != text, not hit[0].startswith(text), len(hit[0]), hit[1]))
    return [k for _, k in found]


def _by_caption(entry: Entry, text: str, limit: int) -> list[tuple[int, str]]:
    bundle = entry.bundle
    rows = caption_index(bundle).find(text)
    if not len(rows):
        return []
    told = f"{count(len(rows))} captions with it" if len(rows) > 1 else "the caption with it"
    looked = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_CAPTIONS)).astype(int)]
    fires = bundle.fires_in(NATURAL, looked)
    if fires is None:
        return _by_top_images(entry, rows, limit)
    share = fires / len(looked)
    often = bundle.concepts["frequency"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(fires > 0, fires * np.log(share / np.maximum(often, 1e-12)), -np.inf)
    best = np.argsort(-worth, kind="stable")[:limit]
    whole = len(looked) == len(rows)
    return [
        (int(k), f"in {count(int(fires[k]))} of {told}" if whole else f"often in {told}")
        for k in best
        if worth[k] > 0
    ]


def _by_top_images(entry: Entry, rows: np.ndarray, limit: int) -> list[tuple[int, str]]:
    """The same by the strongest images only, where energies of single images are not here."""
    ids = entry.bundle.image_ids(NATURAL)
    fits = {ids[row] for row in rows}
    tops = entry.bundle.deltas(entry.model)["top_natural"].combine_chunks()
    of = pc.list_parent_indices(tops).to_numpy()
    hits = np.array([one in fits for one in tops.flatten().to_pylist()], bool)
    counts = np.bincount(of[hits], minlength=entry.bundle.n_concepts)
    best = np.argsort(-counts, kind="stable")[:limit]
    return [
        (int(k), f"in {count(int(counts[k]))} of its strongest captions") for k in best if counts[k]
    ]
