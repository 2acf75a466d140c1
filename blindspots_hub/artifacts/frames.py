"""A bundle in a notebook: its tables as labelled pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blindspots_hub.measure.delta import BLINDSPOTS, SIZED, fold

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

FIRST = ("concept", "label", "relative_state", "relative_certain", "fold")
"""Columns that a frame begins with."""

TELLING = (*FIRST, "relative_delta", "relative_delta_low", "relative_delta_high", "q", "support")
"""Those that the frame of blindspots begins with."""


def frame(bundle: Bundle, model: str) -> Any:
    """Table DELTAS of a model as a pandas frame, labels and fold change E'/E beside δ."""
    found = bundle.deltas(model).to_pandas()
    found["label"] = bundle.labels
    found["fold"] = fold(found["relative_gap"].to_numpy())
    return found[[*FIRST, *(name for name in found.columns if name not in FIRST)]]


def blindspots(bundle: Bundle, model: str, two_fold: bool = False) -> Any:
    """What a model suppresses or exaggerates by relative δ, surest first, as a pandas frame.

    `two_fold` adds what is surely changed two-fold, within the thresholds. Surest is what lies
    farthest from no change at the near end of its selection interval; of equal ones (never drawn)
    that of the lower q, then of the larger support.
    """
    found = frame(bundle, model)
    states = BLINDSPOTS + SIZED if two_fold else BLINDSPOTS
    found = found[found["relative_state"].isin(states)]
    # Bundles of schema 1 have the pointwise interval only.
    ends = "relative_gap_selected" if "relative_gap_selected_low" in found else "relative_gap"
    nearest = np.maximum(found[f"{ends}_low"], -found[f"{ends}_high"]).clip(0)
    keys = (-found["support"].to_numpy(), found["q"].to_numpy(), -nearest.to_numpy())
    found = found.iloc[np.lexsort(keys)].reset_index(drop=True)
    return found[[*TELLING, *(name for name in found.columns if name not in TELLING)]]
