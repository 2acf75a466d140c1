"""What a table depends on besides the energies."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from blindspots_hub import paper
from blindspots_hub.errors import BlindspotsError

TOKENS = ("patches", "all")
"""Which tokens an energy sums: `patches` (default) or `all` (parity with the authors)."""

METHOD = 2
"""Which method of intervals and tests made a table; manifests without it mean method 1."""


def check_tokens(tokens: str) -> None:
    """Raise `BlindspotsError` where `tokens` names no kind of tokens that energies sum."""
    if tokens not in TOKENS:
        raise BlindspotsError(f"Tokens must be {' or '.join(TOKENS)}, not {tokens!r}.")


@dataclass(frozen=True)
class MeasureSettings:
    """Recorded with every table.

    `tau` scales the gap in δ; below `min_support` pairs a concept is undetermined; `alpha` bounds
    the q-value of a difference, and the share of selected concepts whose selection interval misses;
    `confidence` is that of the pointwise intervals; `tokens` are those that an energy sums,
    "patches" or "all".
    """

    tau: float = paper.TAU
    min_support: int = 20
    alpha: float = 0.05
    confidence: float = 0.95
    tokens: str = "patches"

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("tau", self.tau, 0, math.inf),
            ("alpha", self.alpha, 0, 1),
            ("confidence", self.confidence, 0, 1),
            ("min_support", self.min_support, 0, math.inf),
        ):
            if not low < value < high:
                raise BlindspotsError(
                    f"{name} = {value} is out of range: it lies between {low} and {high}."
                )
        check_tokens(self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
