"""Which pairs can be measured: both sides stay in step, and every pair left out has one cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paired:
    """What became of pairs with one or more generations each.

    Attributes:
        generations: of every pair that can be measured, those that have codes, one at least.
        dropped: of every other pair, the cause.
        out: of every generation that is measured nowhere, the cause: its own, or its pair's.
    """

    generations: dict[str, list[str]]
    dropped: dict[str, str]
    out: dict[str, str]

    def rows(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the measured generations among `names`, by pair, and the number of their pairs.

        Both (D,) int64; pairs are numbered from 0 in the order of `generations`.
        """
        row = {name: number for number, name in enumerate(names)}
        rows = [row[name] for own in self.generations.values() for name in own]
        counts = [len(own) for own in self.generations.values()]
        return np.array(rows, np.int64), np.repeat(np.arange(len(counts)), counts)


def pair_up(
    of_pair: Mapping[str, Sequence[str]],
    natural_failed: Mapping[str, str],
    generation_failed: Mapping[str, str],
) -> Paired:
    """Sort out pairs, whose generations `of_pair` names, by the causes of what failed.

    A pair whose natural image has no codes is left out by that cause, `natural_…`. One without a
    generation that has codes is left out by the cause of its first: that one's status, or
    `generated_…` where there is an image that has no codes.
    """
    causes = {name: _generated(cause) for name, cause in generation_failed.items()}
    generations: dict[str, list[str]] = {}
    dropped: dict[str, str] = {}
    for pair_id, names in of_pair.items():
        good = [name for name in names if name not in causes]
        if pair_id in natural_failed:
            dropped[pair_id] = f"natural_{natural_failed[pair_id]}"
        elif good:
            generations[pair_id] = good
        else:
            dropped[pair_id] = causes[names[0]]
    of_pairs = {
        name: dropped[pair_id]
        for pair_id, names in of_pair.items()
        if pair_id in dropped
        for name in names
    }
    return Paired(generations, dropped, of_pairs | causes)


def _generated(cause: str) -> str:
    return f"generated_{cause}" if cause in ("unreadable", "not_encoded") else cause
