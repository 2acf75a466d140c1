"""Concepts taken together: energies added image by image, and what is measured of the sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.analysis.deltas import CHANGED_STATES
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.table import measure


def merged(energies: ImageEnergies, group: np.ndarray) -> ImageEnergies:
    """Energies (N, groups) of concepts (n,) added by their `group`, numbered from 0; -1 is none."""
    n_groups = int(group.max(initial=-1)) + 1
    kept = np.flatnonzero(group >= 0)
    shape = (energies.n_concepts, n_groups)
    member = scipy.sparse.csr_matrix((np.ones(len(kept)), (kept, group[kept])), shape=shape)
    sums = (energies.matrix @ member).tocsr()
    sums.sort_indices()
    return ImageEnergies(
        sums.indptr.astype(np.int64),
        sums.indices.astype(np.int32),
        sums.data.astype(np.float32),
        n_groups,
    )


def merged_sides(
    bundle: Bundle, model: str, group: np.ndarray
) -> tuple[ImageEnergies, ImageEnergies, GenerationEnergies | None]:
    """What the model's table is measured from, with concepts added by their `group`.

    Natural and generated energies, and those of single generations where there are several.
    """
    natural, generated = (merged(side, group) for side in bundle.compared(model))
    single = bundle.generation_energies(model)
    if single is not None:
        single = GenerationEnergies(merged(single.energies, group), single.pair)
    return natural, generated, single


@dataclass(frozen=True)
class Blind:
    """Of one grouping: what is judged, and surely changed two-fold or more, by relative δ."""

    judged: int
    changed: int
    state: np.ndarray

    @classmethod
    def of(cls, state: np.ndarray) -> Blind:
        """From states (groups,)."""
        judged = ~np.isin(state, ("dead", "undetermined"))
        return cls(int(judged.sum()), int(np.isin(state, CHANGED_STATES).sum()), state)


def blind(bundle: Bundle, model: str, group: np.ndarray | None = None) -> Blind:
    """What is blind in a model where concepts are taken by `group` (n,), or singly."""
    if group is None:
        return Blind.of(bundle.deltas(model)["relative_state"].to_numpy(zero_copy_only=False))
    entry = bundle.model(model)
    natural, generated, single = merged_sides(bundle, model, group)
    table = measure(natural, generated, entry.measured_with, entry.paired, single)
    return Blind.of(table["relative_state"].astype(str))


def live_atoms(bundle: Bundle) -> np.ndarray:
    """Concepts that fire in a natural image, ascending."""
    return np.flatnonzero(bundle.concepts["images"].to_numpy() > 0)


def nearest_pairs(bundle: Bundle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(concept, its near one, cosine of their atoms) of the nearest that the bundle keeps."""
    nearest = bundle.concepts["nearest"].combine_chunks()
    rows = np.repeat(np.arange(bundle.n_concepts), np.diff(nearest.offsets.to_numpy()))
    cosine = bundle.concepts["nearest_cosine"].combine_chunks().flatten().to_numpy()
    return rows, nearest.flatten().to_numpy(), cosine
