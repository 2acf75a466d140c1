"""Numbers of a network's configuration, held against the weights before anything is built.

A configuration of some bytes can ask for ten million layers. What it says must be borne out by the
tensors that lie beside it: every layer has one at least, and no width is larger than all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_COUNTED = re.compile(r"layers?($|_)|blocks?($|_)|(^|_)depths?($|_)|(^|_)stages?($|_)|repeat")
"""Names of numbers that say how often something is built."""

_NOT_COUNTED = re.compile(
    r"type|norm|_id$|eps|drop|scale|index|skip|select|window|_rate$|prob|channels|dim|size|heads|width"
)
_FREE = re.compile(r"theta|_id$|_ids$|token|seed|max_position|factor|sigma|beta|version|length$")
"""Names of numbers that no memory grows with, or that tokens and positions are counted by."""

_PIXELS = re.compile(r"(sample|image|base|tile|latent|crop|input|patch|embed_max)_?(max_)?size")
MOST_PIXELS = 4096
MOST_POSITIONS = 10_000_000
LEAST = 65_536
"""What any number may be, however small the weights."""

DEEP = 24
MOST_VALUES = 100_000


def config_faults(config: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> Iterator[str]:
    """What a configuration asks for beyond what tensors of these `shapes` can hold.

    A fault is a predicate ("asks for …").
    """
    tensors = max(len(shapes), 1)
    widest = max((max(shape, default=1) for shape in shapes), default=1)
    for where, value in numbers(config):
        name = where.rpartition(".")[2].partition("[")[0]
        told = f"asks for {where[:80]} = {value:.6g}"
        if _COUNTED.search(name) and not _NOT_COUNTED.search(name):
            if value > tensors:
                yield f"{told}, and its weights are {tensors:,} tensors"
        elif _PIXELS.search(name):
            if value > MOST_PIXELS:
                yield f"{told}, of {MOST_PIXELS:,} at most"
        elif _FREE.search(name):
            if value > MOST_POSITIONS and "theta" not in name:
                yield f"{told}, of {MOST_POSITIONS:,} at most"
        elif value > max(LEAST, 8 * widest):
            yield f"{told}, and its widest tensor has {widest:,}"


def numbers(value: Any, where: str = "", deep: int = 0) -> Iterator[tuple[str, float]]:
    """Every number in a JSON value with its place; ∞ where it is too deep or too long."""
    if deep > DEEP or (isinstance(value, list) and len(value) > MOST_VALUES):
        yield where, math.inf
    elif isinstance(value, bool):
        return
    elif isinstance(value, (int, float)):
        yield where, float(value) if abs(value) < 1e300 else math.inf
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from numbers(one, f"{where}.{name}" if where else str(name), deep + 1)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from numbers(one, f"{where}[{index}]", deep + 1)
