"""Which captions name a concept, by their words alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from blindspots_hub.utils.spelling import numbers_of

_IDLE = "a an and at by for from in is of on or the this that to under with"
"""Words of a name that a caption need not have."""


def words_of(label: str) -> list[str]:
    """The words of a name that a caption must have to name the concept."""
    return [w for w in re.findall(r"[^\W\d_]{2,}", label.lower()) if w not in _IDLE.split()]


def naming_rows(captions: Sequence[str], label: str) -> np.ndarray:
    """Rows of the captions that have every word of `label`, in the singular or plural: int64 (n,).

    By their text alone, whatever their images show: so that natural images of these captions are a
    fair measure of how often such a caption brings the concept out.
    """
    words = words_of(label)
    if not words:
        return np.zeros(0, np.int64)
    patterns = [re.compile(rf"(?<!\w)(?:{numbers_of(w)})(?!\w)", re.IGNORECASE) for w in words]
    rows = [i for i, text in enumerate(captions) if all(p.search(text) for p in patterns)]
    return np.array(rows, np.int64)


def silent_rows(captions: Sequence[str], label: str) -> np.ndarray:
    """Rows of the captions that do not name `label`, int64 (n,): all where it has no words."""
    return np.setdiff1d(np.arange(len(captions), dtype=np.int64), naming_rows(captions, label))
