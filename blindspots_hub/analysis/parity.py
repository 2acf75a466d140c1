"""The authors' δ, as their code computes it: for comparing with published numbers, not for more.

Energies sum all tokens, τ = 0.8, and there is no interval and no support: a concept counts as
suppressed or exaggerated by its δ alone (METHOD: section 3). What they plot of it is the histogram
of δ with its median and skewness (section 5.1, Fig. 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub import paper
from blindspots_hub.analysis.delta_histogram import Histogram
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import delta, relative_delta, relative_gap
from blindspots_hub.measure.energies import ImageEnergies


@dataclass(frozen=True)
class AuthorsDelta:
    """Row k is concept k; all float64 (n,). `delta` is Definition 2, `relative` σ(r / 0.4)."""

    energy_natural: np.ndarray
    energy_generated: np.ndarray
    delta: np.ndarray
    relative: np.ndarray

    def summary(self) -> dict[str, float]:
        """What their Fig. 6 says of a model: `median`, `skewness`, and how many lie beyond."""
        found = Histogram.of(self.delta)
        return {
            "concepts": len(self.delta),
            "median": found.median,
            "skewness": found.skewness,
            "suppressed": int((self.delta < paper.SUPPRESSED_BELOW).sum()),
            "exaggerated": int((self.delta > paper.EXAGGERATED_ABOVE).sum()),
        }


def authors_delta(natural: ImageEnergies, generated: ImageEnergies) -> AuthorsDelta:
    """The authors' δ of energies (images, n) that sum all tokens; rows need not correspond."""
    e, e_generated = (
        np.asarray(side.matrix.sum(axis=0), np.float64).ravel() / side.n_images
        for side in (natural, generated)
    )
    return AuthorsDelta(
        e, e_generated, delta(e_generated - e), relative_delta(relative_gap(e, e_generated))
    )


def parity(bundle: Bundle, model: str) -> AuthorsDelta:
    """The authors' δ of a model of a bundle; `BlindspotsError` where it was not measured so."""
    tokens = bundle.model(model).measured_with.tokens
    if tokens != "all":
        raise BlindspotsError(
            f"{model} in {bundle.name} was measured on {tokens}, the authors' energies sum all "
            "tokens: measure it anew with --tokens all."
        )
    return authors_delta(*bundle.compared(model))
