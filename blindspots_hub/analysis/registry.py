"""All analyses. To add one: write its file beside this one, its test, and its line here."""

from __future__ import annotations

from blindspots_hub.analysis import delta_histogram, distances, frequency, model_agreement
from blindspots_hub.analysis.base import Analysis
from blindspots_hub.errors import BlindspotsError

ANALYSES: tuple[Analysis, ...] = (
    delta_histogram.ANALYSIS,
    model_agreement.ANALYSIS,
    distances.ANALYSIS,
    frequency.ANALYSIS,
)
"""In the order of the paper's sections."""


def analysis(name: str) -> Analysis:
    """The analysis of a name; an unknown one is a `BlindspotsError` that names those there are."""
    for one in ANALYSES:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in ANALYSES)
    raise BlindspotsError(f"There is no analysis {name!r}: there are {known}.")
