"""Per-image concept energies ξ: the sparse matrix from which every table is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy import sparse

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic


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
        rows = list(rows)
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(concepts) for concepts, _ in rows], out=indptr[1:])
        empty: list[np.ndarray] = [np.zeros(0)]
        return cls(
            indptr,
            np.concatenate([c for c, _ in rows] or empty).astype(np.int32),
            np.concatenate([e for _, e in rows] or empty).astype(np.float32),
            n_concepts,
        )

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """The same as a float64 scipy CSR matrix (N, n_concepts)."""
        return sparse.csr_matrix(
            (self.energies.astype(np.float64), self.concepts, self.indptr),
            shape=(self.n_images, self.n_concepts),
        )

    @cached_property
    def by_concept(self) -> sparse.csc_matrix:
        """The same as a float32 scipy CSC matrix; the images of a concept ascend."""
        parts = (self.energies, self.concepts, self.indptr)
        return sparse.csr_matrix(parts, shape=(self.n_images, self.n_concepts)).tocsc()

    @property
    def fires(self) -> np.ndarray:
        """In how many images each concept fires, int32 (n_concepts,)."""
        return np.diff(self.by_concept.indptr).astype(np.int32)

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
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        picks = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return ImageEnergies(indptr, self.concepts[picks], self.energies[picks], self.n_concepts)

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
