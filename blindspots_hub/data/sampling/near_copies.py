"""Images that were taken already: the same file, or one that looks the same."""

from __future__ import annotations

import numpy as np

NEAR = 4
"""Bits of 64 in which perceptual hashes of near-copies differ at most."""


class Seen:
    """Images that were taken, by place; asked in the order in which they are taken."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._hashes = np.zeros(1024, np.uint64)
        self._places: list[int] = []

    def copy_of(self, sha256: str, perceptual_hash: int) -> tuple[str, int] | None:
        """("exact_copy" or "near_copy", place of the earlier image), or None for a new one."""
        if sha256 in self._files:
            return "exact_copy", self._files[sha256]
        if not self._places:
            return None
        known = self._hashes[: len(self._places)]
        different = (
            np.bitwise_count(known ^ np.uint64(perceptual_hash))
            if _COUNTS
            else _bits(known ^ np.uint64(perceptual_hash))
        )
        nearest = int(np.argmin(different))
        return ("near_copy", self._places[nearest]) if different[nearest] <= NEAR else None

    def take(self, sha256: str, perceptual_hash: int, place: int) -> None:
        """Remember an image."""
        if len(self._places) == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[len(self._places)] = perceptual_hash
        self._places.append(place)
        self._files[sha256] = place

    def __len__(self) -> int:
        return len(self._places)


_COUNTS = hasattr(np, "bitwise_count")  # NumPy 2


def _bits(values: np.ndarray) -> np.ndarray:
    """How many bits of each 64-bit number are set."""
    as_bytes = values[:, None].view(np.uint8)
    return np.asarray(np.unpackbits(as_bytes, axis=1).sum(axis=1))
