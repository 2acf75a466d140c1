"""Natural against natural: how many concepts the method flags where nothing differs."""

from __future__ import annotations

from typing import Any

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.table import MeasureSettings, measure

SPLITS = 5
"""Random splits that the share is averaged over."""


def null_share(
    natural: ImageEnergies, pairs: int, settings: MeasureSettings, seed: int = 0
) -> dict[str, Any]:
    """Share of supported concepts flagged when natural images meet other natural images.

    Splits `natural` into two disjoint sets of `pairs` images (half of all where there are fewer),
    pairs them at random and measures them as if one were generated. Returns the size used, the
    share with q below alpha, and the share flagged as blindspots under each δ.
    """
    size = min(pairs, natural.n_images // 2)
    if size < 2:
        return {"pairs": 0, "differs": None, "flagged": None, "relative_flagged": None}
    shares = []
    for split in range(SPLITS):
        order = np.random.default_rng([seed, split]).permutation(natural.n_images)
        halves = (natural.take(order[:size]), natural.take(order[size : 2 * size]))
        table = measure(*halves, settings, paired=True)
        determined = max(int((table["support"] >= settings.min_support).sum()), 1)
        flagged = ("suppressed", "exaggerated")
        shares.append(
            (
                (table["q"] < settings.alpha).sum() / determined,
                np.isin(table["state"].astype(str), flagged).sum() / determined,
                np.isin(table["relative_state"].astype(str), flagged).sum() / determined,
            )
        )
    differs, absolute, relative = np.mean(shares, axis=0).tolist()
    return {
        "pairs": size,
        "differs": differs,
        "flagged": absolute,
        "relative_flagged": relative,
    }
