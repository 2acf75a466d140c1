"""The map of all concepts: where each lies, what lies near it, what it fires together with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.utils.cores import on_all_cores

NEIGHBOURS = 8
"""Neighbours and companions that a concept's card links to."""

UMAP_NEIGHBOURS = 15
"""umap-learn's default size of the neighbourhood."""

MIN_TOGETHER = 5
"""Images that two concepts must share before they count as firing together."""


def nearest_atoms(dictionary: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest atoms by cosine: (n, count) indices and cosines, nearest first, self left out.

    A blocked product: 32,000 atoms never need their 4 GB square at once. Ties go to the lower
    index.
    """
    norms = np.linalg.norm(dictionary, axis=1, keepdims=True)
    unit = (dictionary / np.maximum(norms, 1e-12)).astype(np.float32)
    count = min(count, len(unit) - 1)
    index = np.empty((len(unit), count), np.int32)
    cosine = np.empty((len(unit), count), np.float32)
    for start in range(0, len(unit), 1024):
        block = unit[start : start + 1024] @ unit.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf
        near = np.argpartition(-block, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(block, near, axis=1)
        order = np.lexsort((near, -values), axis=1)
        index[start : start + 1024] = np.take_along_axis(near, order, axis=1)
        cosine[start : start + 1024] = np.take_along_axis(values, order, axis=1)
    return index, cosine


def co_occurring(energies: ImageEnergies, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Concepts that fire in the same images: cosine of the sets of images, highest first.

    cos = |A ∩ B| / √(|A|·|B|), over pairs that share at least `MIN_TOGETHER` images; `count` of
    each concept at most, equal ones by the lower concept.
    """
    from blindspots_hub.analysis.loops import fire_together

    by_concept = energies.by_concept
    index = np.full((energies.n_concepts, count), -1, np.int32)
    cosine = np.zeros((energies.n_concepts, count))
    parts = (by_concept.indptr, by_concept.indices, energies.indptr, energies.concepts)
    on_all_cores(
        lambda first, last: fire_together(first, last, *parts, MIN_TOGETHER, index, cosine),
        energies.n_concepts,
    )
    found = (index >= 0).sum(axis=1)
    return (
        [row[:n] for row, n in zip(index, found, strict=True)],
        [row[:n].astype(np.float32) for row, n in zip(cosine, found, strict=True)],
    )


def map_coordinates(dictionary: np.ndarray, seed: int = 0) -> np.ndarray:
    """UMAP of the atoms, float32 (n, 2), by cosine with exact neighbours (section 5.2, Fig. 7).

    Coordinates differ between machines even with a seed: they are shipped, not recomputed.
    """
    import warnings

    import umap

    count = min(UMAP_NEIGHBOURS, len(dictionary) - 1)
    index, cosine = nearest_atoms(dictionary, count - 1)
    own = np.arange(len(dictionary), dtype=np.int32)[:, None]  # umap counts a point itself first
    distances = np.maximum(1 - cosine, 0)
    knn = (np.hstack([own, index]), np.hstack([np.zeros_like(cosine[:, :1]), distances]), None)
    with warnings.catch_warnings():
        # Exact neighbours cannot place new points later, which nothing here asks for.
        warnings.filterwarnings("ignore", message="precomputed_knn")
        layout = umap.UMAP(
            n_neighbors=count,
            metric="cosine",
            init="pca",
            precomputed_knn=knn,
            random_state=seed,
            n_jobs=1,
        ).fit_transform(dictionary)
    return np.asarray(layout, np.float32)


def clusters(coordinates: np.ndarray) -> np.ndarray:
    """HDBSCAN clusters on the map, int32 (n,); -1 is none."""
    from sklearn.cluster import HDBSCAN

    size = max(5, len(coordinates) // 200)
    found = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(coordinates)
    return np.asarray(found, np.int32)


def concept_table(
    dictionary: np.ndarray, natural: ImageEnergies, labels: Sequence[str] | None = None
) -> dict[str, Any]:
    """Columns of the bundle's `concepts` table from the atoms (n, d) and the natural energies."""
    n = len(dictionary)
    xy = map_coordinates(dictionary)
    nearest, nearest_cosine = nearest_atoms(dictionary, NEIGHBOURS)
    often, often_cosine = co_occurring(natural, NEIGHBOURS)
    images = np.bincount(natural.concepts, minlength=n).astype(np.int32)
    return {
        "concept": np.arange(n, dtype=np.int32),
        "x": xy[:, 0],
        "y": xy[:, 1],
        "cluster": clusters(xy),
        "label": list(labels) if labels is not None else [""] * n,
        "images": images,
        "frequency": images / max(natural.n_images, 1),
        "nearest": list(nearest),
        "nearest_cosine": list(nearest_cosine),
        "often_with": often,
        "often_with_cosine": often_cosine,
    }
