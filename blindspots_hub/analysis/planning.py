"""How much a number of pairs can show, from the spread that a bundle has measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError


def resolvable_gap(bundle: Bundle, pairs: int) -> float | None:
    """Smallest relative gap |r| whose 95 % interval would exclude 0 for a middling concept.

    The median half-width of the relative gap's interval over the determined concepts of a model,
    middling among the bundle's models, scaled by √(measured pairs / `pairs`). None where nothing
    was determined.
    """
    scaled = [
        ModelDeltas.of(bundle.deltas(name), "relative").half_width
        * math.sqrt(model["pairs"] / pairs)
        for name, model in bundle.models.items()
    ]
    measured = [width for width in scaled if math.isfinite(width)]
    return float(np.median(measured)) if measured else None


BANDS = (1.0, 1 / 3, 1 / 10, 1 / 30, 1 / 100, 1 / 300)
"""Edges between concepts by the share of natural images in which they fire, highest first."""

ENOUGH = 5
"""Measured concepts below which a band says nothing of its own."""


@dataclass(frozen=True)
class Need:
    """Pairs that concepts of one frequency need: `low` < share of natural images ≤ `high`.

    `concepts` were measured to find it; `pairs` is None where they were too few.
    """

    low: float
    high: float
    concepts: int
    pairs: int | None


def pairs_needed(bundle: Bundle, half_width: float) -> list[Need]:
    """How many pairs give the relative gap r of a middling concept an interval of ± `half_width`.

    From the widths that the bundle's paired models have measured, which shrink with the root of the
    number of pairs, and at least as many as the minimum support asks for. A band a frequency,
    common concepts first: rare ones need many more. `half_width` outside (0, 1) raises
    `BlindspotsError`.
    """
    if not 0 < half_width < 1:
        raise BlindspotsError(
            f"A width of ±{half_width:g} cannot be planned for: r lies between -1 and 1, so name "
            "one between 0 and 1, such as 0.1."
        )
    shares, needed = [], []
    for name, model in bundle.models.items():
        if model["design"] != "paired":
            continue
        reading, measured = ModelDeltas.of(bundle.deltas(name), "relative"), model["pairs"]
        judged = reading.determined & (reading.images_natural > 0)
        width = (reading.gap_high - reading.gap_low)[judged] / 2
        by_width = measured * (width / half_width) ** 2
        by_support = measured * model["settings"]["min_support"] / reading.support[judged]
        shares.append(reading.images_natural[judged] / measured)
        needed.append(np.maximum(by_width, by_support))
    share, need = (np.concatenate([*rows, []]) for rows in (shares, needed))
    found = []
    for high, low in pairwise(BANDS):
        band = need[(share > low) & (share <= high)]
        pairs = math.ceil(np.median(band)) if len(band) >= ENOUGH else None
        found.append(Need(low, high, len(band), pairs))
    return found
