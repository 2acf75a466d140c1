"""Small random energies with a known difference, for tests of measuring."""

from __future__ import annotations

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies


def from_dense(dense: np.ndarray) -> ImageEnergies:
    rows = [(np.flatnonzero(row), row[row > 0]) for row in np.asarray(dense)]
    return ImageEnergies.stack(rows, dense.shape[1])


def correlated(
    pairs: int, rates: np.ndarray, shift: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paired dense energies: a concept fires at `rates`, generated ones are scaled by `shift`.

    The two sides share which images fire in two of three cases, as images of one caption do.
    """
    rng = np.random.default_rng(seed)
    n = len(rates)
    shared = rng.random((pairs, n)) < 2 / 3
    own = rng.random((2, pairs, n)) < rates
    fires_x, fires_y = own[0], np.where(shared, own[0], own[1])
    x = fires_x * rng.gamma(2.0, 1.0, (pairs, n))
    y = fires_y * rng.gamma(2.0, 1.0, (pairs, n)) * shift
    return x.astype(np.float32), y.astype(np.float32)
