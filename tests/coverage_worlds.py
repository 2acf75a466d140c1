"""Energies of many concepts with one known change each: truth for the coverage of intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub.measure.energies import ImageEnergies

LAWS = ("lognormal 0.5", "lognormal 1", "pareto 2.5")
"""How the energy of a firing image is spread: the second and third have heavy tails."""


@dataclass(frozen=True)
class Setting:
    """`pairs` in which a concept fires at `rate` in natural images, changed by a relative gap `r`.

    Firing of both sides is shared in the share `together` of pairs. The change is one of how often
    the concept fires, and (`by_energy`) of how strongly, evenly on the scale of a fold change.
    """

    pairs: int
    rate: float
    r: float
    law: str = LAWS[0]
    together: float = 0.4
    by_energy: bool = False

    def draw(self, rng: np.random.Generator, concepts: int) -> tuple[np.ndarray, np.ndarray]:
        """Natural and generated energies (pairs, concepts), columns independent of each other."""
        shape = (self.pairs, concepts)
        fold = (1 + self.r) / (1 - self.r)
        stronger = np.sqrt(fold) if self.by_energy else 1.0
        natural = rng.random(shape)
        generated = np.where(rng.random(shape) < self.together, natural, rng.random(shape))
        size = self._sizes(rng, shape)
        same = rng.random(shape) < self.together / 2
        other = np.where(same, size, self._sizes(rng, shape))
        x = np.where(natural < self.rate, size, 0)
        y = np.where(generated < self.rate * fold / stronger, other * stronger, 0)
        return x, y

    def _sizes(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        name, spread = self.law.split()
        if name == "pareto":
            return 1 + rng.pareto(float(spread), shape)
        return rng.lognormal(0, float(spread), shape)


def energies(dense: np.ndarray) -> ImageEnergies:
    """As `from_dense`, for large matrices."""
    rows, concepts = dense.nonzero()
    indptr = np.searchsorted(rows, np.arange(len(dense) + 1)).astype(np.int64)
    values = dense[rows, concepts].astype(np.float32)
    return ImageEnergies(indptr, concepts.astype(np.int32), values, dense.shape[1])


def default_grid() -> list[Setting]:
    """45 settings: three sizes and rates, three laws, five changes."""
    sizes = ((300, 0.1), (1000, 0.03), (2000, 0.02))
    found = []
    for number, (pairs, rate) in enumerate(sizes):
        for law in LAWS:
            for turn, r in enumerate((-0.85, -0.5, 0.0, 1 / 3, 0.7)):
                together = (0.0, 0.4, 0.8)[(number + turn) % 3]
                found.append(Setting(pairs, rate, r, law, together, by_energy=turn % 2 == 1))
    return found


def full_grid() -> list[Setting]:
    """Every fifth of 864 settings: rates 0.3 to 30%, 100 to 10,000 pairs, 15 fires or more."""
    every = [
        Setting(pairs, rate, r, law, together, by_energy)
        for pairs in (100, 300, 1000, 3000, 10_000)
        for rate in (0.003, 0.01, 0.03, 0.1, 0.3)
        if 15 <= pairs * rate <= 400
        for r in (-0.85, -0.5, 0.0, 0.4)
        for law in LAWS
        for together in (0.0, 0.4, 0.8)
        for by_energy in (False, True)
    ]
    return every[::5]


def many_concepts(
    rng: np.random.Generator, pairs: int, concepts: int
) -> tuple[ImageEnergies, ImageEnergies, np.ndarray]:
    """Both sides of a model that changed a third of its concepts by a little, and the true r.

    Concepts are as rare as those of a wide RA-SAE: most fire in a hundredth of the images.
    """
    rate = np.clip(rng.lognormal(np.log(0.01), 1.2, concepts), 0.001, 0.4)
    r = np.where(rng.random(concepts) < 2 / 3, 0.0, np.clip(rng.normal(0, 0.25, concepts), -1, 0.4))
    changed = rate * (1 + r) / (1 - r)
    shape = (pairs, concepts)
    natural = rng.random(shape, np.float32)
    generated = np.where(
        rng.random(shape, np.float32) < 0.4, natural, rng.random(shape, np.float32)
    )
    sides = []
    for chance, of_rate in ((natural, rate), (generated, changed)):
        fires = chance < of_rate
        dense = np.zeros(shape, np.float32)
        dense[fires] = rng.lognormal(0, 0.7, int(fires.sum()))
        sides.append(energies(dense))
    return sides[0], sides[1], r
