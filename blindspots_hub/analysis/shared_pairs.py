"""Models on the captions that all of them drew: energies row by row, and each two compared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.measure.between import Between, between
from blindspots_hub.measure.energies import ImageEnergies


def shared_ids(bundle: Bundle, models: Sequence[str]) -> list[str]:
    """Pairs that every one of `models` drew, in the order of their ids."""
    return sorted(set.intersection(*(set(bundle.image_ids(name)) for name in models)))


def shared_energies(
    bundle: Bundle, models: Sequence[str]
) -> tuple[ImageEnergies, list[ImageEnergies]]:
    """Natural energies and each model's, of the pairs that all `models` drew, row by row."""
    ids = shared_ids(bundle, models)
    natural, *own = (
        taken(bundle.energies(name), bundle.image_ids(name), ids) for name in (NATURAL, *models)
    )
    return natural, own


def taken(energies: ImageEnergies, order: list[str], ids: list[str]) -> ImageEnergies:
    """The rows named `ids` of energies whose rows are named `order`."""
    if order == ids:
        return energies
    row = {pair_id: i for i, pair_id in enumerate(order)}
    return energies.take(np.array([row[pair_id] for pair_id in ids], np.int64))


@lru_cache(maxsize=64)
def compared(bundle: Bundle, first: str, second: str) -> Between:
    """`second` minus `first` on the captions that both drew."""
    natural, (a, b) = shared_energies(bundle, (first, second))
    return between(natural, a, b, bundle.model(second).measured_with)
