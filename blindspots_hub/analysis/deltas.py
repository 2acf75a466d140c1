"""One model's concepts under one of the two δ, as arrays: what pages, words and plans read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from blindspots_hub.measure.delta import STATES

KINDS = ("relative", "absolute")
"""The two δ, as links and menus name them; the first is what the page opens with."""

CODE = {state: code for code, state in enumerate(STATES)}
"""A state's index in `STATES`."""

CERTAIN = 8
"""Added to a state's index in the map's state byte where the blindspot is certain."""

SHOW: dict[str, list[int] | None] = {
    "all": None,
    "certain": [CODE["suppressed"] + CERTAIN, CODE["exaggerated"] + CERTAIN],
    "suppressed": [CODE["suppressed"], CODE["suppressed"] + CERTAIN],
    "exaggerated": [CODE["exaggerated"], CODE["exaggerated"] + CERTAIN],
}
"""What the map keeps in colour: state bytes, or None for all."""


@dataclass(frozen=True)
class ModelDeltas:
    """Row k is concept k. `delta`, `low`, `high` are the chosen δ and its 95 % interval."""

    kind: str
    delta: np.ndarray  # float64 (n,)
    low: np.ndarray
    high: np.ndarray
    gap_low: np.ndarray  # of g, energy units, or of r in [-1, 1]
    gap_high: np.ndarray
    state: np.ndarray  # uint8 (n,), index into STATES
    certain: np.ndarray  # bool (n,)
    q: np.ndarray
    support: np.ndarray
    images_natural: np.ndarray
    images_generated: np.ndarray
    energy_natural: np.ndarray
    energy_generated: np.ndarray

    @classmethod
    def of(cls, deltas: pa.Table, kind: str) -> ModelDeltas:
        """Read the bundle's table DELTAS; `kind` is one of `KINDS`."""
        prefix = {"absolute": "", "relative": "relative_"}[kind]

        def column(name: str) -> np.ndarray:
            return deltas[name].to_numpy()

        states = deltas[f"{prefix}state"].combine_chunks().dictionary_encode()
        codes = np.array([CODE[name] for name in states.dictionary.to_pylist()] or [0], np.uint8)
        return cls(
            kind=kind,
            delta=column(f"{prefix}delta"),
            low=column(f"{prefix}delta_low"),
            high=column(f"{prefix}delta_high"),
            gap_low=column(f"{prefix}gap_low"),
            gap_high=column(f"{prefix}gap_high"),
            state=codes[states.indices.to_numpy()],
            certain=column(f"{prefix}certain"),
            q=column("q"),
            support=column("support"),
            images_natural=column("images_natural"),
            images_generated=column("images_generated"),
            energy_natural=column("energy_natural"),
            energy_generated=column("energy_generated"),
        )

    @cached_property
    def determined(self) -> np.ndarray:
        """bool (n,): neither dead nor undetermined."""
        return np.asarray(self.state >= CODE["aligned"])

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many concepts are in each state."""
        found = np.bincount(self.state, minlength=len(STATES))
        return {state: int(found[code]) for state, code in CODE.items()}

    def certain_count(self, state: str) -> int:
        """How many blindspots of `state` are certain."""
        return int((self.certain & (self.state == CODE[state])).sum())

    @cached_property
    def state_bytes(self) -> np.ndarray:
        """uint8 (n,): the state's index, plus `CERTAIN` where it is certain."""
        return np.asarray(self.state + CERTAIN * self.certain.astype(np.uint8), np.uint8)

    @cached_property
    def half_width(self) -> float:
        """Median half-width of the gap's interval over the determined concepts; NaN for none."""
        if not self.determined.any():
            return float("nan")
        width = (self.gap_high - self.gap_low)[self.determined] / 2
        return float(np.median(width))

    def ranking(self, side: str, certain_only: bool = False) -> np.ndarray:
        """Concepts that differ on one `side` ("suppressed", "exaggerated"), strongest first.

        Blindspots that are certain lead, then the other blindspots, then the leaning ones; within
        each by δ. Dead, undetermined and aligned concepts are never in a ranking.
        """
        low_side = side == "suppressed"
        blind = self.state == CODE[side]
        leaning = (self.state == CODE["leaning"]) & ((self.delta < 0.5) == low_side)
        kept = np.flatnonzero(self.certain & blind if certain_only else blind | leaning)
        distance = self.delta if low_side else -self.delta
        order = np.lexsort((kept, distance[kept], ~self.certain[kept], ~blind[kept]))
        return kept[order]
