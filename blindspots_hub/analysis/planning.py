"""How much a number of pairs can show, from the spread that a bundle has measured."""

from __future__ import annotations

import math

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle


def resolvable_gap(bundle: Bundle, pairs: int) -> float | None:
    """Smallest relative gap |r| whose 95 % interval would exclude 0 for a middling concept.

    The median half-width of the relative gap's interval over the determined concepts of the
    bundle's models, scaled by √(measured pairs / `pairs`). None where nothing was determined.
    """
    widths = []
    for name, model in bundle.models.items():
        table = bundle.deltas(name)
        state = np.array(table["relative_state"].to_pylist())
        known = ~np.isin(state, ("dead", "undetermined"))
        low, high = (table[f"relative_gap_{end}"].to_numpy()[known] for end in ("low", "high"))
        widths.append((high - low) / 2 * math.sqrt(model["pairs"] / pairs))
    every = np.concatenate(widths) if widths else np.zeros(0)
    return float(np.median(every)) if len(every) else None
