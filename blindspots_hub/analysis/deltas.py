"""One model's concepts under one of the two δ, as arrays: what pages, words and plans read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.bundle.kept import kept
from blindspots_hub.measure.delta import STATES
from blindspots_hub.measure.settings import METHOD

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


SIDES = {
    "suppressed": ("weakened", "suppressed"),
    "exaggerated": ("strengthened", "exaggerated"),
}
"""Both sides of a ranking, and the states of surely sized changes that belong to each."""

CHANGED_STATES = tuple(state for states in SIDES.values() for state in states)
"""The states of both sides: what is said to have changed two-fold or more."""


def state_codes(states: pa.ChunkedArray) -> np.ndarray:
    """A column of states as their codes, uint8 (n,)."""
    encoded = states.combine_chunks().dictionary_encode()
    codes = np.array([CODE[name] for name in encoded.dictionary.to_pylist()] or [0], np.uint8)
    return codes[encoded.indices.to_numpy()]


def is_determined(codes: np.ndarray) -> np.ndarray:
    """bool (n,): neither dead nor undetermined, by the codes of states."""
    return np.asarray(codes >= CODE["aligned"])


@dataclass(frozen=True)
class ModelDeltas:
    """Row k is concept k. `delta`, `low`, `high` are the chosen δ and its pointwise interval, at
    the confidence of the model's settings; `selected_…` is the selection interval, which holds for
    concepts picked from a ranking. `gap…` is what δ is the logistic of: g in energy units or r.
    `r…` is the relative gap, whichever δ was chosen. Ends are NaN for concepts that are not judged.

    `method` is what measured the table: 1 knew no selection interval, and its pointwise one stands
    in for it (`measure.settings.METHOD`).
    """

    kind: str
    method: int
    delta: np.ndarray  # float64 (n,)
    low: np.ndarray
    high: np.ndarray
    selected_low: np.ndarray
    selected_high: np.ndarray
    gap: np.ndarray
    gap_low: np.ndarray
    gap_high: np.ndarray
    gap_selected_low: np.ndarray
    gap_selected_high: np.ndarray
    r: np.ndarray
    r_low: np.ndarray
    r_high: np.ndarray
    r_selected_low: np.ndarray
    r_selected_high: np.ndarray
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

        method = METHOD if f"{prefix}delta_selected_low" in deltas.column_names else 1

        def column(name: str) -> np.ndarray:
            return deltas[name].to_numpy()

        def ends(field: str, name: str) -> dict[str, np.ndarray]:
            infix = "_selected" if method > 1 else ""
            return {
                f"{field}low": column(f"{name}_low"),
                f"{field}high": column(f"{name}_high"),
                f"{field}selected_low": column(f"{name}{infix}_low"),
                f"{field}selected_high": column(f"{name}{infix}_high"),
            }

        return cls(
            kind=kind,
            method=method,
            delta=column(f"{prefix}delta"),
            gap=column(f"{prefix}gap"),
            r=column("relative_gap"),
            **ends("", f"{prefix}delta"),
            **ends("gap_", f"{prefix}gap"),
            **ends("r_", "relative_gap"),
            state=state_codes(deltas[f"{prefix}state"]),
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
        return is_determined(self.state)

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

    def blindspots(self, state: str, certain_only: bool = False) -> np.ndarray:
        """Concepts in a `state` of a blindspot, "suppressed" or "exaggerated", surest first.

        One of no sure size may come after any number of surely two-fold changes in the ranking:
        this, and no part of a ranking, tells whether there is one.
        """
        ranked = self.ranking(state, certain_only)
        return ranked[self.state[ranked] == CODE[state]]

    def ranking(self, side: str, certain_only: bool = False) -> np.ndarray:
        """Concepts that differ on one `side` ("suppressed", "exaggerated"), surest first.

        Sorted by the end of the gap's selection interval that is nearest to no change, then q, then
        support. δ's interval has the same order but for rounding: from gaps of about 29.4 on
        absolute δ is 1.0 to the last bit, and the strongest changes would all tie. Dead,
        undetermined and aligned concepts are never in a ranking.
        """
        ranked: np.ndarray = self._ranked(side, certain_only)
        return ranked

    @kept
    def _ranked(self, side: str, certain_only: bool) -> np.ndarray:
        low_side = side == "suppressed"
        sized = np.isin(self.state, [CODE[state] for state in SIDES[side]])
        leaning = (self.state == CODE["leaning"]) & ((self.delta < 0.5) == low_side)
        certain = self.certain & (self.state == CODE[side])
        kept = np.flatnonzero(certain if certain_only else sized | leaning)
        nearest = self.gap_selected_high if low_side else -self.gap_selected_low
        keys = (kept, -self.support[kept], self.q[kept], nearest[kept])
        ranked = kept[np.lexsort(keys)]
        ranked.flags.writeable = False  # it is kept, and everybody's
        return ranked


def measured_table(bundle: Bundle, model: str) -> pa.Table | None:
    """The model's table where it says what measuring its energies again would; else None.

    It does not where captions were drawn several times, or where an earlier method made it.
    """
    several = bundle.drawn_several_times(model)
    return None if several or bundle.model(model).method != METHOD else bundle.deltas(model)
