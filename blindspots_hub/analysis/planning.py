"""How much a number of pairs can show, from the spread that a bundle has measured."""

from __future__ import annotations

import math

import numpy as np

from blindspots_hub.analysis.reading import Reading
from blindspots_hub.artifacts.bundle import Bundle


def resolvable_gap(bundle: Bundle, pairs: int) -> float | None:
    """Smallest relative gap |r| whose 95 % interval would exclude 0 for a middling concept.

    The median half-width of the relative gap's interval over the determined concepts of a model,
    middling among the bundle's models, scaled by √(measured pairs / `pairs`). None where nothing
    was determined.
    """
    scaled = [
        Reading.of(bundle.deltas(name), "relative").half_width * math.sqrt(model["pairs"] / pairs)
        for name, model in bundle.models.items()
    ]
    measured = [width for width in scaled if math.isfinite(width)]
    return float(np.median(measured)) if measured else None
