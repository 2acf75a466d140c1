"""Rows of Z'Z counted one by one as machine code: its 32,000 squared entries are never held."""

from __future__ import annotations

import numpy as np

from blindspots_hub.utils.compiled import compiled


@compiled
def _add_row(
    concept: int,
    starts: np.ndarray,
    images: np.ndarray,
    strengths: np.ndarray,
    indptr: np.ndarray,
    concepts: np.ndarray,
    energies: np.ndarray,
    row: np.ndarray,
) -> None:
    """Add to `row` the entries of M = Z'Z right of a concept's diagonal; see `count_entries`."""
    for place in range(starts[concept], starts[concept + 1]):
        image = images[place]
        strength = strengths[place]
        # Concepts ascend within an image: from its end down to the diagonal.
        for at in range(indptr[image + 1] - 1, indptr[image] - 1, -1):
            if concepts[at] <= concept:
                break
            row[concepts[at]] += strength * energies[at]


@compiled
def count_entries(
    first: int,
    last: int,
    rows: np.ndarray,
    starts: np.ndarray,
    images: np.ndarray,
    strengths: np.ndarray,
    indptr: np.ndarray,
    concepts: np.ndarray,
    energies: np.ndarray,
    other_starts: np.ndarray,
    other_images: np.ndarray,
    other_strengths: np.ndarray,
    other_indptr: np.ndarray,
    other_concepts: np.ndarray,
    other_energies: np.ndarray,
    thresholds: np.ndarray,
    levels: np.ndarray,
) -> None:
    """Count the entries right of the diagonal in rows[first:last] of two M = Z'Z.

    The images of concept k are images[starts[k]:starts[k + 1]] with its energies there, strengths;
    the concepts of image i are concepts[indptr[i]:indptr[i + 1]]. Added to levels, of shape
    (rows, T + 1, T + 1), is one for each entry of a row: how many of the T ascending `thresholds`
    it lies above in the one, and in the other.
    """
    n = len(starts) - 1
    one = np.zeros(n, np.float32)
    two = np.zeros(n, np.float32)
    for row in range(first, last):
        concept = rows[row]
        _add_row(concept, starts, images, strengths, indptr, concepts, energies, one)
        _add_row(
            concept,
            other_starts,
            other_images,
            other_strengths,
            other_indptr,
            other_concepts,
            other_energies,
            two,
        )
        for other in range(concept + 1, n):
            a = one[other]
            b = two[other]
            if a > 0 or b > 0:
                above_a = 0
                above_b = 0
                for t in range(len(thresholds)):
                    above_a += a > thresholds[t]
                    above_b += b > thresholds[t]
                levels[row, above_a, above_b] += 1
                one[other] = 0
                two[other] = 0
