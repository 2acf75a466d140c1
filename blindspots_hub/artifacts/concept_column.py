"""Energies of one concept in all images of a source, without those of the others."""

from __future__ import annotations

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


def concept_column(path: Path, concept: int) -> ConceptColumn:
    """Look through a file of energies for one concept; one that is none: `BlindspotsError`.

    The file is by image, so all its indices are passed over, some at a time: 5 million in ten
    milliseconds, and nothing of them stays in memory.
    """
    try:
        file = TensorFile(path)
        tensors = {name: file.tensors[name] for name in ("indptr", "concepts", "energies")}
    except (NoTensors, KeyError, OSError) as error:
        raise BlindspotsError(
            f"{path} is not a file of concept energies ({error}): fetch the bundle again."
        ) from error
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


def fires_in(path: Path, rows: np.ndarray, n_concepts: int) -> np.ndarray:
    """In how many of the images `rows` each concept fires, int64 (n_concepts,).

    Only those images' part of the file is read; one that is none: `BlindspotsError`.
    """
    try:
        file = TensorFile(path)
        indptr, concepts = file.mapped("indptr"), file.mapped("concepts")
    except (NoTensors, KeyError, OSError) as error:
        raise BlindspotsError(
            f"{path} is not a file of concept energies ({error}): fetch the bundle again."
        ) from error
    found = np.zeros(n_concepts, np.int64)
    for row in np.asarray(rows)[np.asarray(rows) < len(indptr) - 1].tolist():
        found[concepts[int(indptr[row]) : int(indptr[row + 1])]] += 1
    return found
