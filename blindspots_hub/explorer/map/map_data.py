"""What a map shows, as its scripts take it: points, colours, names, and the addresses of these."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

import numpy as np

from blindspots_hub.explorer.page import colours as palette

ROUND = 2**20 - 1
"""Whole numbers on either side of the map's middle: a tenth of a pixel where one is nearest. In 16
bits a quarter of 128,000 concepts lay on another one, and could not be clicked."""

NOWHERE = -(2**20)
"""Both coordinates, as the scripts read them, of a concept that is not on the map."""


@dataclass(frozen=True)
class Cluster:
    """A name that stands over a part of the map: its middle in the units of `MapData.xy`."""

    x: float
    y: float
    name: str
    size: int


POINTS, COLOURS = "map_places", "map_colours"
"""Names of the functions that answer the map, and of their addresses. Browsers keep an answer for
ever: whoever changes what its bytes mean gives it another name."""

AS_IN_SCRIPTS = "!'()*"
"""What `encodeURIComponent` leaves as it is: both have to write the same address."""


@dataclass(frozen=True)
class MapData:
    """What stays the same for every model of a bundle; row i is concept i.

    `xy` (N, 2), any unit, y upwards, NaN for a concept that is not on the map; `size` (N,) uint8,
    how often a concept fires from 0 (never) to 255 (most often), best on a logarithmic scale;
    `labels` (N,) short names, "" where a concept has none; `clusters` the names of parts of the
    map, the largest first.
    """

    xy: np.ndarray
    size: np.ndarray
    labels: Sequence[str]
    clusters: Sequence[Cluster] = ()

    def __post_init__(self) -> None:
        n = len(self.xy)
        if self.xy.shape != (n, 2) or self.size.shape != (n,) or len(self.labels) != n:
            raise ValueError(
                f"a map needs xy (N, 2), size (N,) and N labels, not {self.xy.shape}, "
                f"{self.size.shape} and {len(self.labels)}"
            )
        if self.size.dtype != np.uint8 or np.isinf(self.xy).any():
            raise ValueError("a map needs size as uint8 and coordinates that are finite or NaN")


class Hover(TypedDict, total=False):
    """What the tooltip says of one concept, already worded; every part may be left out.

    `value` is δ with its interval ("δ 0.06 [0.04, 0.09]"), `state` the words for it, `image` a
    `data:image/…` URL or a path on this server, `caption` stands for the image where it is missing.
    """

    label: str
    value: str
    state: str
    image: str
    caption: str


def map_answers(
    data: Callable[[str], MapData], colours: Callable[[str], bytes]
) -> dict[str, Callable[[Mapping[str, str]], dict[str, Any]]]:
    """Points and colours by the names of their addresses, each of a query with its `key`.

    One key has one answer for ever.
    """
    return {
        POINTS: lambda query: _points(data(checked_key(query.get("key")))),
        COLOURS: lambda query: {"bytes": as_text(colours(checked_key(query.get("key"))))},
    }


def map_addresses(data_key: str, colour_key: str) -> list[str]:
    """The addresses that a map asks for when it is first shown."""
    return [
        f"{name}?key={quote(key, safe=AS_IN_SCRIPTS)}"
        for name, key in ((POINTS, data_key), (COLOURS, colour_key))
    ]


def colour_bytes(
    delta: np.ndarray, state: np.ndarray | None = None, size: np.ndarray | None = None
) -> bytes:
    """The bytes of one colouring: N of colour, then N of state, then N of size where it is given.

    `delta` (N,) in [0, 1], NaN where a concept is dead or undetermined; `state` (N,) uint8, in
    whatever code the page filters by with `show` (all 0 where it is None); `size` (N,) uint8 takes
    the place of that of `MapData`.
    """
    states = np.zeros(len(delta), np.uint8) if state is None else np.asarray(state, np.uint8)
    if states.shape != delta.shape:
        raise ValueError(f"δ {delta.shape} and state {states.shape} differ in length")
    sizes = b"" if size is None else np.asarray(size, np.uint8).tobytes()
    return palette.delta_bytes(delta).tobytes() + states.tobytes() + sizes


def weighted(companions: Sequence[tuple[int, float]]) -> list[list[float]]:
    """Concepts with their weights as the script of the map takes them."""
    return [[int(concept), round(float(weight), 3)] for concept, weight in companions]


def names(points: MapData) -> dict[str, Any]:
    """Names of concepts and of parts of the map, the latter where the scripts have their points."""
    middle, factor = _frame(points.xy)
    clusters = [
        [round((one.x - middle[0]) * factor), round((one.y - middle[1]) * factor), one.name]
        for one in points.clusters
    ]
    return {"labels": list(points.labels), "clusters": clusters}


def _points(points: MapData) -> dict[str, Any]:
    return {"xy": as_text(_quantised(points.xy).tobytes()), "size": as_text(points.size.tobytes())}


def _quantised(xy: np.ndarray) -> np.ndarray:
    """Coordinates as little-endian int32 (N, 2), centred, one factor for both; or `NOWHERE`."""
    placed = np.isfinite(xy).all(1)
    middle, factor = _frame(xy)
    whole = np.full(xy.shape, NOWHERE, "<i4")
    whole[placed] = np.round((xy[placed] - middle) * factor)
    return whole


def _frame(xy: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle of the points that are placed, and what brings them within `ROUND` of it."""
    placed = np.isfinite(xy).all(1)
    low, high = (
        (xy[placed].min(0), xy[placed].max(0)) if placed.any() else (np.zeros(2), np.ones(2))
    )
    middle = low / 2.0 + high / 2.0
    reach = float(np.abs(xy[placed] - middle).max(initial=0)) or 1.0
    return middle, ROUND / reach


def as_text(content: bytes) -> str:
    """Bytes as they travel in JSON: base64."""
    return base64.b64encode(content).decode("ascii")


def checked_key(key: object) -> str:
    """A key that came back from a browser; one that no page gives out is a `ValueError`."""
    if not isinstance(key, str) or len(key) > 512:
        raise ValueError("the map asked with a key that this page never gave it")
    return key
