"""Several generations of one caption: what counts of each, and how much is the sampler's noise.

Energies are means over a caption's generations. What is a property of one image (whether a concept
fires, how much one firing image weighs, how far two images lie apart) comes from single
generations, so that it can be compared with a model that was drawn once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import (
    ROWS,
    ImageEnergies,
    columns,
    concept_blocks,
    stacked,
)
from blindspots_hub.measure.images import pair_distances, pair_mean_delta

PAIR = "pair"
"""Name of the tensor that tells the pair of every generation."""


@dataclass(frozen=True)
class GenerationEnergies:
    """Single generations (D, n); `pair` (D,) is each one's pair, ascending from 0 without gaps."""

    energies: ImageEnergies
    pair: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """Generations a pair, int64 (pairs,)."""
        return np.bincount(self.pair)

    @property
    def several(self) -> bool:
        """Whether any pair was drawn more than once."""
        return bool((self.counts > 1).any())

    @cached_property
    def mean(self) -> ImageEnergies:
        """Mean energies of each pair's generations."""
        return mean_of_generations(self.energies, self.pair)

    @cached_property
    def firing(self) -> scipy.sparse.csr_matrix:
        """Share of a pair's generations in which a concept fires, CSR (pairs, n)."""
        return self._averaged(self.energies.firing)

    @cached_property
    def mean_squares(self) -> np.ndarray:
        """Σ over pairs of the mean over its generations of ξ², (n,)."""
        matrix = self.energies.matrix
        return columns(self._averaged(matrix.multiply(matrix).tocsr()))

    def distances(self, natural: ImageEnergies, tau: float) -> tuple[np.ndarray, np.ndarray]:
        """Distance and mean δ of a pair, each the mean over its generations (`measure.images`)."""
        found: list[list[np.ndarray]] = [[], []]
        for start in range(0, self.energies.n_images, ROWS):
            some = self.energies.rows(start, start + ROWS)
            beside = natural.take(self.pair[start : start + ROWS])
            found[0].append(pair_distances(beside, some))
            found[1].append(pair_mean_delta(beside, some, tau))
        distance, mean_delta = (
            np.bincount(self.pair, np.concatenate(part)) / self.counts for part in found
        )
        return distance, mean_delta

    def between(self, first: int, last: int) -> GenerationEnergies:
        """The concepts `first` to `last` (exclusive), numbered from 0."""
        if (first, last) == (0, self.energies.n_concepts):
            return self
        return GenerationEnergies(self.energies.between(first, last), self.pair)

    def number(self, draw: int) -> tuple[ImageEnergies, np.ndarray]:
        """The generations number `draw` from 0, and the pairs that have one."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        pairs = np.flatnonzero(self.counts > draw)
        return self.energies.take(starts[pairs] + draw), pairs

    def save(self, path: Path) -> None:
        """Write as safetensors: the energies of single generations and the pair of each."""
        self.energies.save(path, {PAIR: self.pair.astype(np.int32)})

    @classmethod
    def load(cls, path: Path, pairs: int) -> GenerationEnergies:
        """Read what `save` wrote of so many pairs; anything else raises `BlindspotsError`."""
        energies, more = ImageEnergies.read(path)
        return cls.checked(energies, more.get(PAIR), pairs, path)

    @classmethod
    def checked(
        cls, energies: ImageEnergies, pair: np.ndarray | None, pairs: int, path: Path
    ) -> GenerationEnergies:
        """What was read from `path`; `BlindspotsError` unless it is of so many pairs."""
        if pair is None or len(pair) != energies.n_images or not _numbers(pair, pairs):
            raise BlindspotsError(
                f"{path} does not hold one generation or more of each of {pairs} pairs: fetch the "
                "bundle again."
            )
        return cls(energies, pair.astype(np.int64))

    def _averaged(self, matrix: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        shares = (1 / self.counts)[self.pair]
        of_pair = scipy.sparse.csr_matrix((shares, (self.pair, np.arange(len(self.pair)))))
        return (of_pair @ matrix).tocsr()


def _numbers(pair: np.ndarray, pairs: int) -> bool:
    """Whether `pair` ascends from 0 to `pairs` - 1 without gaps."""
    if len(pair) == 0 or pair[0] != 0 or pair[-1] != pairs - 1:
        return False
    return bool(np.isin(np.diff(pair), (0, 1)).all())


def mean_of_generations(generation_energies: ImageEnergies, pair: np.ndarray) -> ImageEnergies:
    """Mean energies of each pair's generations: (pairs, n) of `generation_energies` (D, n).

    `pair` (D,) names the pair of every generation, ascending from 0 without gaps. Where every pair
    has one generation these are its energies, to the bit.
    """
    counts = np.bincount(pair)
    if (counts == 1).all():
        return generation_energies
    ends = np.cumsum(counts)
    parts = []
    for start in range(0, len(counts), ROWS):
        first, last = (0 if start == 0 else ends[start - 1]), ends[start : start + ROWS][-1]
        some, own = generation_energies.rows(first, last), pair[first:last] - start
        mean = _total(some, own).multiply(1 / counts[start : start + ROWS, None]).tocsr()
        parts.append(
            ImageEnergies(
                mean.indptr.astype(np.int64),
                mean.indices.astype(np.int32),
                mean.data.astype(np.float32),
                generation_energies.n_concepts,
            )
        )
    return stacked(parts)


def sampler_share(
    natural: ImageEnergies, generation_energies: ImageEnergies, pair: np.ndarray
) -> np.ndarray | None:
    """Share of the variance of the paired difference that is the sampler's noise, (n,) in [0, 1].

    The difference of pair i is d_i = (mean of ξ_k over its S_i generations) - ξ_k(x_i), and what
    its interval is made of is V, the variance of d_i over pairs. Generations of one caption differ
    by the sampler's noise alone; their variance w, pooled over captions, adds w · mean(1 / S_i) to
    V. The share is this part of V: one minus the reliability of a mean of S generations, ICC(1, S).
    Near 1, the interval is as wide as it is because of the dice, and generating each caption more
    often makes it narrower; near 0, the captions themselves differ, and only more pairs do.

    NaN where V is 0. None where no caption has two generations, from which alone noise can be told.
    """
    counts = np.bincount(pair)
    spare = len(pair) - len(counts)
    if spare == 0:
        return None
    return np.concatenate(
        [
            _share(
                natural.between(first, last), generation_energies.between(first, last), pair, counts
            )
            for first, last in concept_blocks(natural, generation_energies)
        ]
    )


def _share(
    natural: ImageEnergies, generation_energies: ImageEnergies, pair: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    spare = len(pair) - len(counts)
    total = _total(generation_energies, pair)
    squares = columns(generation_energies.matrix.multiply(generation_energies.matrix))
    of_means = columns(total.multiply(total).multiply(1 / counts[:, None]))
    within = np.maximum(squares - of_means, 0) / spare
    difference = (total.multiply(1 / counts[:, None]) - natural.matrix).tocsr()
    mean = columns(difference) / len(counts)
    scatter = columns(difference.multiply(difference)) - len(counts) * mean**2
    variance = np.maximum(scatter, 0) / (len(counts) - 1)
    noise = within * (1 / counts).mean()
    unknown = np.full(len(mean), np.nan)
    return np.minimum(np.divide(noise, variance, out=unknown, where=variance > 0), 1.0)


def _total(generation_energies: ImageEnergies, pair: np.ndarray) -> scipy.sparse.csr_matrix:
    """Energies summed over each pair's generations, (pairs, n)."""
    ones = np.ones(len(pair))
    of_pair = scipy.sparse.csr_matrix((ones, (pair, np.arange(len(pair)))))
    total = (of_pair @ generation_energies.matrix).tocsr()
    total.sort_indices()
    return total
