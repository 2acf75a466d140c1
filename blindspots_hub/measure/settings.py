"""What a table depends on besides the energies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from blindspots_hub import paper


@dataclass(frozen=True)
class MeasureSettings:
    """Recorded with every table.

    `tau` scales the gap in δ; below `min_support` pairs a concept is undetermined; `alpha` bounds
    the q-value of a difference; `confidence` is that of every interval; `tokens` are those that an
    energy sums, "patches" or "all".
    """

    tau: float = paper.TAU
    min_support: int = 20
    alpha: float = 0.05
    confidence: float = 0.95
    tokens: str = "patches"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
