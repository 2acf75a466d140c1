"""Two sides brought to what their statistics follow from: clusters, support, moments, p-values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies, columns, concept_blocks
from blindspots_hub.measure.images import clusters
from blindspots_hub.measure.moments import (
    Moments,
    Sample,
    SideMoments,
    paired_moments,
    unpaired_moments,
)
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.significance import paired_p, unpaired_p


@dataclass(frozen=True)
class Comparison:
    """Natural and generated clusters, and per concept what is counted and tested of them.

    `difference` CSC (clusters, n) is generated minus natural, without zeros; cluster i of both
    samples holds the same pairs. None where the sides are unpaired. `images_generated` counts the
    share of a pair's generations in which a concept fires; so does `support`, pairs in which it
    fires on either side; where there are no pairs, images of both sides together. All (n,) float64.
    """

    natural: Sample
    generated: Sample
    difference: scipy.sparse.csc_matrix | None
    images_natural: np.ndarray
    images_generated: np.ndarray
    support: np.ndarray
    largest: np.ndarray
    moments: Moments
    p: np.ndarray

    @classmethod
    def of(
        cls,
        natural: ImageEnergies,
        generated: ImageEnergies,
        paired: bool,
        generation_energies: GenerationEnergies | None = None,
        clusters: Clusters | None = None,
    ) -> Comparison:
        """Of natural (N, n) and generated (M, n) energies; where `paired`, rows correspond.

        `generation_energies` are those that `generated` is the mean of, None where each was drawn
        once. `clusters` are those of all concepts, where these are some of them.
        """
        _check(natural, generated, paired)
        clusters = clusters or Clusters.of(natural, generated, paired)
        fires_x = natural.fires.astype(np.float64)
        firing = generated.firing if generation_energies is None else generation_energies.firing
        fires_y = columns(firing)
        largest = (
            generated if generation_energies is None else generation_energies.energies
        ).largest
        counted = {
            "images_natural": fires_x,
            "images_generated": fires_y,
            "largest": np.maximum(natural.largest, largest),
        }
        x = Sample.of(natural, clusters.natural)
        if not paired:
            y = Sample.of(generated, clusters.generated)
            m = unpaired_moments(SideMoments.of(x), SideMoments.of(y))
            p = unpaired_p(x.fires, y.fires, m)
            return cls(x, y, None, support=fires_x + fires_y, moments=m, p=p, **counted)
        y = Sample.of(generated, clusters.natural, generation_energies)
        difference = (y.sums - x.sums).tocsc()
        difference.eliminate_zeros()
        m = paired_moments(x, y, difference)
        support = paired_support(natural, firing)
        p = paired_p(difference, m)
        return cls(x, y, difference, support=support, moments=m, p=p, **counted)


@dataclass(frozen=True)
class Clusters:
    """The cluster of near-copies that each image is in: (N,) natural, (M,) generated.

    Pairs are gathered by their natural images, and both are the same: copies among these come from
    how pairs were collected. Copies among generations of different captions are what the model
    answers to these captions, and each counts. Where there are no pairs, nobody can tell the two
    apart, and each side is gathered by its own images.
    """

    natural: np.ndarray
    generated: np.ndarray

    @classmethod
    def of(cls, natural: ImageEnergies, generated: ImageEnergies, paired: bool) -> Clusters:
        """By all concepts."""
        own = clusters_of(natural)
        return cls(own, own if paired else clusters_of(generated))

    @property
    def fewest(self) -> int:
        """Clusters of the side that has fewer: what is independent of pairs, of either side."""
        return min(len(np.unique(side)) for side in (self.natural, self.generated))


def comparisons(
    natural: ImageEnergies,
    generated: ImageEnergies,
    paired: bool,
    generation_energies: GenerationEnergies | None = None,
) -> Iterator[Comparison]:
    """`Comparison.of` of all concepts, some at a time in their order, so that memory stays small.

    Everything in it is by concept, and the same to the bit whichever are compared together.
    """
    _check(natural, generated, paired)
    clusters = Clusters.of(natural, generated, paired)
    drawn = generated if generation_energies is None else generation_energies.energies
    for first, last in concept_blocks(natural, drawn):
        yield Comparison.of(
            natural.between(first, last),
            generated.between(first, last),
            paired,
            None if generation_energies is None else generation_energies.between(first, last),
            clusters,
        )


def paired_support(natural: ImageEnergies, firing: scipy.sparse.csr_matrix) -> np.ndarray:
    """Pairs in which each concept fires on either side, float64 (n,).

    `firing` CSR (N, n) is the share of a pair's generations in which it fires.
    """
    both = columns(natural.firing.multiply(firing))
    return np.asarray(natural.fires.astype(np.float64) + columns(firing) - both)


def clusters_of(energies: ImageEnergies) -> np.ndarray:
    """Clusters of near-copies; every image its own where all images are copies of one."""
    found = clusters(energies)
    return found if found.any() else np.arange(energies.n_images)


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
