"""Disjoint samples of the pairs: what one sample cannot show of intervals, several can.

All models are compared with the same natural images, so that where these happen to hold too many of
one thing, the intervals of all models miss it together. Intervals are asked to hold the truth
whatever the sample, and are judged over samples of several sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import Measured, measured

PARTS = (1, 2, 3, 6)
"""The pairs whole, and cut into as many disjoint parts."""

LEAST = 300
"""Pairs of the smallest part: with fewer hardly any concept is judged."""

CLAIMED = 1_000
"""Pairs of the samples by which claims are counted, about: the size of the embedded bundle."""


@dataclass(frozen=True)
class PairSample:
    """Tables of every model from one of `parts` disjoint parts of the pairs."""

    parts: int
    tables: Mapping[str, Measured]


def samples(
    natural: ImageEnergies,
    generated: Mapping[str, ImageEnergies],
    whole: Mapping[str, Measured],
    settings: MeasureSettings,
) -> list[PairSample]:
    """The `whole` and its parts, those of a size beside each other, deterministic."""
    pairs = natural.n_images
    order = np.random.default_rng(0).permutation(pairs)
    found = [PairSample(1, whole)]
    for parts in PARTS[1:]:
        if pairs // parts < LEAST:
            break
        for part in range(parts):
            rows = np.sort(order[part::parts])
            beside = natural.take(rows)
            tables = {
                name: measured(beside, own.take(rows), settings, paired=True)
                for name, own in generated.items()
            }
            found.append(PairSample(parts, tables))
    return found


def claimed(every: list[PairSample], pairs: int) -> list[PairSample]:
    """The samples of about `CLAIMED` pairs among `every`, disjoint."""
    sizes = {one.parts for one in every}
    parts = min(sizes, key=lambda size: abs(pairs / size - CLAIMED))
    return [one for one in every if one.parts == parts]
