"""Whether measured images look like what their concept space was trained on, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from blindspots_hub.artifacts.bundle import Bundle

SIDES = {"natural": "natural images", "generated": "generated images"}
"""Sides of a model's entry `domain` in the manifest, and their names."""


def domain_warning(bundle: Bundle, model: str) -> str | None:
    """What to tell of a model's result whose images are outside the space; None where none are.

    Nor is anything told of bundles that do not know the images their space was trained on.
    """
    told = bundle.model(model).domain or {}
    outside = [name for name in SIDES if told.get(name, {}).get("is_outside")]
    sentences = [side_warning(name, told[name], told["home"]) for name in outside]
    return " ".join(sentences) or None


def side_warning(side: str, found: Mapping[str, Any], home: Mapping[str, Any]) -> str:
    """The sentence on one side that is outside, from what a manifest's `domain` says of it."""
    return (
        f"The {SIDES[side]} do not look like what this concept space was trained on: "
        f"{_figure(found, home)}. Its concepts may not mean here what they mean there "
        f"({found['outside']:.0%} of {found['images']:,} images are outside)."
    )


def _figure(found: Mapping[str, Any], home: Mapping[str, Any]) -> str:
    feature, change = found["feature"], found["median"] - found["home"]
    if feature == "unexplained":
        return (
            f"it reconstructs {max(found['r2'], 0.0):.0%} of their tokens' variance, "
            f"{max(home['r2'], 0.0):.0%} at home"
        )
    times = math.exp(abs(change) / 2)  # of logarithms of squares
    if feature == "within":
        many = "more" if change > 0 else "less"
        return f"the tokens of one image differ {times:.1f} times {many} than at home"
    far = "as far" if change > 0 else "as near"
    where = (
        "the middle of its own tokens" if feature == "distance" else "the span of its own tokens"
    )
    return f"their tokens lie {times:.1f} times {far} from {where} as at home"
