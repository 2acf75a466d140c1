"""The map of all concepts: where each lies, what lies near it, what it fires together with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.utils.cores import on_all_cores

NEIGHBOURS = 8
"""Neighbours and companions that a concept's card links to."""

UMAP_NEIGHBOURS = 15
"""umap-learn's default size of the neighbourhood."""

PROJECTED = 256
"""Numbers that a concept's company is projected to before it is laid out."""

MOST_SMOOTHED = 160
"""Neighbours that tell a point's density where clusters are sought. As many distances are kept of
every point: beyond 32,000 concepts a share of all would be their square."""

MIN_TOGETHER = 5
"""Images that two concepts must share before they count as firing together."""


TILE = 2_048
"""Atoms on either side of a tile of cosines: 16 MB of these at once, however many there are."""


def nearest_atoms(dictionary: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest atoms by cosine: (n, count) indices and cosines, nearest first, self left out.

    Tile by tile of the upper half of the square, each cosine once for both of its atoms: memory
    grows with n · count, time with half of n² products. Ties go to the lower index.
    """
    from blindspots_hub.analysis.loops import keep_nearest, keep_nearest_of_columns

    norms = np.linalg.norm(dictionary, axis=1, keepdims=True)
    unit = (dictionary / np.maximum(norms, 1e-12)).astype(np.float32)
    n = len(unit)
    count = max(0, min(count, n - 1))
    index = np.full((n, count), n, np.int32)
    cosine = np.full((n, count), -np.inf, np.float32)
    if not count:
        return index, cosine
    for top in range(0, n, TILE):
        for left in range(top, n, TILE):
            tile = unit[top : top + TILE] @ unit[left : left + TILE].T
            if left == top:
                np.fill_diagonal(tile, -np.inf)
            _keep(keep_nearest, tile, left, index[top : top + TILE], cosine[top : top + TILE])
            if left > top:
                kept = index[left : left + TILE], cosine[left : left + TILE]
                _keep(keep_nearest_of_columns, tile, top, *kept)
    return index, cosine


def _keep(
    loop: Callable[..., None], tile: np.ndarray, others: int, index: np.ndarray, cosine: np.ndarray
) -> None:
    """Let some atoms keep what is nearest in a tile of cosines with the atoms from `others` on."""
    on_all_cores(lambda first, last: loop(first, last, tile, others, index, cosine), len(index))


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


def codes_by_company(energies: ImageEnergies, concepts: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows of ZᵀZ, randomly projected: float32 (m, `PROJECTED`) of the m `concepts` that fire.

    Z (images, concepts) are the energies, each concept's scaled to length 1, so that an entry of
    ZᵀZ is the cosine of two concepts' energies over the images. A Gaussian projection keeps the
    rows' angles (Johnson and Lindenstrauss), and ZᵀZ itself is never made.
    """
    from scipy import sparse

    matrix = energies.matrix[:, concepts]
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    scaled = (matrix @ sparse.diags(1 / lengths)).tocsr()
    width = min(PROJECTED, len(concepts))
    random = np.random.default_rng(seed).normal(size=(len(concepts), width)) / np.sqrt(width)
    return np.asarray(scaled.T @ (scaled @ random), np.float32)


def map_coordinates(
    points: np.ndarray, index: np.ndarray, cosine: np.ndarray, seed: int = 0
) -> np.ndarray:
    """UMAP of `points` (n, width), float32 (n, 2), by cosine (section 5.2, Fig. 7).

    index, cosine (n, at least 14 or n - 1): each point's exact neighbours, nearest first.
    Coordinates differ between machines even with a seed: they are shipped, not recomputed.
    """
    import warnings

    import umap

    count = min(UMAP_NEIGHBOURS, len(points) - 1)
    if count < 3:  # umap-learn cannot lay out so few
        return np.column_stack([np.arange(len(points)), np.zeros(len(points))]).astype(np.float32)
    index, cosine = index[:, : count - 1], cosine[:, : count - 1]
    own = np.arange(len(points), dtype=np.int32)[:, None]  # umap counts a point itself first
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
        ).fit_transform(points)
    return np.asarray(layout, np.float32)


def codes_map(energies: ImageEnergies, concepts: np.ndarray) -> np.ndarray:
    """UMAP of the codes of `concepts` that fire, float32 (m, 2): the paper's map (section 5.2)."""
    company = codes_by_company(energies, concepts)
    return map_coordinates(company, *nearest_atoms(company, UMAP_NEIGHBOURS - 1))


def clusters(coordinates: np.ndarray) -> np.ndarray:
    """HDBSCAN clusters on the map, int32 (n,); -1 is none."""
    from sklearn.cluster import HDBSCAN

    size = max(5, len(coordinates) // 200)
    if len(coordinates) < size:
        return np.full(len(coordinates), -1, np.int32)
    smoothed = min(size, MOST_SMOOTHED)
    found = HDBSCAN(size, smoothed, copy=True).fit_predict(coordinates)
    return np.asarray(found, np.int32)


def concept_table(dictionary: np.ndarray, natural: ImageEnergies) -> dict[str, Any]:
    """Columns of the bundle's `concepts` table from the atoms (n, d) and the natural energies.

    Only concepts that fire in a natural image are laid out and are neighbours: atoms that nothing
    ever fires lie wherever training left them, and would be most of a live one's neighbours.
    """
    n = len(dictionary)
    images = np.bincount(natural.concepts, minlength=n).astype(np.int32)
    live = np.flatnonzero(images)
    atoms = dictionary[live]
    index, cosine = nearest_atoms(atoms, max(NEIGHBOURS, UMAP_NEIGHBOURS - 1))
    by_atoms = map_coordinates(atoms, index, cosine)
    by_codes = codes_map(natural, live)
    cluster = np.full(n, -1, np.int32)
    cluster[live] = clusters(by_atoms)
    often, often_cosine = co_occurring(natural, NEIGHBOURS)
    return {
        "concept": np.arange(n, dtype=np.int32),
        **_placed(by_atoms, live, n, ("x", "y")),
        **_placed(by_codes, live, n, ("x_codes", "y_codes")),
        "cluster": cluster,
        "images": images,
        "frequency": images / max(natural.n_images, 1),
        "nearest": _of_live(live[index[:, :NEIGHBOURS]].astype(np.int32), live, n),
        "nearest_cosine": _of_live(cosine[:, :NEIGHBOURS], live, n),
        "often_with": often,
        "often_with_cosine": often_cosine,
    }


def _placed(
    layout: np.ndarray, live: np.ndarray, n: int, names: tuple[str, str]
) -> dict[str, pa.Array]:
    """The two coordinates of each of n concepts; null where it is not laid out."""
    places = np.full((n, 2), np.nan, np.float32)
    places[live] = layout
    return {
        name: pa.array(column, pa.float32(), from_pandas=True)
        for name, column in zip(names, places.T, strict=True)
    }


def _of_live(rows: np.ndarray, live: np.ndarray, n: int) -> list[np.ndarray]:
    """A list for each of n concepts: its row, or none where it never fires."""
    lists = [rows[0, :0] if len(rows) else rows.ravel()] * n
    for concept, row in zip(live.tolist(), rows, strict=True):
        lists[concept] = row
    return lists
