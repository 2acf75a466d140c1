"""The two δ and the states of a concept: the one place where they are defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub import paper
from blindspots_hub.measure.settings import MeasureSettings

STATES = (
    "dead",
    "undetermined",
    "aligned",
    "leaning",
    "weakened",
    "strengthened",
    "suppressed",
    "exaggerated",
)
"""What a concept can be under one δ; a state's index is its byte in the explorer's map."""

BLINDSPOTS = ("suppressed", "exaggerated")
"""States that are blindspots; also the names of the two sides of a ranking."""

SIZED = ("weakened", "strengthened")
"""States of changes that are surely two-fold, within the thresholds."""

TWO_FOLD = 1 / 3
"""|r| of a change by a factor of two: half or double the energy."""

LEAST_ABSOLUTE = 0.2
"""|r| that a blindspot by absolute δ surely reaches, half as much again: a common concept crosses
δ's thresholds by a change of a tenth."""


def delta(gap: np.ndarray, tau: float = paper.TAU) -> np.ndarray:
    """δ = σ(gap / τ) (section 3, Definition 2). `gap` is E' - E in energy units."""
    return np.asarray(scipy.special.expit(np.asarray(gap, np.float64) / tau))


def relative_gap(natural: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """r = (E' - E) / (E' + E) in [-1, 1]; 0 where both energies are 0 (section 5.6)."""
    total = generated + natural
    return np.divide(generated - natural, total, out=np.zeros_like(total), where=total > 0)


def relative_delta(gap: np.ndarray) -> np.ndarray:
    """Relative δ = σ(r / 0.4), the authors' second colour."""
    return delta(gap, paper.RELATIVE_TAU)


def fold(gap: np.ndarray) -> np.ndarray:
    """Fold change ρ = E'/E = (1 + r)/(1 - r) of a relative gap r; ∞ at r = 1."""
    r = np.asarray(gap, np.float64)
    return np.divide(1 + r, 1 - r, out=np.full_like(r, np.inf), where=r != 1)


Ends = tuple[np.ndarray, np.ndarray]
"""Lower and upper ends of an interval, one entry a concept."""


def judged(support: np.ndarray, settings: MeasureSettings) -> np.ndarray:
    """Concepts with enough support to be judged: neither dead nor undetermined; bool (n,)."""
    return np.asarray((support > 0) & (support >= settings.min_support))


def differs(q: np.ndarray, gap: Ends, alpha: float) -> np.ndarray:
    """Concepts that are flagged: q < α, and the interval of the gap lies off 0; bool like `q`.

    The test is of exchangeability and may reject equal means too, so that q alone flags nothing
    (METHOD §3, "p-value"). `gap` is the pointwise interval. False where either is NaN.
    """
    low, high = gap
    return np.asarray((q < alpha) & ((low > 0) | (high < 0)))


@dataclass(frozen=True)
class States:
    """State of every concept under one δ, and whether its whole interval agrees."""

    state: np.ndarray  # object (n,): a name of STATES
    certain: np.ndarray  # bool (n,)


def states(
    value: np.ndarray,
    selected: Ends,
    relative: Ends,
    differs: np.ndarray,
    support: np.ndarray,
    settings: MeasureSettings,
    least: float = 0.0,
) -> States:
    """Name the state of every concept under one δ (METHOD §3, "States").

    `value` is δ, `selected` the ends of its selection interval, `relative` those of r; `differs`
    are the concepts flagged. A blindspot's r also lies beyond ±`least` for sure. `dead` fires
    nowhere, `undetermined` has fewer than `settings.min_support` pairs; of the rest, what does not
    differ is `aligned`, and what does is the last that holds of `leaning` (no sure size),
    `weakened` or `strengthened` (two-fold for sure), `suppressed` or `exaggerated` (δ beyond the
    paper's threshold), each of these two `certain` where its whole selection interval lies beyond.
    """
    (low, high), (r_low, r_high) = selected, relative
    state = np.full(value.shape, "aligned", object)
    state[differs] = "leaning"
    state[differs & (r_high < -TWO_FOLD)] = "weakened"
    state[differs & (r_low > TWO_FOLD)] = "strengthened"
    less, more = (r_high < -least, r_low > least) if least else (True, True)
    state[differs & less & (value < paper.SUPPRESSED_BELOW)] = "suppressed"
    state[differs & more & (value > paper.EXAGGERATED_ABOVE)] = "exaggerated"
    state[~judged(support, settings)] = "undetermined"
    state[support == 0] = "dead"
    certain = ((state == "suppressed") & (high < paper.SUPPRESSED_BELOW)) | (
        (state == "exaggerated") & (low > paper.EXAGGERATED_ABOVE)
    )
    return States(state, certain)


def mcdiarmid_epsilon(
    largest_energy: np.ndarray, independent: int, tau: float, confidence: float = 0.95
) -> np.ndarray:
    """Theorem 4: ε with P(|δ̂ - δ| ≥ ε) ≤ 1 - confidence for energies in [0, B].

    Solves 2·exp(-16 N τ² ε² / B²) = 1 - confidence; capped at 1, beyond which it says nothing, and
    NaN where B is 0, of which nothing is known. `independent` is N: pairs, near-copies counted
    once. A guarantee only where B bounds every energy that there could be. The largest one seen
    (n,) is no such bound, and what it gives has the paper's form and guarantees nothing. There is a
    bound: a code is at most |w_k| √(n - 1) + |b_k| by the encoder's LayerNorm over n concepts, an
    energy T times that. But of 32,000 concepts and 256 patches that is 45,000 |w_k|, by which ε is
    1 at any number of pairs.
    """
    epsilon = largest_energy / (4 * tau) * np.sqrt(np.log(2 / (1 - confidence)) / independent)
    return np.where(largest_energy > 0, np.minimum(epsilon, 1.0), np.nan)
