"""Per-image features: what metrics in token space (Fréchet and kernel distances, PRDC) need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

TENSORS = ("class_token", "mean_patch_token")
"""Names in the file, in the order of a stack (N, 2, d)."""


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Class token and mean patch token of N images, each (N, d) float16, of the backbone's width.

    Rows follow the energies of the same source.
    """

    class_token: NDArray[np.float16]
    mean_patch_token: NDArray[np.float16]

    @property
    def n_images(self) -> int:
        """Number of images, N."""
        return len(self.class_token)

    @property
    def width(self) -> int:
        """Width of a token, d."""
        return int(self.class_token.shape[1])

    @classmethod
    def stacked(cls, both: NDArray[np.float16]) -> ImageFeatures:
        """From an array (N, 2, d): class token, mean patch token."""
        return cls(both[:, 0], both[:, 1])

    def take(self, rows: NDArray[np.int64]) -> ImageFeatures:
        """Keep `rows` (indices), in the order given."""
        return ImageFeatures(self.class_token[rows], self.mean_patch_token[rows])

    def save(self, path: Path) -> None:
        """Write as safetensors, atomically."""
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in TENSORS}
        with atomic(path) as partial:
            save_file(tensors, partial)

    @classmethod
    def load(cls, path: Path) -> ImageFeatures:
        """Read what `save` wrote; anything else raises `BlindspotsError`."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                loaded = cls(*(file.get_tensor(name) for name in TENSORS))
        except (SafetensorError, OSError, ValueError) as error:
            raise BlindspotsError(
                f"{path} is not a file of image features ({error}): fetch the bundle again."
            ) from error
        if fault := loaded.fault():
            raise BlindspotsError(f"{path} is damaged ({fault}): fetch the bundle again.")
        return loaded

    def fault(self) -> str | None:
        """What breaks the format, or None."""
        both = (self.class_token, self.mean_patch_token)
        if any(one.ndim != 2 or one.dtype != np.float16 for one in both):
            return "a tensor is not float16 of shape (images, width)"
        if both[0].shape != both[1].shape:
            return "the two tensors differ in shape"
        if not all(np.isfinite(one).all() for one in both):
            return "a number is not finite"
        return None
