"""Per-image concept energies ξ: the sparse matrix from which every table is computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import scipy

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

BLOCK = 1 << 22
"""Energies that are worked on at once where a whole matrix would need much more memory."""

ROWS = 4_096
"""Images that are worked on at once."""


@dataclass(frozen=True)
class ImageEnergies:
    """Energies of N images as CSR: row i holds ξ(x_i) = Σ_t z_t (METHOD: section 3).

    `indptr` int64 (N + 1,), `concepts` int32 (nnz,) ascending within a row, `energies` float32
    (nnz,) positive, in energy units.
    """

    indptr: np.ndarray
    concepts: np.ndarray
    energies: np.ndarray
    n_concepts: int

    @property
    def n_images(self) -> int:
        """Number of images, N."""
        return len(self.indptr) - 1

    @classmethod
    def stack(cls, rows: Iterable[tuple[np.ndarray, np.ndarray]], n_concepts: int) -> ImageEnergies:
        """Build from one (concepts, energies) tuple an image."""
        concepts: list[np.ndarray] = [np.zeros(0, np.int32)]
        energies: list[np.ndarray] = [np.zeros(0, np.float32)]
        for own, values in rows:
            concepts.append(np.asarray(own, np.int32))
            energies.append(np.asarray(values, np.float32))
        indptr = np.cumsum([len(one) for one in concepts], dtype=np.int64)
        every = np.concatenate(concepts)
        concepts.clear()  # else all of them are there twice
        return cls(indptr, every, np.concatenate(energies), n_concepts)

    @cached_property
    def matrix(self) -> scipy.sparse.csr_matrix:
        """The same as a float64 scipy CSR matrix (N, n_concepts)."""
        return scipy.sparse.csr_matrix(
            (self.energies.astype(np.float64), self.concepts, self.indptr),
            shape=(self.n_images, self.n_concepts),
        )

    @property
    def firing(self) -> scipy.sparse.csr_matrix:
        """A one wherever a concept fires in an image, float64 CSR (N, n_concepts)."""
        ones = np.ones(len(self.concepts))
        return scipy.sparse.csr_matrix(
            (ones, self.concepts, self.indptr), shape=(self.n_images, self.n_concepts)
        )

    @cached_property
    def by_concept(self) -> scipy.sparse.csc_matrix:
        """The same as a float32 scipy CSC matrix; the images of a concept ascend."""
        parts = (self.energies, self.concepts, self.indptr)
        return scipy.sparse.csr_matrix(parts, shape=(self.n_images, self.n_concepts)).tocsc()

    @cached_property
    def fires(self) -> np.ndarray:
        """In how many images each concept fires, int32 (n_concepts,)."""
        counts = np.zeros(self.n_concepts, np.int64)
        for start in range(0, len(self.concepts), BLOCK):
            counts += np.bincount(self.concepts[start : start + BLOCK], minlength=self.n_concepts)
        return counts.astype(np.int32)

    @property
    def largest(self) -> np.ndarray:
        """Largest energy of each concept, float64 (n_concepts,); 0 where it never fires."""
        by_concept, firing = self.by_concept, np.flatnonzero(self.fires)
        largest = np.zeros(self.n_concepts)
        if len(firing):
            largest[firing] = np.maximum.reduceat(by_concept.data, by_concept.indptr[firing])
        return largest

    def take(self, rows: np.ndarray) -> ImageEnergies:
        """Keep `rows` (indices), in the order given."""
        rows = np.asarray(rows)
        if len(rows) == self.n_images and np.array_equal(rows, np.arange(self.n_images)):
            return self
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        concepts = np.empty(indptr[-1], np.int32)
        energies = np.empty(indptr[-1], np.float32)
        for start in range(0, len(rows), ROWS):
            some = slice(start, start + ROWS)
            first, last = int(indptr[start]), int(indptr[min(start + ROWS, len(rows))])
            shift = self.indptr[rows[some]] - indptr[:-1][some]
            picks = np.repeat(shift, lengths[some]) + np.arange(first, last)
            concepts[first:last], energies[first:last] = self.concepts[picks], self.energies[picks]
        return ImageEnergies(indptr, concepts, energies, self.n_concepts)

    def rows(self, start: int, stop: int) -> ImageEnergies:
        """The images `start` to `stop` (exclusive); views, no copies."""
        first, last = int(self.indptr[start]), int(self.indptr[min(stop, self.n_images)])
        return ImageEnergies(
            self.indptr[start : stop + 1] - first,
            self.concepts[first:last],
            self.energies[first:last],
            self.n_concepts,
        )

    def in_rows(self, size: int) -> Iterator[ImageEnergies]:
        """All images, `size` of them at a time."""
        return (self.rows(start, start + size) for start in range(0, self.n_images, size))

    def between(self, first: int, last: int) -> ImageEnergies:
        """The concepts `first` to `last` (exclusive) of every image, numbered from 0."""
        if (first, last) == (0, self.n_concepts):
            return self
        kept = np.flatnonzero((self.concepts >= first) & (self.concepts < last))
        return ImageEnergies(
            np.searchsorted(kept, self.indptr).astype(np.int64),
            self.concepts[kept] - np.int32(first),
            self.energies[kept],
            last - first,
        )

    def save(self, path: Path, more: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
        """Write as safetensors, atomically; `more` are tensors that go with the energies."""
        from safetensors.numpy import save_file

        tensors = {"indptr": self.indptr, "concepts": self.concepts, "energies": self.energies}
        with atomic(path) as partial:
            save_file({**tensors, **more}, partial, metadata={"n_concepts": str(self.n_concepts)})

    @classmethod
    def load(cls, path: Path) -> ImageEnergies:
        """Read what `save` wrote; anything else raises `BlindspotsError`."""
        return cls.read(path)[0]

    @classmethod
    def read(cls, path: Path) -> tuple[ImageEnergies, dict[str, np.ndarray]]:
        """Like `load`, with the tensors that go with the energies."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            indptr, concepts, energies = (parts.pop(f) for f in ("indptr", "concepts", "energies"))
            loaded = cls(indptr, concepts, energies, int(metadata["n_concepts"]))
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BlindspotsError(
                f"{path} is not a file of concept energies ({error}): fetch the bundle again."
            ) from error
        if fault := loaded.fault():
            raise BlindspotsError(f"{path} is damaged ({fault}): fetch the bundle again.")
        return loaded, parts

    def fault(self) -> str | None:
        """What breaks the format, or None."""
        if self.indptr.ndim != 1 or len(self.indptr) == 0 or self.indptr[0] != 0:
            return "indptr does not start at 0"
        if np.any(np.diff(self.indptr) < 0):
            return "indptr descends"
        if not self.indptr[-1] == len(self.concepts) == len(self.energies):
            return "indptr, concepts and energies disagree in length"
        if len(self.concepts) == 0:
            return None
        if self.concepts.min() < 0 or self.concepts.max() >= self.n_concepts:
            return "a concept index is out of range"
        if not (np.isfinite(self.energies).all() and self.energies.min() > 0):
            return "an energy is not a positive number"
        return None


def columns(matrix: scipy.sparse.spmatrix) -> np.ndarray:
    """Sum of every column, float64 (n,)."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()


def column_squares(matrix: scipy.sparse.spmatrix) -> np.ndarray:
    """Sum of the squares of every column, float64 (n,)."""
    return columns(matrix.power(2))


def concept_blocks(*sides: ImageEnergies) -> list[tuple[int, int]]:
    """Ranges of concepts, from 0 to n without gaps, that each fire some `BLOCK` times in `sides`.

    What is computed concept by concept is the same whichever block a concept is in.
    """
    fires = np.zeros(sides[0].n_concepts, np.int64)
    for side in sides:
        fires += side.fires
    ends = np.cumsum(fires)
    count = max(1, -(-int(ends[-1] if len(ends) else 0) // BLOCK))
    wanted = np.arange(1, count) * (ends[-1] / count) if count > 1 else np.zeros(0)
    edges = np.unique([0, *(np.searchsorted(ends, wanted) + 1).tolist(), len(fires)])
    edges = edges[edges <= len(fires)].tolist()
    return list(itertools.pairwise(edges)) or [(0, len(fires))]


def stacked(parts: Sequence[ImageEnergies]) -> ImageEnergies:
    """The images of all `parts`, one after the other."""
    offsets = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    pointers = [part.indptr[1:] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    return ImageEnergies(
        np.concatenate([[0], *pointers]).astype(np.int64),
        np.concatenate([part.concepts for part in parts]),
        np.concatenate([part.energies for part in parts]),
        parts[0].n_concepts,
    )
