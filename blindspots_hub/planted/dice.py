"""The planted world's source of chance: integers only, the same on every machine and version.

NumPy promises no stable stream for its distributions and PyTorch none across releases, but a scene
must be drawn bit for bit alike everywhere. SplitMix64 is ten lines of integer arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


def derive(*parts: int | str) -> int:
    """A 63-bit seed from anything that names it: `derive(seed, "caption")`."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Dice:
    """A stream of pseudo-random numbers (SplitMix64) named by `parts`.

    Streams of different names are independent, so that drawing one thing more never moves another.
    """

    def __init__(self, *parts: int | str) -> None:
        self._state = derive(*parts)

    def roll(self) -> int:
        """The next integer in [0, 2⁶⁴)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def unit(self) -> float:
        """A number in [0, 1), exact in double precision."""
        return (self.roll() >> 11) / (1 << 53)

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return (self.roll() * n) >> 64

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def chance(self, probability: float) -> bool:
        """True with `probability`; consumes one number whatever the probability is."""
        return self.unit() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, all alike."""
        return items[self.below(len(items))]

    def choose(self, weights: Mapping[T, float]) -> T:
        """A key of `weights`, in proportion to its weight (weights need not sum to 1)."""
        left = self.unit() * sum(weights.values())
        for key, weight in weights.items():
            left -= weight
            if left < 0:
                return key
        return max(weights, key=lambda key: weights[key])  # rounding left a crumb
