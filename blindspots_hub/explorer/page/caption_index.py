"""Words of every caption of a bundle, as an index: which captions hold a word."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL

_WORD = re.compile(r"\w+")

MOST_ENDINGS = 400
"""Words of the index that the beginning of a word can stand for."""

KEPT = 8
"""Bundles whose index is kept."""


def words_of(text: str) -> list[str]:
    """The words of a text, without regard to case."""
    return _WORD.findall(text.casefold())


@dataclass(frozen=True)
class CaptionIndex:
    """`words` ascending, and for each the rows of the captions that hold it, ascending."""

    words: list[str]
    rows: list[np.ndarray]
    captions: int

    @classmethod
    def of(cls, captions: Iterable[str]) -> CaptionIndex:
        """Index captions in their order."""
        found: dict[str, list[int]] = defaultdict(list)
        number = 0
        for number, caption in enumerate(captions, start=1):
            for word in set(words_of(caption)):
                found[word].append(number - 1)
        words = sorted(found)
        return cls(words, [np.array(found[word], np.int32) for word in words], number)

    def find(self, text: str) -> np.ndarray:
        """Rows of the captions that hold every word of `text`; the last may be a beginning."""
        asked = words_of(text)
        if not asked:
            return np.zeros(0, np.int32)
        rows = self._beginning(asked[-1])
        for word in asked[:-1]:
            rows = np.intersect1d(rows, self._whole(word), assume_unique=True)
        return rows

    def _whole(self, word: str) -> np.ndarray:
        at = bisect_left(self.words, word)
        there = at < len(self.words) and self.words[at] == word
        return self.rows[at] if there else np.zeros(0, np.int32)

    def _beginning(self, start: str) -> np.ndarray:
        at = bisect_left(self.words, start)
        found = []
        for k in range(at, min(at + MOST_ENDINGS, len(self.words))):
            if not self.words[k].startswith(start):
                break
            found.append(self.rows[k])
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int32)


@lru_cache(maxsize=KEPT)
def caption_index(bundle: Bundle) -> CaptionIndex:
    """The index of the captions of a bundle's natural images, rows as in `image_ids(NATURAL)`."""
    return CaptionIndex.of(bundle.captions(bundle.image_ids(NATURAL)))
