"""Energies of one concept in all images of a source, without those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

BLOCK = 2**21
"""Numbers that are looked at at once."""


@dataclass(frozen=True)
class ConceptColumn:
    """The images in which a concept fires: `rows` (m,) ascending, their `energies` (m,) > 0.

    `images` is how many there are with those in which it does not fire.
    """

    rows: np.ndarray
    energies: np.ndarray
    images: int


def concept_column(paths: Sequence[Path], concept: int) -> ConceptColumn:
    """Look through the files of a source's energies for one concept.

    The files are by image, so all their indices are passed over, some at a time: 5 million in ten
    milliseconds, and nothing of them stays in memory. One that is none raises `BlindspotsError`.
    """
    parts = [_column(path, concept) for path in paths]
    starts = np.cumsum([0, *(part.images for part in parts)])
    return ConceptColumn(
        np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.energies for part in parts]),
        int(starts[-1]),
    )


def _column(path: Path, concept: int) -> ConceptColumn:
    file = _opened(path)
    tensors = {name: file.tensors[name] for name in ("indptr", "concepts")}
    places = []
    with open(path, "rb") as handle:
        handle.seek(tensors["indptr"].start)
        indptr = np.fromfile(handle, "<i8", tensors["indptr"].size)
        handle.seek(tensors["concepts"].start)
        left, at = tensors["concepts"].size, 0
        while left > 0:
            block = np.fromfile(handle, "<i4", min(BLOCK, left))
            if not len(block):
                break
            places.append(np.flatnonzero(block == concept) + at)
            at, left = at + len(block), left - len(block)
    where = np.concatenate(places) if places else np.zeros(0, np.int64)
    energies = np.array(file.mapped("energies")[where]) if len(where) else np.zeros(0, np.float32)
    rows = np.searchsorted(indptr, where, side="right") - 1
    return ConceptColumn(rows, energies, len(indptr) - 1)


def fires_in(paths: Sequence[Path], rows: np.ndarray, n_concepts: int) -> np.ndarray:
    """In how many of the images `rows` each concept fires, int64 (n_concepts,).

    Only those images' part of the files is read; one that is none: `BlindspotsError`.
    """
    found, start = np.zeros(n_concepts, np.int64), 0
    for path in paths:
        file = _opened(path)
        indptr, concepts = file.mapped("indptr"), file.mapped("concepts")
        own = np.asarray(rows) - start
        for row in own[(own >= 0) & (own < len(indptr) - 1)].tolist():
            found[concepts[int(indptr[row]) : int(indptr[row + 1])]] += 1
        start += len(indptr) - 1
    return found


def _opened(path: Path) -> TensorFile:
    try:
        file = TensorFile(path)
        if lacking := {"indptr", "concepts", "energies"} - set(file.tensors):
            raise NoTensors(f"it lacks {', '.join(sorted(lacking))}")
    except (NoTensors, OSError) as error:
        raise BlindspotsError(
            f"{path} is not a file of concept energies ({error}): fetch the bundle again."
        ) from error
    return file
