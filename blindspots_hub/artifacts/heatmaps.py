"""Heatmaps of the images that cards show: patch codes by (concept, image)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

Entry = tuple[int, int, np.ndarray, np.ndarray]
"""(concept, row of the image, patch indices ascending, codes)."""


@dataclass(frozen=True)
class Heatmaps:
    """CSR of patch codes; row j belongs to `keys[j]` = (concept, image row), keys ascending.

    `indptr` int64 (rows + 1,), `patches` uint16 (nnz,), `values` float16 (nnz,).
    """

    keys: np.ndarray
    indptr: np.ndarray
    patches: np.ndarray
    values: np.ndarray

    @classmethod
    def build(cls, entries: list[Entry]) -> Heatmaps:
        """Sort `entries` by key and stack them; entries without patches are left out."""
        kept = sorted((e for e in entries if len(e[2])), key=lambda entry: entry[:2])
        indptr = np.zeros(len(kept) + 1, np.int64)
        np.cumsum([len(e[2]) for e in kept], out=indptr[1:])
        return cls(
            np.array([e[:2] for e in kept], np.int32).reshape(-1, 2),
            indptr,
            np.concatenate([e[2] for e in kept] or [np.zeros(0)]).astype(np.uint16),
            np.concatenate([e[3] for e in kept] or [np.zeros(0)]).astype(np.float16),
        )

    def grid(self, concept: int, row: int, shape: tuple[int, int]) -> np.ndarray | None:
        """Codes of `concept` on the patches of image `row`, float32 `shape`; None if not kept."""
        wanted = _joined(np.int64(concept), np.int64(row))
        j = int(np.searchsorted(self._order, wanted))
        if j >= len(self._order) or self._order[j] != wanted:
            return None
        flat = np.zeros(shape[0] * shape[1], np.float32)
        span = slice(self.indptr[j], self.indptr[j + 1])
        flat[self.patches[span]] = self.values[span]
        return flat.reshape(shape)

    @cached_property
    def _order(self) -> np.ndarray:
        """The keys as one number each, side by side in memory: searching a column is slow."""
        return _joined(self.keys[:, 0].astype(np.int64), self.keys[:, 1].astype(np.int64))

    def save(self, path: Path) -> None:
        """Write as safetensors, atomically."""
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _NAMES}
        with atomic(path) as partial:
            save_file(tensors, partial)

    @classmethod
    def load(cls, path: Path) -> Heatmaps:
        """Read what `save` wrote; anything else raises `BlindspotsError`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
            loaded = cls(*(tensors[name] for name in _NAMES))
        except (SafetensorError, OSError, KeyError) as error:
            raise BlindspotsError(
                f"{path} is not a file of heatmaps ({error}): fetch the bundle again."
            ) from error
        if len(loaded.indptr) != len(loaded.keys) + 1 or loaded.indptr[-1] != len(loaded.patches):
            raise BlindspotsError(f"{path} is damaged (lengths disagree): fetch the bundle again.")
        return loaded


def _joined(concept: Any, row: Any) -> Any:
    """Concept and row of an image as one int64 that sorts alike."""
    return (concept << 32) | row


_NAMES = ("keys", "indptr", "patches", "values")


def seen_share(bundle: Bundle) -> float:
    """Side of the square that the backbone sees, over an image's shorter side.

    Preprocessing enlarges the shorter side to `size` and cuts the middle out: 224 of 256, usually.
    """
    told = bundle.concept_space.get("preprocessing") or {}
    try:
        crop = told.get("crop_size", told.get("crop"))
        size = told.get("size", told.get("resize"))
        crop = min(crop.values()) if isinstance(crop, dict) else crop
        size = size["shortest_edge"] if isinstance(size, dict) else size
        share = float(str(crop)) / float(str(size))
    except (TypeError, ValueError, KeyError, ZeroDivisionError, AttributeError):
        return 1.0
    return share if 0.25 <= share <= 1 else 1.0
