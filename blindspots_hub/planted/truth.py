"""The true change of every factor, from the scene records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blindspots_hub.planted.factors import FACTORS, factor_vector
from blindspots_hub.planted.scene import Scene


@dataclass(frozen=True)
class Change:
    """How a factor's frequency changed from natural to generated images."""

    natural: float
    """f: share of natural images that have the factor."""
    generated: float
    """f': share of generated images that have the factor."""

    @property
    def relative(self) -> float:
        """r = (f' − f) / (f' + f) in [−1, 1]; 0 where neither side has the factor."""
        total = self.natural + self.generated
        return (self.generated - self.natural) / total if total else 0.0


def frequencies(scenes: Iterable[Scene]) -> np.ndarray:
    """Share of `scenes` that have each factor, `(len(FACTORS),)` float64; at least one scene."""
    shares: np.ndarray = np.stack([factor_vector(scene) for scene in scenes]).mean(axis=0)
    return shares


def true_change(natural: Iterable[Scene], generated: Iterable[Scene]) -> dict[str, Change]:
    """The change of every factor of `FACTORS`, knock-on changes included.

    When wood replaces other backgrounds, those become rarer too: that is a true change, and it is
    counted as one.
    """
    before, after = frequencies(natural), frequencies(generated)
    return {
        name: Change(float(before[index]), float(after[index]))
        for index, name in enumerate(FACTORS)
    }
