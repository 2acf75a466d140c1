"""Energies of many pairs with the statistics of the published concepts, made from a seed."""

from __future__ import annotations

import numpy as np

from blindspots_hub import paper
from blindspots_hub.measure.energies import ImageEnergies

DISTINCT = 530
"""Concepts of 32,000 that fire in an image, on average."""

_SPREAD = 1.25
"""Spread of the logarithm of how often a concept fires: the mean is 2.2 times the median."""

_SHARED = 0.5
"""Share of an image's concepts that its counterpart has because they have one caption."""

_BIASED = 0.02
"""Share of the concepts that the generator draws `_BIAS` times too often, and too seldom."""
_BIAS = 20.0


def paired_energies(
    images: int, n_concepts: int = paper.CONCEPTS, seed: int = 0
) -> tuple[ImageEnergies, ImageEnergies]:
    """Natural and generated energies of as many pairs, about `DISTINCT` concepts of 32,000 each."""
    rng = np.random.default_rng(seed)
    natural = rng.lognormal(0, _SPREAD, n_concepts)
    generated = natural.copy()
    biased = rng.permutation(n_concepts)[: 2 * int(_BIASED * n_concepts)]
    generated[biased[::2]] /= _BIAS
    generated[biased[1::2]] *= _BIAS
    size = rng.lognormal(0.3, 0.5, n_concepts)  # typical energy of a concept where it fires
    fires = DISTINCT * n_concepts / paper.CONCEPTS

    def drawn(popularity: np.ndarray, share: float) -> np.ndarray:
        """Places, row · n_concepts + concept, of about that share of the fires."""
        cumulative = np.cumsum(popularity)
        counts = rng.poisson(share * fires, images)
        where = rng.random(counts.sum()) * cumulative[-1]
        concepts = np.searchsorted(cumulative, where, side="right").clip(max=n_concepts - 1)
        return np.repeat(np.arange(images) * n_concepts, counts) + concepts

    shared = drawn(np.minimum(natural, generated), _SHARED)

    def side(popularity: np.ndarray) -> ImageEnergies:
        places = np.sort(np.concatenate([shared, drawn(popularity, 1 - _SHARED)]))
        places = places[np.append(True, np.diff(places) > 0)]
        rows, concepts = np.divmod(places, n_concepts)
        energies = size[concepts] * rng.gamma(2.0, 0.5, len(places))
        return ImageEnergies(
            np.searchsorted(rows, np.arange(images + 1)).astype(np.int64),
            concepts.astype(np.int32),
            np.maximum(energies, 1e-3).astype(np.float32),
            n_concepts,
        )

    return side(natural), side(generated)
