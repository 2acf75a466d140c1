"""The search itself: number first, then labels, then captions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry

LIMIT = 12
"""Suggestions under the search box."""


@dataclass(frozen=True)
class Hit:
    """A concept that a search found, and why where its name does not tell."""

    concept: int
    label: str
    reason: str


@dataclass(frozen=True)
class Words:
    """What a search reads, lower case: labels (n,) and the captions of top natural images."""

    labels: list[str]
    captions: list[str]
    concept: np.ndarray  # int (m,): concept m's top image …
    caption: np.ndarray  # int (m,): … has this caption

    @classmethod
    def of(cls, entry: Entry) -> Words:
        """Gather the words of one model's table."""
        tops = entry.bundle.deltas(entry.model)["top_natural"].combine_chunks()
        ids = pc.list_flatten(tops).dictionary_encode()
        captions = (entry.bundle.caption(NATURAL, i) for i in ids.dictionary.to_pylist())
        return cls(
            [label.lower() for label in entry.bundle.labels],
            [caption.lower() for caption in captions],
            pc.list_parent_indices(tops).to_numpy(),
            ids.indices.to_numpy(),
        )


@lru_cache(maxsize=16)
def _words(entry: Entry) -> Words:
    return Words.of(entry)


def find(entry: Entry, text: str, limit: int = LIMIT) -> list[Hit]:
    """Concepts that fit `text`, best first.

    A number ("217", "#217") is that concept; a word is looked for in labels, whole labels and
    beginnings first, and then in the captions of the images in which a concept is strongest.
    """
    text = " ".join(text.lower().split())
    words = _words(entry)
    if not text:
        return []
    reasons: dict[int, str] = {}
    if (digits := re.fullmatch(r"#?(\d{1,9})", text)) and int(digits[1]) < len(words.labels):
        reasons[int(digits[1])] = ""
    for concept in _by_label(words, text)[:limit]:
        reasons.setdefault(concept, "")
    for concept, count in _by_caption(words, text, limit):
        reasons.setdefault(concept, f"in {count} captions" if count > 1 else "in a caption")
    labels = entry.bundle.labels
    return [
        Hit(concept, labels[concept], reason) for concept, reason in list(reasons.items())[:limit]
    ]


def _by_label(words: Words, text: str) -> list[int]:
    found = [(label, k) for k, label in enumerate(words.labels) if text in label]
    found.sort(key=lambda hit: (hit[0] != text, not hit[0].startswith(text), len(hit[0]), hit[1]))
    return [k for _, k in found]


def _by_caption(words: Words, text: str, limit: int) -> list[tuple[int, int]]:
    fits = np.array([text in caption for caption in words.captions], bool)
    if not fits.any():
        return []
    counts = np.bincount(words.concept[fits[words.caption]], minlength=len(words.labels))
    best = np.argsort(-counts, kind="stable")[:limit]
    return [(int(k), int(counts[k])) for k in best if counts[k]]
