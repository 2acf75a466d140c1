"""Centroids of tokens: the fixed points that an archetypal dictionary mixes its atoms from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work


def token_centroids(
    tokens: NDArray[np.floating], n_centroids: int, steps: int, batch: int, seed: int
) -> Work[NDArray[np.float32]]:
    """`n_centroids` mini-batch k-means centroids (n', d) float32 of `tokens` (M, d).

    Every centroid is a running mean of tokens, so it lies in their convex hull. The same for the
    same seed. Raises `BlindspotsError` for fewer tokens than centroids.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(tokens) < n_centroids:
        raise BlindspotsError(
            f"{n_centroids} centroids cannot be made of {len(tokens)} tokens: give more images, or "
            "ask for fewer centroids."
        )
    rng = np.random.default_rng(seed)
    start = np.sort(rng.choice(len(tokens), n_centroids, replace=False))
    kmeans = MiniBatchKMeans(
        n_centroids, init=np.asarray(tokens[start], np.float32), n_init=1, random_state=seed
    )
    for step in range(steps):
        chosen = np.sort(rng.choice(len(tokens), min(batch, len(tokens)), replace=False))
        kmeans.partial_fit(np.asarray(tokens[chosen], np.float32))
        yield Event("find centroids", step + 1, steps)
    return np.asarray(kmeans.cluster_centers_, np.float32)
