"""What follows from energies image by image: top images, distances of pairs, near-copies."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import scipy

from blindspots_hub.measure.delta import delta
from blindspots_hub.measure.energies import ROWS, ImageEnergies, concept_blocks

TOP_IMAGES = 5
"""Images that a concept's card shows a side (the paper's explorer shows five)."""

SAME = 0.003
"""Distance of two images' energies, relative to their size, below which they are one picture."""

TELLING = 3
"""Concepts from which on nearly equal energies tell that two images are copies: two that show
one concept each may well show it almost equally strongly, and nothing else in common."""

MEASURED = 50
"""Values that the energies of a side take at least where they are measured ones."""

_GROUPS = 16
"""Groups of concepts whose norms stand for an image where images are compared."""


def top_images(energies: ImageEnergies, count: int = TOP_IMAGES) -> list[np.ndarray]:
    """Rows of the `count` images with the highest energy of each concept, highest first.

    Ties go to the lower row, so that the result does not depend on how rows were sharded. A concept
    that never fires has no top image.
    """
    top: list[np.ndarray] = []
    for first, last in concept_blocks(energies):
        top += _top_images(energies.between(first, last), count)
    return top


def _top_images(energies: ImageEnergies, count: int) -> list[np.ndarray]:
    by_concept, fires = energies.by_concept, energies.fires
    firing = np.flatnonzero(fires)
    starts = by_concept.indptr[firing]
    top = np.full((energies.n_concepts, count), -1, np.int64)
    left = by_concept.data.copy()
    # The next highest of all concepts at once: five rounds are a tenth of sorting everything.
    for place in range(min(count, fires.max(initial=0))):
        highest = np.maximum.reduceat(left, starts)
        reached = np.flatnonzero(left == np.repeat(highest, fires[firing]))
        first = reached[np.searchsorted(reached, starts)]
        more = highest > 0
        top[firing[more], place] = by_concept.indices[first[more]]
        left[first] = 0  # energies are positive
    return [rows[:n] for rows, n in zip(top, np.minimum(fires, count), strict=True)]


def pair_distances(natural: ImageEnergies, generated: ImageEnergies) -> np.ndarray:
    """‖ξ(x') - ξ(x)‖₂ of every pair, in energy units (section 5.4)."""
    return np.concatenate(
        [
            np.sqrt(np.asarray(difference.multiply(difference).sum(axis=1)).ravel())
            for difference in _differences(natural, generated)
        ]
    )


def pair_mean_delta(natural: ImageEnergies, generated: ImageEnergies, tau: float) -> np.ndarray:
    """Mean over all concepts of σ(difference / τ), a value a pair (section 5.5)."""
    found = []
    for difference in _differences(natural, generated):
        # A concept silent on both sides adds σ(0) = ½: only the others need the logistic.
        shifted = scipy.sparse.csr_matrix(
            (delta(difference.data, tau) - 0.5, difference.indices, difference.indptr),
            difference.shape,
        )
        found.append(0.5 + np.asarray(shifted.sum(axis=1)).ravel() / natural.n_concepts)
    return np.concatenate(found)


def _differences(
    natural: ImageEnergies, generated: ImageEnergies
) -> Iterator[scipy.sparse.csr_matrix]:
    """Generated minus natural energies, some pairs at a time; of no pair one empty matrix."""
    for start in range(0, max(natural.n_images, 1), ROWS):
        x, y = (side.rows(start, start + ROWS) for side in (natural, generated))
        yield (y.matrix - x.matrix).tocsr()


def duplicates(energies: ImageEnergies, same: float = SAME) -> np.ndarray:
    """For every image, how many *other* images have the same energies.

    The same: ‖ξ(a) - ξ(b)‖₂ ≤ `same` · √(‖ξ(a)‖₂ ‖ξ(b)‖₂). A model that answers different captions
    with one stored picture shows here (section 5.4). Images in which nothing fires are no picture.
    """
    first, picture, copies = _distinct(energies)
    energies = energies.take(first)
    counts = np.where(np.diff(energies.indptr) > 0, copies - 1, 0)
    for rows, others in _near_copies(energies, same):
        np.add.at(counts, rows, copies[others])
    return counts[picture].astype(np.int32)


def clusters(energies: ImageEnergies, same: float = SAME) -> np.ndarray:
    """The cluster of near-copies that every image belongs to, (N,) int64, numbered from 0.

    Near-copies have equal energies, or, where `TELLING` concepts or more fire, the same in the
    sense of `duplicates`; a chain of them is one cluster. An image without a copy is a cluster of
    its own, and so is every image in which nothing fires. Energies of fewer than `MEASURED` values
    are indicators or counts, which are equal for no reason: there all images are their own.
    """
    from scipy.sparse.csgraph import connected_components

    own = np.arange(energies.n_images)
    if _few_values(energies.energies):
        return own
    first, picture, _ = _distinct(energies)
    distinct = energies.take(first)
    concepts = np.diff(distinct.indptr)
    cluster = np.arange(len(first))
    for rows, others in _near_copies(distinct, same):
        telling = np.minimum(concepts[rows], concepts[others]) >= TELLING
        joined = cluster[rows[telling]], cluster[others[telling]]
        graph = scipy.sparse.coo_matrix(
            (np.ones(len(joined[0]), bool), joined), shape=2 * [len(first)]
        )
        cluster = connected_components(graph, directed=False)[1][cluster]
    found = cluster[picture]
    blank = np.diff(energies.indptr) == 0
    found[blank] = len(first) + own[blank]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _few_values(values: np.ndarray) -> bool:
    """Whether there are fewer than `MEASURED` unlike ones; the first million mostly tell."""
    seen = np.zeros(0, values.dtype)
    for start in range(0, len(values), 1 << 20):
        seen = np.union1d(seen, values[start : start + (1 << 20)])
        if len(seen) >= MEASURED:
            return False
    return True


def _near_copies(energies: ImageEnergies, same: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and others that are the same without being equal, in blocks, both directions."""
    parts = (some.matrix for some in energies.in_rows(ROWS))
    sums = [np.asarray(part.multiply(part).sum(axis=1)).ravel() for part in parts]
    squares = np.concatenate([np.zeros(0), *sums])
    for rows, others in _may_be_same(energies, np.sqrt(squares), same):
        a, b = squares[rows][:, None], squares[others]
        products = energies.take(rows).matrix @ energies.take(others).matrix.T
        distances = a + b - 2 * products.toarray()
        close = (distances <= same**2 * np.sqrt(a * b)) & (rows[:, None] != others)
        row, other = close.nonzero()
        yield rows[row], others[other]


def _distinct(energies: ImageEnergies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that differ at all (the first of each), which of them a row equals, and their copies.

    A model that draws one picture for all captions is then no more work than one that doesn't.
    """
    keys = [
        blake2b(
            energies.concepts[a:b].tobytes() + energies.energies[a:b].tobytes(), digest_size=20
        ).digest()
        for a, b in pairwise(energies.indptr)
    ]
    seen: dict[bytes, int] = {}
    picture = np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)
    _, first, copies = np.unique(picture, return_index=True, return_counts=True)
    return first, picture, copies


def _may_be_same(
    energies: ImageEnergies, norms: np.ndarray, same: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of rows, each with all the rows that one of them can be the same as.

    The norms of groups of concepts, ‖ξ(a)_g‖, are a point of few dimensions an image, and by the
    triangle inequality points lie no farther apart than the images do: so a tree of points finds
    the candidates, where comparing all images costs their number squared.
    """
    from scipy.spatial import cKDTree

    points = np.concatenate([np.zeros((0, _GROUPS)), *map(_points, energies.in_rows(ROWS))])
    fires = np.flatnonzero(norms > 0)
    fires = fires[np.argsort(norms[fires], kind="stable")]  # a block's candidates overlap
    tree = cKDTree(points[fires])
    # ‖a - b‖ ≤ s √(‖a‖ ‖b‖) means that ‖b‖ ≤ (1 + 2 s) ‖a‖ for any small s.
    radii = norms[fires] * same * np.sqrt(1 + 2 * same) * (1 + 1e-9)
    for start in range(0, len(fires), 512):
        block = slice(start, start + 512)
        near = tree.query_ball_point(points[fires[block]], radii[block])
        alone = np.array([len(found) == 1 for found in near])
        if not alone.all():
            yield fires[block][~alone], fires[np.unique(np.concatenate(near).astype(np.int64))]


def _points(energies: ImageEnergies) -> np.ndarray:
    """The norm of each group of concepts of each image, (images, `_GROUPS`)."""
    image = np.repeat(np.arange(energies.n_images), np.diff(energies.indptr))
    group = image * _GROUPS + energies.concepts % _GROUPS
    weights = energies.energies.astype(np.float64) ** 2
    sums = np.bincount(group, weights, minlength=energies.n_images * _GROUPS)
    return np.asarray(np.sqrt(sums).reshape(energies.n_images, _GROUPS))
