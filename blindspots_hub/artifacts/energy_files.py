"""Energies of a source, an image or a generation a row, on disk: one file, or shards of many."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.layout import (
    energies_path,
    generation_energies_path,
    shard_folder,
    shard_name,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.sampler import PAIR, GenerationEnergies
from blindspots_hub.utils.files import partial_beside

SHARD_BYTES = 500 * 1024**2
"""Bytes of a file of energies; a source with more has shards, cut between two images."""


def write_energies(root: Path, source: str, energies: ImageEnergies) -> list[Path]:
    """Write the energies of a source; they stand there whole or not at all. Returns their files."""
    return _write(energies_path(root, source), energies, {})


def write_generation_energies(root: Path, model: str, found: GenerationEnergies) -> list[Path]:
    """Write the energies of a model's single generations, likewise."""
    more = {PAIR: found.pair.astype(np.int32)}
    return _write(generation_energies_path(root, model), found.energies, more)


def _write(path: Path, energies: ImageEnergies, more: Mapping[str, np.ndarray]) -> list[Path]:
    """One file, or shards of images; `more` are tensors with a row an image."""
    folder = shard_folder(path)
    spans = list(_spans(energies))
    if len(spans) == 1:
        energies.save(path, more)
        shutil.rmtree(folder, ignore_errors=True)
        return [path]
    work = partial_beside(folder)
    names = [shard_name(number, len(spans), path.suffix) for number in range(len(spans))]
    try:
        for name, (start, stop) in zip(names, spans, strict=True):
            own = {key: np.ascontiguousarray(tensor[start:stop]) for key, tensor in more.items()}
            energies.rows(start, stop).save(work / name, own)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    path.unlink(missing_ok=True)
    return [folder / name for name in names]


def _spans(energies: ImageEnergies) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) image of every shard."""
    a_fire = energies.concepts.itemsize + energies.energies.itemsize
    most, start = max(SHARD_BYTES // a_fire, 1), 0
    while True:
        reach = np.searchsorted(energies.indptr, energies.indptr[start] + most, "right") - 1
        stop = min(max(int(reach), start + 1), energies.n_images)
        yield start, stop
        start = stop
        if start >= energies.n_images:
            return


def read_energies(paths: Sequence[Path]) -> ImageEnergies:
    """The energies in one file or in all of its shards; anything else raises `BlindspotsError`.

    Of shards one at a time is in memory beside the whole.
    """
    return _read(paths)[0]


def read_generation_energies(paths: Sequence[Path], pairs: int) -> GenerationEnergies:
    """Energies of single generations of so many pairs, likewise."""
    if len(paths) == 1:
        return GenerationEnergies.load(paths[0], pairs)
    energies, pair = _read(paths)
    return GenerationEnergies.checked(energies, pair, pairs, paths[0].parent)


def _read(paths: Sequence[Path]) -> tuple[ImageEnergies, np.ndarray | None]:
    """The energies, and which pair each image belongs to where all files tell it."""
    if len(paths) == 1:
        whole, more = ImageEnergies.read(paths[0])
        return whole, more.get(PAIR)
    if not paths:
        raise BlindspotsError("The bundle keeps no per-image energies of that source.")
    from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

    try:
        sizes = [TensorFile(path).tensors for path in paths]
        images = [one["indptr"].size - 1 for one in sizes]
        fires = [one["concepts"].size for one in sizes]
    except (NoTensors, KeyError, OSError) as error:
        raise BlindspotsError(
            f"{paths[0].parent} holds no energies ({error}): fetch the bundle again."
        ) from error
    indptr = np.zeros(sum(images) + 1, np.int64)
    concepts, energies = np.empty(sum(fires), np.int32), np.empty(sum(fires), np.float32)
    pairs: list[np.ndarray] = []
    row, at, n_concepts = 0, 0, 0
    for path, count, size in zip(paths, images, fires, strict=True):
        part, more = ImageEnergies.read(path)
        indptr[row + 1 : row + count + 1] = part.indptr[1:] + at
        concepts[at : at + size], energies[at : at + size] = part.concepts, part.energies
        row, at, n_concepts = row + count, at + size, part.n_concepts
        pairs += [more[PAIR]] if PAIR in more else []
    pair = np.concatenate(pairs) if len(pairs) == len(paths) else None
    return ImageEnergies(indptr, concepts, energies, n_concepts), pair
