"""The table of one model: every concept with both δ, how sure they are, and its state."""

from __future__ import annotations

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import (
    delta,
    mcdiarmid_epsilon,
    relative_delta,
    relative_gap,
    states,
)
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.intervals import (
    PairedEnergies,
    gap_interval,
    moments,
    relative_interval,
)
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.significance import benjamini_hochberg, paired_p, unpaired_p

__all__ = ["Columns", "MeasureSettings", "count_states", "measure"]

Columns = dict[str, np.ndarray]


def measure(
    natural: ImageEnergies, generated: ImageEnergies, settings: MeasureSettings, paired: bool
) -> Columns:
    """Measure every concept (METHOD: section 3; paper: Definition 2 and appendix I).

    `natural` (N, n) and `generated` (M, n); where `paired`, row i of both belongs to pair i.
    Returns the numeric and state columns of the bundle's `deltas` table, each of length n.
    """
    _check(natural, generated, paired)
    x, y = natural.matrix, generated.matrix
    pairs = PairedEnergies.of(x, y) if paired else None
    m = moments(x, y, pairs)
    fires_x, fires_y = natural.fires, generated.fires
    support = fires_x + fires_y
    if pairs is None:
        p = unpaired_p(x, y, m)
    else:
        both = np.bincount(pairs.product.indices, minlength=natural.n_concepts)
        support -= both.astype(np.int32)
        p = paired_p(pairs, m)
    q = benjamini_hochberg(p, support >= settings.min_support)

    gap = m.generated - m.natural
    gap_low, gap_high = gap_interval(m, settings.confidence)
    r = relative_gap(m.natural, m.generated)
    r_low, r_high = relative_interval(m, settings.confidence)
    value, low, high = (delta(g, settings.tau) for g in (gap, gap_low, gap_high))
    r_value, r_delta_low, r_delta_high = (relative_delta(g) for g in (r, r_low, r_high))
    absolute = states(value, low, high, q, support, settings)
    relative = states(r_value, r_delta_low, r_delta_high, q, support, settings)
    largest = np.maximum(natural.largest, generated.largest)
    images = min(natural.n_images, generated.n_images)
    return {
        "concept": np.arange(natural.n_concepts, dtype=np.int32),
        "images_natural": fires_x,
        "images_generated": fires_y,
        "support": support,
        "energy_natural": m.natural,
        "energy_generated": m.generated,
        "gap": gap,
        "gap_low": gap_low,
        "gap_high": gap_high,
        "delta": value,
        "delta_low": low,
        "delta_high": high,
        "relative_gap": r,
        "relative_gap_low": r_low,
        "relative_gap_high": r_high,
        "relative_delta": r_value,
        "relative_delta_low": r_delta_low,
        "relative_delta_high": r_delta_high,
        "delta_bound": mcdiarmid_epsilon(largest, images, settings.tau, settings.confidence),
        "p": p,
        "q": q,
        "state": absolute.state,
        "certain": absolute.certain,
        "relative_state": relative.state,
        "relative_certain": relative.certain,
    }


def _check(natural: ImageEnergies, generated: ImageEnergies, paired: bool) -> None:
    if natural.n_concepts != generated.n_concepts:
        raise BlindspotsError(
            f"The natural energies have {natural.n_concepts} concepts, the generated ones "
            f"{generated.n_concepts}: measure both with the same RA-SAE."
        )
    if paired and natural.n_images != generated.n_images:
        raise ValueError("paired energies need one row a pair on both sides")
    if min(natural.n_images, generated.n_images) < 2:
        raise BlindspotsError(
            f"{natural.n_images} natural and {generated.n_images} generated images can be "
            "measured: at least 2 of each are needed, and a few hundred to find blindspots."
        )


def count_states(state: np.ndarray, certain: np.ndarray) -> dict[str, int]:
    """How many concepts are in each state, and how many blindspots are certain."""
    names, counts = np.unique(state.astype(str), return_counts=True)
    counted = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return counted | {"certain": int(certain.sum())}
