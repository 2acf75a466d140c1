"""The two δ and the states of a concept: the one place where they are defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from blindspots_hub import paper
from blindspots_hub.measure.settings import MeasureSettings

STATES = ("dead", "undetermined", "aligned", "leaning", "suppressed", "exaggerated")
"""What a concept can be under one δ; a state's index is its byte in the explorer's map."""


def delta(gap: np.ndarray, tau: float = paper.TAU) -> np.ndarray:
    """δ = σ(gap / τ) (section 3, Definition 2). `gap` is E' - E in energy units."""
    return np.asarray(expit(np.asarray(gap, np.float64) / tau))


def relative_gap(natural: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """r = (E' - E) / (E' + E) in [-1, 1]; 0 where both energies are 0 (section 5.6)."""
    total = generated + natural
    return np.divide(generated - natural, total, out=np.zeros_like(total), where=total > 0)


def relative_delta(gap: np.ndarray) -> np.ndarray:
    """Relative δ = σ(r / 0.4), the authors' second colour."""
    return delta(gap, paper.RELATIVE_TAU)


@dataclass(frozen=True)
class States:
    """State of every concept under one δ, and whether its whole interval agrees."""

    state: np.ndarray  # object (n,): a name of STATES
    certain: np.ndarray  # bool (n,)


def states(
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    q: np.ndarray,
    support: np.ndarray,
    settings: MeasureSettings,
) -> States:
    """Name the state of every concept.

    `dead` fires nowhere; `undetermined` has fewer than `settings.min_support` pairs; of the rest,
    q ≥ `settings.alpha` is `aligned`, and what differs is `suppressed` or `exaggerated` beyond the
    paper's thresholds, `leaning` between them. A blindspot is `certain` when its whole interval
    lies beyond.
    """
    state = np.full(value.shape, "aligned", object)
    differs = q < settings.alpha
    state[differs] = "leaning"
    state[differs & (value < paper.SUPPRESSED_BELOW)] = "suppressed"
    state[differs & (value > paper.EXAGGERATED_ABOVE)] = "exaggerated"
    state[support < settings.min_support] = "undetermined"
    state[support == 0] = "dead"
    certain = ((state == "suppressed") & (high < paper.SUPPRESSED_BELOW)) | (
        (state == "exaggerated") & (low > paper.EXAGGERATED_ABOVE)
    )
    return States(state, certain)


def mcdiarmid_epsilon(
    largest_energy: np.ndarray, pairs: int, tau: float, confidence: float = 0.95
) -> np.ndarray:
    """Theorem 4: ε with P(|δ̂ - δ| ≥ ε) ≤ 1 - confidence for energies in [0, B].

    Solves 2·exp(-16 N τ² ε² / B²) = 1 - confidence; capped at 1, beyond which it says nothing.
    """
    epsilon = largest_energy / (4 * tau) * np.sqrt(np.log(2 / (1 - confidence)) / pairs)
    return np.minimum(epsilon, 1.0)
