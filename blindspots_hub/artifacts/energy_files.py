"""Per-image energies of a source on disk: one file, or shards of many images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.layout import energies_path, shard_folder, shard_name
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies

SHARD_BYTES = 500 * 1024**2
"""Bytes of a file of energies; a source with more has shards, cut between two images."""


def write_energies(root: Path, source: str, energies: ImageEnergies) -> list[Path]:
    """Write the energies of a source; they stand there whole or not at all. Returns their files."""
    path = energies_path(root, source)
    folder = shard_folder(path)
    spans = list(_spans(energies))
    if len(spans) == 1:
        energies.save(path)
        shutil.rmtree(folder, ignore_errors=True)
        return [path]
    work = folder.with_name(f".{source}.{os.getpid()}.partial")
    names = [shard_name(number, len(spans), path.suffix) for number in range(len(spans))]
    try:
        for name, (start, stop) in zip(names, spans, strict=True):
            energies.rows(start, stop).save(work / name)
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
    if len(paths) == 1:
        return ImageEnergies.load(paths[0])
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
    row, at, n_concepts = 0, 0, 0
    for path, count, size in zip(paths, images, fires, strict=True):
        part = ImageEnergies.load(path)
        indptr[row + 1 : row + count + 1] = part.indptr[1:] + at
        concepts[at : at + size], energies[at : at + size] = part.concepts, part.energies
        row, at, n_concepts = row + count, at + size, part.n_concepts
    return ImageEnergies(indptr, concepts, energies, n_concepts)
