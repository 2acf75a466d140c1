"""A bundle in a notebook: its tables as labelled pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

FIRST = ("concept", "label", "relative_state", "relative_certain", "fold")
"""Columns that a frame begins with."""

BLINDSPOTS = ("suppressed", "exaggerated")
SIZED = ("weakened", "strengthened")


def frame(bundle: Bundle, model: str) -> Any:
    """Table DELTAS of a model as a pandas frame, labels and fold change E'/E beside δ."""
    from blindspots_hub.measure.delta import fold

    found = bundle.deltas(model).to_pandas()
    found["label"] = bundle.labels
    found["fold"] = fold(found["relative_gap"].to_numpy())
    return found[[*FIRST, *(name for name in found.columns if name not in FIRST)]]


def blindspots(bundle: Bundle, model: str, two_fold: bool = False) -> Any:
    """What a model suppresses or exaggerates by relative δ, surest first, as a pandas frame.

    `two_fold` adds what is surely changed two-fold, within the thresholds. Surest is what lies
    farthest from no change at the near end of its selection interval.
    """
    found = frame(bundle, model)
    states = BLINDSPOTS + SIZED if two_fold else BLINDSPOTS
    found = found[found["relative_state"].isin(states)]
    ends = [f"relative_gap{part}_{end}" for part in ("_selected", "") for end in ("low", "high")]
    low, high = [name for name in ends if name in found][:2]  # bundles of schema 1 have one
    nearest = found[[low]].to_numpy().ravel(), -found[[high]].to_numpy().ravel()
    order = (-(nearest[0].clip(0) + nearest[1].clip(0))).argsort(kind="stable")
    return found.iloc[order].reset_index(drop=True)
