"""Which images of both sides a metric is computed from: pairs together, the same for all models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL


@dataclass(frozen=True)
class Chosen:
    """Rows of the images chosen of both sides, in an order by chance, and the natural ones' ids.

    Rows index what a bundle keeps of `image_ids`. Where a model is paired, entry i of both sides is
    one pair, so that leaving out entries leaves out pairs; else the sides may differ in length.
    """

    natural: np.ndarray
    generated: np.ndarray
    natural_ids: tuple[str, ...]

    @classmethod
    def of(cls, bundle: Bundle, model: str, most: int) -> Chosen:
        """`most` images of a side at most.

        Pairs are gone through in one order, whichever the model: models that drew the same pairs
        are held against the same natural images.
        """
        ids = bundle.image_ids(NATURAL)
        order = np.random.default_rng(0).permutation(len(ids))
        theirs = set(bundle.natural_ids(model))
        natural = np.array([row for row in order.tolist() if ids[row] in theirs][:most], np.int64)
        chosen = tuple(ids[row] for row in natural.tolist())
        own = bundle.image_ids(model)
        if bundle.model(model).paired:
            row_of = {pair_id: row for row, pair_id in enumerate(own)}
            generated = np.array([row_of[pair_id] for pair_id in chosen], np.int64)
        else:
            generated = np.random.default_rng(0).permutation(len(own))[:most]
        return cls(natural, generated, chosen)
