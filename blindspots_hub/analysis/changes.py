"""What changed from one model to another on the same captions: fixed, broken, moved, unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blindspots_hub.measure.between import Between, between
from blindspots_hub.measure.delta import differs
from blindspots_hub.measure.energies import ImageEnergies, columns
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.utils.numerals import percent

CHANGES = ("fixed", "broken", "moved", "unchanged")
"""What a judged concept can have become.

`unchanged` does not differ significantly between the two models. Of those that do, `fixed` was off
the natural images in the first model and is nearer to them in the second, `broken` is off them in
the second and farther than in the first, `moved` is surely off them in neither.
"""


@dataclass(frozen=True)
class Changes:
    """The second model against the first on `pairs` captions; arrays (n,), intervals pointwise.

    `change` names one of `CHANGES`, "" where a concept is not judged. `between` has its paired
    difference (second minus first), `natural` the mean energy of the natural images.
    """

    pairs: int
    between: Between
    natural: np.ndarray
    change: np.ndarray
    settings: MeasureSettings

    @classmethod
    def of(
        cls,
        natural: ImageEnergies,
        first: ImageEnergies,
        second: ImageEnergies,
        settings: MeasureSettings,
        off: Sequence[np.ndarray | None] = (None, None),
    ) -> Changes:
        """Compare energies (N, n) row by row; row i of all three belongs to pair i.

        `off` are the concepts in which each model surely differs from the natural images, where
        that is known; else it is measured.
        """
        found = between(natural, first, second, settings)
        off = [
            off_natural(measure(natural, one, settings, paired=True), settings)
            if known is None
            else known
            for one, known in zip((first, second), off, strict=True)
        ]
        mean = columns(natural.matrix) / natural.n_images
        far = [np.abs(energy - mean) for energy in (found.first, found.second)]
        change = np.where(found.judged, "unchanged", "").astype(object)
        change[found.differs] = "moved"
        change[found.differs & off[0] & (far[1] < far[0])] = "fixed"
        change[found.differs & off[1] & (far[1] > far[0])] = "broken"
        return cls(first.n_images, found, mean, change, settings)

    def concepts(self, change: str) -> np.ndarray:
        """Concepts that became `change`, the surest first."""
        which = np.flatnonzero(self.change == change)
        return np.asarray(which[np.argsort(self.between.p[which], kind="stable")])

    @property
    def counts(self) -> dict[str, int]:
        """How many concepts became each of `CHANGES`."""
        return {name: int((self.change == name).sum()) for name in CHANGES}

    @property
    def judged(self) -> int:
        """How many concepts are judged."""
        return int(self.between.judged.sum())

    def words(self, labels: Sequence[str]) -> str:
        """Counts with the first names, as half a sentence."""
        if not self.judged:
            return "no concept fires in enough of these pairs to be compared"
        told = []
        for change in ("fixed", "broken", "moved"):
            concepts = self.concepts(change)
            names = [labels[k] or f"concept {k}" for k in concepts[:3].tolist()]
            told.append(f"{len(concepts)} {change}" + (f" ({', '.join(names)})" if names else ""))
        alpha = self.settings.alpha
        return (
            f"of {self.judged:,} judged concepts {', '.join(told)} and "
            f"{self.counts['unchanged']:,} unchanged; of those called changed at most "
            f"{percent(alpha)} are expected to be chance (q < {alpha:g})"
        )

    def columns(self, labels: Sequence[str]) -> dict[str, Any]:
        """Every judged concept as a row: energies, paired difference with interval, p, q."""
        kept = np.flatnonzero(self.between.judged)
        b = self.between
        total = b.first + b.second
        gap = b.second - b.first
        r = np.divide(gap, total, out=np.zeros_like(gap), where=total > 0)
        return {
            "concept": kept,
            "label": [labels[k] for k in kept.tolist()],
            "change": self.change[kept].astype(str),
            "energy_natural": self.natural[kept],
            "energy_first": b.first[kept],
            "energy_second": b.second[kept],
            "gap": gap[kept],
            "gap_low": b.gap.low[kept],
            "gap_high": b.gap.high[kept],
            "relative_gap": r[kept],
            "relative_gap_low": b.relative.low[kept],
            "relative_gap_high": b.relative.high[kept],
            "support": b.support[kept],
            "p": b.p[kept],
            "q": b.q[kept],
        }


def off_natural(table: Mapping[str, np.ndarray], settings: MeasureSettings) -> np.ndarray:
    """Concepts of a model's table that surely differ from the natural images, bool (n,)."""
    return differs(table["q"], (table["gap_low"], table["gap_high"]), settings.alpha)
