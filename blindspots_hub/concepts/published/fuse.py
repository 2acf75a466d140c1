"""Fusing a dictionary that is larger than memory: block by block, kept on disk, resumable."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.published.pickle import Archetypes
from blindspots_hub.concepts.training.dictionary import fuse
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import atomic

_BLOCK_BYTES = 16 << 20
"""How much of W, as float32, is in memory at once; fusing holds some three times as much."""

_MADV_PAGEOUT = 21
"""Unlike MADV_DONTNEED it loses nothing where the memory is no map of a file after all."""


def fusing(parts: Archetypes, source: Path, work: Path) -> Work[torch.Tensor]:
    """The atoms D of METHOD section 2, float32 (n, d), fused in blocks of rows of W.

    Each block is kept in the folder `work`, which belongs to this one dictionary; run again after
    a kill, blocks that are there are not computed anew and the result is the same to the bit. W is
    read through its map and dropped from memory block by block. Raises `BlindspotsError` where W
    holds NaN or an atom is not finite; `source` is the file that the message names.
    """
    n, width = parts.relax.shape
    rows = max(1, _BLOCK_BYTES // (4 * parts.weights.shape[1]))
    centroids = parts.centroids.float()
    atoms = torch.empty(n, width)
    for start in range(0, n, rows):
        yield Event("fuse the dictionary", start, n)
        stop = min(start + rows, n)
        path = work / f"atoms-{start:06d}-{stop:06d}.npy"
        block = _kept(path, (stop - start, width))
        if block is None:
            block = _fused(parts, centroids, slice(start, stop), source)
            with atomic(path) as partial, open(partial, "wb") as handle:
                np.save(handle, block)
        atoms[start:stop] = torch.from_numpy(block)
    yield Event("fuse the dictionary", n, n)
    return atoms


def _fused(
    parts: Archetypes, centroids: torch.Tensor, rows: slice, source: Path
) -> NDArray[np.float32]:
    weights = parts.weights[rows]
    block = fuse(
        weights.float(),
        centroids,
        parts.relax[rows].float(),
        parts.multiplier.float(),
        parts.delta,
    ).numpy()
    # -inf in W would be hidden by the ReLU
    if not np.isfinite(block).all() or not torch.isfinite(torch.stack(weights.aminmax())).all():
        raise BlindspotsError(
            f"The dictionary in {source} holds NaN or infinity between atoms {rows.start} and "
            f"{rows.stop - 1}: fetch the file again."
        )
    _drop(weights)
    return block


def _kept(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The block that an earlier run left; None where there is none or a lost disk spoilt it."""
    if not path.is_file():
        return None
    try:
        block: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        return None
    return block if block.shape == shape and block.dtype == np.float32 else None


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
