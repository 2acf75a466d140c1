"""What follows from energies image by image: top images of a concept, distances of pairs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import sparse

from blindspots_hub.measure.delta import delta
from blindspots_hub.measure.energies import ImageEnergies

TOP_IMAGES = 5
"""Images that a concept's card shows a side (the paper's explorer shows five)."""

SAME = 0.003
"""Distance of two images' energies, relative to their size, below which they are one picture."""


def top_images(energies: ImageEnergies, count: int = TOP_IMAGES) -> list[np.ndarray]:
    """Rows of the `count` images with the highest energy of each concept, highest first.

    Ties go to the lower row, so that the result does not depend on how rows were sharded. A concept
    that never fires has no top image.
    """
    rows = np.repeat(np.arange(energies.n_images), np.diff(energies.indptr))
    order = np.lexsort((rows, -energies.energies, energies.concepts))
    concepts = energies.concepts[order]
    starts = np.searchsorted(concepts, np.arange(energies.n_concepts + 1))
    sorted_rows = rows[order]
    return [sorted_rows[a : min(a + count, b)] for a, b in pairwise(starts)]


def pair_distances(natural: ImageEnergies, generated: ImageEnergies) -> np.ndarray:
    """‖ξ(x') - ξ(x)‖₂ of every pair, in energy units (section 5.4)."""
    difference = (generated.matrix - natural.matrix).tocsr()
    return np.sqrt(np.asarray(difference.multiply(difference).sum(axis=1)).ravel())


def pair_mean_delta(natural: ImageEnergies, generated: ImageEnergies, tau: float) -> np.ndarray:
    """Mean over all concepts of σ(difference / τ), a value a pair (section 5.5)."""
    difference = (generated.matrix - natural.matrix).tocsr()
    # A concept silent on both sides adds σ(0) = ½: only the others need the logistic.
    shifted = sparse.csr_matrix(
        (delta(difference.data, tau) - 0.5, difference.indices, difference.indptr), difference.shape
    )
    return 0.5 + np.asarray(shifted.sum(axis=1)).ravel() / natural.n_concepts


def duplicates(energies: ImageEnergies, same: float = SAME) -> np.ndarray:
    """For every image, how many *other* images have the same energies.

    The same: ‖ξ(a) - ξ(b)‖₂ ≤ `same` · √(‖ξ(a)‖₂ ‖ξ(b)‖₂). A model that answers different captions
    with one stored picture shows here (section 5.4). Images in which nothing fires are no picture.
    """
    matrix = energies.matrix
    squares = np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()
    counts = np.zeros(energies.n_images, np.int32)
    for start in range(0, energies.n_images, 512):  # bounds the product's memory
        block = (matrix[start : start + 512] @ matrix.T).tocoo()
        a, b = squares[start + block.row], squares[block.col]
        close = a + b - 2 * block.data <= same**2 * np.sqrt(a * b)
        counts[start : start + 512] = np.bincount(
            block.row[close], minlength=min(512, energies.n_images - start)
        )
    return np.maximum(counts - (squares > 0), 0).astype(np.int32)
