"""Which concept stands for which factor of the planted world, from energies and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.planted.factors import FACTORS

STANDS_FOR = 0.9
"""AUROC from which on a concept's energy is said to stand for a factor."""


OWN = 0.75
"""Share of a concept's energy that has to lie on images with the factor. AUROC does not see how
much a concept fires elsewhere, and energy elsewhere pulls a gap towards 0: such a concept stands
for more than the factor."""


@dataclass(frozen=True)
class ConceptMatch:
    """The concept that stands for a factor, and how well its energy predicts the factor."""

    concept: int
    auroc: float
    own: float
    """Share of the concept's energy on images that have the factor."""

    @property
    def alone(self) -> bool:
        """Whether the concept stands for this factor and hardly for anything else."""
        return self.own >= OWN


def aurocs(energies: ImageEnergies, factors: np.ndarray) -> np.ndarray:
    """AUROC of every concept's energy for every factor: (n_concepts, F); 0.5 where undefined.

    `factors` (N, F) 0 and 1, row by row the truth of the images of `energies`. Ties count half.
    """
    dense = energies.matrix.toarray()
    ranks = rankdata(dense, axis=0)
    positives = factors.sum(axis=0).astype(np.float64)
    negatives = len(factors) - positives
    wins = ranks.T @ factors - positives * (positives + 1) / 2
    possible = positives * negatives
    return np.divide(wins, possible, out=np.full_like(wins, 0.5), where=possible > 0)


def correlations(energies: ImageEnergies, factors: np.ndarray) -> np.ndarray:
    """Pearson correlation of every concept's energy with every factor: (n_concepts, F)."""
    dense = energies.matrix.toarray()
    x = dense - dense.mean(axis=0)
    y = factors - factors.mean(axis=0)
    scale = np.outer(np.linalg.norm(x, axis=0), np.linalg.norm(y, axis=0))
    products = x.T @ y
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)


def standing(energies: ImageEnergies, factors: np.ndarray) -> dict[str, ConceptMatch]:
    """The concept standing for each factor, for factors that have one.

    Of the concepts with AUROC ≥ 0.9, the one whose energy correlates best with the factor.
    """
    auroc, correlation = aurocs(energies, factors), correlations(energies, factors)
    dense = energies.matrix.toarray()
    found = {}
    for index, name in enumerate(FACTORS):
        candidates = np.flatnonzero(auroc[:, index] >= STANDS_FOR)
        if len(candidates):
            best = int(candidates[np.argmax(correlation[candidates, index])])
            own = dense[factors[:, index] > 0, best].sum() / dense[:, best].sum()
            found[name] = ConceptMatch(best, float(auroc[best, index]), float(own))
    return found


def labels(energies: ImageEnergies, factors: np.ndarray) -> list[str]:
    """A name for every concept: the factor it predicts best, "" where none with AUROC ≥ 0.9."""
    auroc, correlation = aurocs(energies, factors), correlations(energies, factors)
    eligible = np.where(auroc >= STANDS_FOR, correlation, -np.inf)
    best = eligible.argmax(axis=1)
    named = np.isfinite(eligible.max(axis=1))
    return [plain(FACTORS[index]) if ok else "" for index, ok in zip(best, named, strict=True)]


def plain(factor: str) -> str:
    """A factor's name for people: "wood background", "purple", "four of a kind", "pan"."""
    field, _, value = factor.partition("=")
    numbers = {"1": "a single thing", "2": "two of a kind", "3": "three of a kind"}
    numbers |= {"4": "four of a kind", "5": "five of a kind"}
    if field == "count":
        return numbers[value]
    return {"background": f"{value} background", "fur": f"{value} fur"}.get(field, value or field)
