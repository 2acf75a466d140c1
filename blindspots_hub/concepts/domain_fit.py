"""Making a `Domain`: from tokens of the images that a concept space was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.domain import FEATURES, Domain, Home, features, home_range
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

IMAGES = 512
"""Images that a domain is fitted to at most, evenly over those that there are."""

LEAST = 20
"""Images without which nothing can be said of what a space's images have in common."""

_DIRECTIONS = 64

TokensOf = Callable[[int], NDArray[np.floating]]
"""The tokens (T, d) of an image by its number."""


def fitting_domain(
    sae: RASAE, layout: TokenLayout, count: int, tokens_of: TokensOf, origin: str
) -> Work[Domain]:
    """The domain of `sae` from `count` of its training images, `IMAGES` at most.

    Each image's tokens are asked for once and kept (1 MB an image of the published backbone).
    `origin` says in words which images they are. Raises `BlindspotsError` for fewer than `LEAST`,
    and where all tokens are alike.
    """
    if count < LEAST:
        raise BlindspotsError(
            f"{count} images do not show what a concept space was trained on: give at least {LEAST}"
            ", hundreds for a sure limit."
        )
    chosen = np.unique(np.linspace(0, count - 1, min(count, IMAGES)).astype(int)).tolist()
    patches = []
    for done, image in enumerate(chosen):
        yield Event("look at the space's own images", done, len(chosen))
        patches.append(np.asarray(tokens_of(image)[layout.patches], np.float32))
    mean, directions, variances, beyond = _moments(patches)
    nothing = np.zeros(len(FEATURES))
    blank = Home(len(chosen), 0.0, 0.0, 0.0, origin)
    domain = Domain(mean, directions, variances, beyond, nothing, nothing, nothing, 1.0, blank)
    looks = np.stack([_look(domain, sae, one) for one in patches])
    error, spread, *_, codes, silent = looks.mean(0)
    home = Home(len(chosen), float(1 - error / spread), float(codes), float(silent), origin)
    return Domain(mean, directions, variances, beyond, *home_range(features(looks)), home)


def _look(domain: Domain, sae: RASAE, patches: NDArray[np.float32]) -> NDArray[np.float64]:
    codes = sae.encode(torch.from_numpy(patches))
    return domain.look(patches, sae.decode(codes).cpu().numpy(), codes)


def _moments(
    images: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Mean, directions of most variance, the variances along them, and the sum of all others."""
    count = sum(len(one) for one in images)
    mean = sum(one.sum(0, dtype=np.float64) for one in images) / count
    covariance = np.zeros((len(mean), len(mean)))
    for one in images:
        centred = one - mean
        covariance += centred.T @ centred
    variances, directions = np.linalg.eigh(covariance / count)
    variances, directions = variances[::-1], directions[:, ::-1]
    kept = min(_DIRECTIONS, max(1, len(mean) // 2), int((variances > 1e-9 * variances[0]).sum()))
    if not variances[0] > 0:
        raise BlindspotsError("These images' tokens are all alike: give images that differ.")
    beyond = max(float(variances[kept:].sum()), 1e-9 * float(variances[0]))
    return mean, directions[:, :kept].copy(), variances[:kept].copy(), beyond
