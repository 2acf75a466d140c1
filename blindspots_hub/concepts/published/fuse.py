"""Fusing a dictionary whose W is larger than memory, block by block through its map."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path

import torch

from blindspots_hub.concepts.published.pickle import Archetypes
from blindspots_hub.concepts.training.dictionary import fuse
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

_BLOCK_BYTES = 16 << 20
"""How much of W, as float32, is in memory at once; fusing holds some three times as much."""

_MADV_PAGEOUT = 21
"""Unlike MADV_DONTNEED it loses nothing where the memory is no map of a file after all."""


def fusing(parts: Archetypes, source: Path) -> Work[torch.Tensor]:
    """The atoms D of METHOD section 2, float32 (n, d), fused in blocks of rows of W.

    W is read through its map and dropped from memory block by block. Raises `BlindspotsError` where
    W holds NaN or an atom is not finite; `source` is the file that the message names.
    """
    n, width = parts.relax.shape
    rows = max(1, _BLOCK_BYTES // (4 * parts.weights.shape[1]))
    centroids, multiplier = parts.centroids.float(), parts.multiplier.float()
    atoms = torch.empty(n, width)
    for start in range(0, n, rows):
        yield Event("fuse the dictionary", start, n)
        block = slice(start, min(start + rows, n))
        weights, relax = parts.weights[block], parts.relax[block].float()
        atoms[block] = fuse(weights.float(), centroids, relax, multiplier, parts.delta)
        # -inf in W would be hidden by the ReLU
        found = torch.stack([*weights.aminmax(), *atoms[block].aminmax()])
        if not torch.isfinite(found).all():
            raise BlindspotsError(
                f"The dictionary in {source} holds NaN or infinity between atoms {block.start} and "
                f"{block.stop - 1}: fetch the file again."
            )
        _drop(weights)
    yield Event("fuse the dictionary", n, n)
    return atoms


def _drop(mapped: torch.Tensor) -> None:
    """Ask Linux to take the pages of a mapped tensor back; they are read from the file when needed.

    Without this the whole of W would count as this process's memory at the end. Elsewhere, and on
    kernels before 5.4, the system takes them when it runs short.
    """
    if sys.platform != "linux":
        return
    offset = mapped.data_ptr() % mmap.PAGESIZE
    start = ctypes.c_void_p(mapped.data_ptr() - offset)
    length = ctypes.c_size_t(mapped.numel() * mapped.itemsize + offset)
    ctypes.CDLL(None).madvise(start, length, _MADV_PAGEOUT)
