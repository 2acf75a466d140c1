"""All analyses. To add one: write its file beside this one, its test, and its line here."""

from __future__ import annotations

from blindspots_hub.analysis import (
    agreement_matrix,
    coactivation,
    delta_clustering,
    delta_histogram,
    distances,
    fid_bounds,
    frequency,
    hierarchy,
    model_agreement,
    model_comparison,
    names,
    notable_pairs,
    orthogonality,
    other_metrics,
    ranking_stability,
    redundancy,
    shared_blindspots,
    stress_test,
    theorem_checks,
    token_coactivation,
    token_kinds,
)
from blindspots_hub.analysis.base import Analysis
from blindspots_hub.errors import BlindspotsError

ANALYSES: tuple[Analysis, ...] = (
    delta_histogram.ANALYSIS,
    delta_clustering.ANALYSIS,
    model_agreement.ANALYSIS,
    agreement_matrix.ANALYSIS,
    shared_blindspots.ANALYSIS,
    notable_pairs.ANALYSIS,
    distances.ANALYSIS,
    model_comparison.ANALYSIS,
    frequency.ANALYSIS,
    coactivation.ANALYSIS,
    token_coactivation.ANALYSIS,
    stress_test.ANALYSIS,
    theorem_checks.ANALYSIS,
    fid_bounds.ANALYSIS,
    other_metrics.ANALYSIS,
    redundancy.ANALYSIS,
    hierarchy.ANALYSIS,
    orthogonality.ANALYSIS,
    ranking_stability.ANALYSIS,
    token_kinds.ANALYSIS,
    names.ANALYSIS,
)
"""In the order of the paper's sections."""


def analysis(name: str) -> Analysis:
    """The analysis of a name; an unknown one is a `BlindspotsError` that names those there are."""
    for one in ANALYSES:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in ANALYSES)
    raise BlindspotsError(f"There is no analysis {name!r}: there are {known}.")
