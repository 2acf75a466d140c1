"""Codes of single tokens, kept of some images: what fires together on one patch needs them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.utils.files import atomic

IMAGES = 500
"""Images of a source whose codes are kept: at the paper's size some 128,000 patches, 6 MB."""

_NAMES = ("row", "fires", "concepts", "values")


@dataclass(frozen=True)
class TokenCodes:
    """Codes of the same number T of tokens of each of some images, image after image.

    `row` int32 (images,) ascending: the row of each image among those of its source; `fires` uint16
    (images · T,): concepts that fire on each token; `concepts` int32 (nnz,) ascending within a
    token, `values` float16 (nnz,), positive.
    """

    row: np.ndarray
    fires: np.ndarray
    concepts: np.ndarray
    values: np.ndarray
    n_concepts: int

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        codes: Callable[[int], SparseCodes],
        n_concepts: int,
        images: int = IMAGES,
    ) -> TokenCodes:
        """Of `images` of `ids` that the same draw takes from every source; `codes` by row."""
        rows = sampled(ids, images)
        kept = [codes(int(row)) for row in rows]
        empty: list[np.ndarray] = [np.zeros(0)]
        return cls(
            rows.astype(np.int32),
            np.concatenate([np.diff(one.indptr) for one in kept] or empty).astype(np.uint16),
            np.concatenate([one.concepts for one in kept] or empty).astype(np.int32),
            np.concatenate([one.values for one in kept] or empty).astype(np.float16),
            n_concepts,
        )

    @classmethod
    def joined(cls, parts: Sequence[tuple[TokenCodes, Mapping[int, int]]]) -> TokenCodes | None:
        """Images of several sources as one; each mapping gives the new row of an image by its old.

        Images that no mapping names are left out. None where there are none left, or where images
        have unlike numbers of tokens.
        """
        places: list[int] = []
        chosen = []
        for codes, to in parts:
            here = np.array([row in to for row in codes.row.tolist()], bool)
            places += [to[row] for row in codes.row[here].tolist()]
            chosen.append(codes.take(np.flatnonzero(here)).matrix)
        tokens = {codes.tokens for codes, _ in parts if len(codes.row)}
        if not places or len(tokens) > 1:
            return None
        order = np.argsort(places)
        (count,) = tokens
        rows = (order[:, None] * count + np.arange(count)).ravel()
        every = scipy.sparse.vstack(chosen, format="csr")[rows]
        return cls(
            np.sort(np.array(places, np.int32)),
            np.diff(every.indptr).astype(np.uint16),
            every.indices.astype(np.int32),
            every.data.astype(np.float16),
            parts[0][0].n_concepts,
        )

    @property
    def tokens(self) -> int:
        """Tokens of every image, T."""
        return len(self.fires) // max(len(self.row), 1)

    def take(self, chosen: np.ndarray) -> ImageEnergies:
        """The codes of `chosen` images (their number among those that are kept), a row a token."""
        every = ImageEnergies(
            self._indptr, self.concepts, self.values.astype(np.float32), self.n_concepts
        )
        return every.take((chosen[:, None] * self.tokens + np.arange(self.tokens)).ravel())

    def of_image(self, row: int, concept: int) -> np.ndarray | None:
        """Codes of `concept` on the tokens of image `row` of its source, float32 (T,).

        None where that image's codes are not among those that are kept.
        """
        place = int(np.searchsorted(self.row, row))
        if place == len(self.row) or self.row[place] != row:
            return None
        ends = self._indptr[place * self.tokens : (place + 1) * self.tokens + 1]
        (here,) = (self.concepts[ends[0] : ends[-1]] == concept).nonzero()
        found = np.zeros(self.tokens, np.float32)
        found[np.searchsorted(ends - ends[0], here, "right") - 1] = self.values[ends[0] + here]
        return found

    @cached_property
    def _indptr(self) -> np.ndarray:
        """Where the codes of each token begin and end: int64 (images · T + 1,)."""
        indptr = np.zeros(len(self.fires) + 1, np.int64)
        np.cumsum(self.fires, out=indptr[1:])
        return indptr

    def save(self, path: Path) -> None:
        """Write as safetensors, atomically; concepts as uint16 where they fit."""
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _NAMES}
        if self.n_concepts <= 1 << 16:
            tensors["concepts"] = self.concepts.astype(np.uint16)
        with atomic(path) as partial:
            save_file(tensors, partial, metadata={"n_concepts": str(self.n_concepts)})

    @classmethod
    def load(cls, path: Path) -> TokenCodes:
        """Read what `save` wrote; anything else raises `BlindspotsError`."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                row, fires, concepts, values = (file.get_tensor(name) for name in _NAMES)
                n_concepts = int((file.metadata() or {})["n_concepts"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BlindspotsError(
                f"{path} is not a file of token codes ({error}): fetch the bundle again."
            ) from error
        loaded = cls(row, fires, concepts.astype(np.int32), values, n_concepts)
        whole = int(fires.astype(np.int64).sum()) == len(concepts) == len(values)
        if not whole or len(fires) != loaded.tokens * len(row):
            raise BlindspotsError(f"{path} is damaged (lengths disagree): fetch the bundle again.")
        return loaded


def sampled(ids: Sequence[str], most: int = IMAGES) -> np.ndarray:
    """Rows of at most `most` of `ids`, ascending: by chance, and of every source the same pairs."""
    order = sorted(range(len(ids)), key=lambda row: _digest(ids[row]))
    return np.sort(np.array(order[:most], np.int64))


def half(image_id: str) -> int:
    """The half, 0 or 1, that an image belongs to, whichever source it is of."""
    return _digest(image_id)[-1] & 1


def _digest(image_id: str) -> bytes:
    return hashlib.sha256(image_id.encode()).digest()
