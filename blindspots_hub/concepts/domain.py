"""What a concept space was trained on, in a few numbers, and whether other images look like it.

An RA-SAE gives codes for any image, also for one that has nothing to do with what it was trained on
(photographs where it was trained on drawings); such codes mean little, and nothing in them says so.
So a space keeps how its own images look to it: for each image, how much of its patch tokens the
space cannot reconstruct, how far they lie from the space's own tokens, along and beyond the
directions in which those vary most, and how much they differ among each other. Of each of these
numbers the space keeps the median and the 1st and 99th percentile over its own images.

The score of another image is the largest of |number - median| / |percentile - median|, the
percentile on the number's side: 1 at the ends of what the space's own images keep to. An image is
outside where its score is beyond the `QUANTILE` of the scores of the space's own images, so that
one in a hundred of those is; a set of images is outside where more than `MOST` of it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.source import open_safetensors
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

DOMAIN = "domain.safetensors"
"""Name of the file, beside the RA-SAE's weights."""

LOOK = ("error", "spread", "distance", "beyond", "within", "codes", "silent")
"""What is kept of an image, over its patch tokens x with reconstructions x̂, means all of them:

error ‖x - x̂‖²; spread ‖x - μ‖², μ the mean of the space's own tokens; distance, of the squared
coordinates of x - μ along the space's directions, each over its variance; beyond, of the square of
what these leave of x - μ, over the same of the space's own tokens; within ‖x - x̄‖², x̄ the image's
own mean, over the variance of the space's tokens; codes a token; silent, tokens without a code.
"""

FEATURES = ("unexplained", "distance", "beyond", "within")
"""What an image is judged by: error / spread, and the logarithms of the other three."""

QUANTILE = 0.99
MOST = 0.5

_FLOOR = 1e-3
"""Least width of a side of a feature's range: where the space's own images agree to the digit."""


@dataclass(frozen=True)
class Home:
    """The space's own images: how many they were, what was seen of them, and where they come from.

    r2: share of their tokens' variance that is reconstructed; codes, silent: means over the images.
    """

    images: int
    r2: float
    codes: float
    silent: float
    origin: str


@dataclass(frozen=True)
class Likeness:
    """How a set of images looks to a space: `outside` the share of it that is outside.

    feature: of `FEATURES`, by which the set differs most; its medians over the set and at `home`.
    """

    images: int
    outside: float
    r2: float
    codes: float
    silent: float
    feature: str
    median: float
    home: float

    @property
    def is_outside(self) -> bool:
        """Whether the set as a whole does not look like what the space was trained on."""
        return self.outside > MOST

    def to_json(self) -> dict[str, Any]:
        """As a manifest holds it."""
        return {**asdict(self), "is_outside": self.is_outside}


@dataclass(frozen=True, eq=False)
class Domain:
    """What a space knows of its own images.

    mean (d,), directions (d, r) orthonormal, variances (r,) along them: of the patch tokens;
    beyond: their variance in all other directions. low, middle, high (len(FEATURES),): percentiles
    of the images' features; limit: the score beyond which an image is outside.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    variances: NDArray[np.float64]
    beyond: float
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    limit: float
    home: Home

    def look(
        self, tokens: NDArray[np.float32], decoded: NDArray[np.float32], codes: SparseCodes
    ) -> NDArray[np.float64]:
        """`LOOK` of one image from its patch tokens (T, d), what they are decoded to, their codes.

        In float64; another number of threads may change the last digits (within 1e-9).
        """
        x = tokens.astype(np.float64)
        centred = x - self.mean
        squares = np.square(centred).sum()
        along = centred @ self.directions
        left = max(squares - np.square(along).sum(), 0.0)
        count, every = len(x), float(self.variances.sum() + self.beyond)
        return np.array(
            [
                np.square(x - decoded).sum() / count,
                squares / count,
                (np.square(along) / self.variances).mean(),
                left / count / self.beyond,
                np.square(x - x.mean(0)).sum() / count / every,
                codes.nnz / count,
                (np.diff(codes.indptr) == 0).mean(),
            ]
        )

    def scores(self, looks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score of each image (N,) of `looks` (N, len(LOOK)), over the `limit`: outside above 1."""
        return _scores(features(looks), self.low, self.middle, self.high).max(1) / self.limit

    def likeness(self, looks: NDArray[np.float64]) -> Likeness:
        """How the images of `looks` (N, len(LOOK)), N > 0, look to this space as a set."""
        found = features(looks)
        parts = _scores(found, self.low, self.middle, self.high)
        most = int(np.median(parts, axis=0).argmax())
        error, spread, *_, codes, silent = looks.mean(0)
        return Likeness(
            len(looks),
            float((self.scores(looks) > 1).mean()),
            float(1 - error / spread),
            float(codes),
            float(silent),
            FEATURES[most],
            float(np.median(found[:, most])),
            float(self.middle[most]),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of everything that an image's look depends on."""
        digest = hashlib.sha256(np.float64(self.beyond).tobytes())
        for array in (self.mean, self.directions, self.variances):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write to `folder`, atomically, beside the weights of the RA-SAE."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        told = {"beyond": self.beyond, "limit": self.limit, "home": asdict(self.home)}
        with atomic(folder / DOMAIN) as partial:
            save_file(arrays, partial, metadata={"domain": json.dumps(told, sort_keys=True)})

    @classmethod
    def load(cls, folder: Path) -> Domain | None:
        """What `save` wrote to `folder`; None where there is none, `BlindspotsError` if damaged."""
        path = folder / DOMAIN
        if not path.is_file():
            return None
        try:
            with open_safetensors(path) as file:
                arrays = {name: file.get_tensor(name).double().numpy() for name in _ARRAYS}
                told = json.loads((file.metadata() or {})["domain"])
            home = Home(**told["home"])
            found = cls(**arrays, beyond=told["beyond"], limit=told["limit"], home=home)
            sound = found._is_sound()
        except (KeyError, TypeError, ValueError) as error:
            raise BlindspotsError(
                f"{path} does not describe a concept space's own images ({error}): make it anew "
                "with fit-domain, or remove it."
            ) from None
        if not sound:
            raise BlindspotsError(f"{path} is damaged: make it anew with fit-domain, or remove it.")
        return found

    def _is_sound(self) -> bool:
        width, directions = self.directions.shape
        shapes = (self.mean.shape, self.variances.shape) == ((width,), (directions,))
        ranges = {one.shape for one in (self.low, self.middle, self.high)} == {(len(FEATURES),)}
        numbers = all(np.isfinite(getattr(self, name)).all() for name in _ARRAYS)
        return shapes and ranges and numbers and self.beyond > 0 and self.limit > 0


_ARRAYS = ("mean", "directions", "variances", "low", "middle", "high")


def features(looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """`FEATURES` (N, 4) of `looks` (N, len(LOOK))."""
    error, spread, distance, beyond, within = looks[:, :5].T
    logs = np.log(np.maximum([distance, beyond, within], 1e-12))
    return np.column_stack([error / np.maximum(spread, 1e-12), *logs])


def home_range(
    found: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """(low, middle, high, limit) of the features (N, 4) of a space's own images."""
    low, middle, high = np.quantile(found, [1 - QUANTILE, 0.5, QUANTILE], axis=0)
    limit = float(np.quantile(_scores(found, low, middle, high).max(1), QUANTILE))
    return low, middle, high, max(limit, 1.0)


def _scores(
    found: NDArray[np.float64],
    low: NDArray[np.float64],
    middle: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    width = np.where(found > middle, high - middle, middle - low)
    return np.abs(found - middle) / np.maximum(width, _FLOOR)
