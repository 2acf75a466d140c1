"""Counting that numpy would need a sparse product for."""

from __future__ import annotations

import numpy as np

from blindspots_hub.compiled import compiled


@compiled
def add_fires(
    counts: np.ndarray, images: np.ndarray, indptr: np.ndarray, concepts: np.ndarray
) -> None:
    """Count the concepts of `images` up in `counts` (n,); `indptr`, `concepts` are energies'."""
    for image in images:
        for place in range(indptr[image], indptr[image + 1]):
            counts[concepts[place]] += 1
