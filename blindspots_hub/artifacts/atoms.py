"""The atoms of a bundle's RA-SAE, without the network around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.layout import SAE_WEIGHTS
from blindspots_hub.errors import BlindspotsError

_TENSOR = "dictionary"


def dictionary(root: Path) -> np.ndarray:
    """The fused dictionary D, float32 (n, d), of the bundle at `root`.

    `BlindspotsError` where its RA-SAE is not here or holds none.
    """
    from safetensors import SafetensorError, safe_open

    path = root / SAE_WEIGHTS
    try:
        with safe_open(path, framework="np") as file:
            found: np.ndarray = file.get_tensor(_TENSOR).astype(np.float32)
    except (SafetensorError, OSError, ValueError) as error:
        raise BlindspotsError(
            f"{path} holds no dictionary of an RA-SAE ({error}): fetch the bundle again."
        ) from error
    if found.ndim != 2 or not np.isfinite(found).all():
        raise BlindspotsError(f"{path} is damaged: its dictionary is no matrix of numbers.")
    return found
