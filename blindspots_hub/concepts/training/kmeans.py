"""Centroids of tokens: the fixed points that an archetypal dictionary mixes its atoms from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.training.batches import BatchOrder, Tokens
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work


def token_centroids(
    tokens: Tokens, n_centroids: int, steps: int, batch: int, seed: int, device: str = "cpu"
) -> Work[NDArray[np.float32]]:
    """`n_centroids` mini-batch k-means centroids (n', d) float32 of `tokens` (M, d).

    A centroid starts as a token and is the mean of it and of all tokens that came to it since, so
    it lies in their convex hull. The same for the same seed. Raises `BlindspotsError` for fewer
    tokens than centroids.
    """
    if len(tokens) < n_centroids:
        raise BlindspotsError(
            f"{n_centroids} centroids cannot be made of {len(tokens)} tokens: give more images, or "
            "ask for fewer centroids."
        )

    def read(order: BatchOrder, step: int) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(tokens[order.rows(step)])).to(device).float()

    # Two orders of their own: the tokens of training's first steps are not used up here.
    seeds = np.random.SeedSequence(seed).generate_state(2)
    centroids = read(BatchOrder(len(tokens), n_centroids, int(seeds[0])), 0)
    order = BatchOrder(len(tokens), min(batch, len(tokens)), int(seeds[1]))
    counts = torch.ones(n_centroids, 1, device=device)
    for step in range(steps):
        x = read(order, step)
        halves = centroids.square().sum(1) / 2
        nearest = torch.addmm(halves, x, centroids.T, alpha=-1).argmin(1)
        arrived = torch.bincount(nearest, minlength=n_centroids)[:, None].to(counts)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, x)
        counts += arrived
        centroids += (sums - arrived * centroids) / counts
        yield Event("find centroids", step + 1, steps)
    found: NDArray[np.float32] = centroids.cpu().numpy()
    return found
