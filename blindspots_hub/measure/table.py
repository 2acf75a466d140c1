"""The table of one model: every concept with both δ, how sure they are, and its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from blindspots_hub.measure.comparison import Comparison, comparisons
from blindspots_hub.measure.delta import (
    LEAST_ABSOLUTE,
    delta,
    differs,
    judged,
    mcdiarmid_epsilon,
    relative_delta,
    relative_gap,
    states,
)
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.intervals import GapIntervals, Interval
from blindspots_hub.measure.moments import Moments
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.significance import Selection, benjamini_hochberg

__all__ = ["Columns", "MeasureSettings", "Measured", "count_states", "measure", "measured"]

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """The columns of a table, what was selected in it, and p-values where nothing differs.

    `null_p` float64 (n, repeats) of `measure.null`, NaN where a concept is not judged; None where
    they were not asked for. `images` are those of the generated side.
    """

    columns: Columns
    selection: Selection
    paired: bool
    images: int
    null_p: np.ndarray | None = None


def measure(
    natural: ImageEnergies,
    generated: ImageEnergies,
    settings: MeasureSettings,
    paired: bool,
    generation_energies: GenerationEnergies | None = None,
) -> Columns:
    """The columns of `measured`."""
    return measured(natural, generated, settings, paired, generation_energies).columns


def measured(
    natural: ImageEnergies,
    generated: ImageEnergies,
    settings: MeasureSettings,
    paired: bool,
    generation_energies: GenerationEnergies | None = None,
    null: Callable[[Comparison, np.ndarray], np.ndarray] | None = None,
) -> Measured:
    """Measure every concept (METHOD: section 3; paper: Definition 2 and appendix I).

    `natural` (N, n) and `generated` (M, n); where `paired`, row i of both belongs to pair i, and
    `generation_energies` may be those that `generated` is the mean of. The columns are the numeric
    and state columns of the bundle's `deltas` table, each of length n; intervals are NaN for
    concepts that are dead or undetermined. `null(comparison, judged)` (`measure.null`) gives
    p-values under which nothing differs, in the same pass over the energies.

    Concepts are gone through some at a time, and of each block only what is known of single
    concepts stays, so that memory does not grow with images times concepts.
    """
    blocks: list[dict[str, np.ndarray]] = []
    moments: list[Moments] = []
    for block in comparisons(natural, generated, paired, generation_energies):
        known = judged(block.support, settings)
        told = {name: getattr(block, name) for name in _OF_CONCEPTS}
        if null is not None:
            told["null_p"] = null(block, known)
        blocks.append(told)
        moments.append(block.moments)
    found = {name: np.concatenate([one[name] for one in blocks]) for name in blocks[0]}
    m, support = Moments.joined(moments), found["support"]
    known = judged(support, settings)
    q = benjamini_hochberg(found["p"], known)
    selection = Selection.of(q, settings)
    pointwise = GapIntervals.of(m, settings.confidence)
    selected = GapIntervals.of(m, selection.level)
    flagged = differs(q, (pointwise.gap.low, pointwise.gap.high), settings.alpha)

    def absolute(gap: np.ndarray) -> np.ndarray:
        return delta(gap, settings.tau)

    x, y = m.natural.mean, m.generated.mean
    gaps = _both("", absolute, y - x, pointwise.gap, selected.gap, known)
    relative = _both(
        "relative_", relative_delta, relative_gap(x, y), pointwise.relative, selected.relative,
        known,
    )  # fmt: skip
    sure = (selected.relative.low, selected.relative.high)
    states_of = {
        prefix: states(
            columns[f"{prefix}delta"],
            (columns[f"{prefix}delta_selected_low"], columns[f"{prefix}delta_selected_high"]),
            sure,
            flagged,
            support,
            settings,
            least,
        )
        for prefix, columns, least in (("", gaps, LEAST_ABSOLUTE), ("relative_", relative, 0.0))
    }
    independent = min(m.natural.clusters, m.generated.clusters)
    columns = {
        "concept": np.arange(natural.n_concepts, dtype=np.int32),
        "images_natural": found["images_natural"],
        "images_generated": found["images_generated"],
        "support": support,
        "energy_natural": x,
        "energy_generated": y,
        **gaps,
        **relative,
        "delta_bound": mcdiarmid_epsilon(
            found["largest"], independent, settings.tau, settings.confidence
        ),
        "p": found["p"],
        "q": q,
    }
    for prefix, named in states_of.items():
        columns |= {f"{prefix}state": named.state, f"{prefix}certain": named.certain}
    return Measured(columns, selection, paired, generated.n_images, found.get("null_p"))


_OF_CONCEPTS = ("images_natural", "images_generated", "support", "largest", "p")
"""What stays of a `Comparison`, beside its moments."""


def _both(
    prefix: str,
    to_delta: Callable[[np.ndarray], np.ndarray],
    gap: np.ndarray,
    pointwise: Interval,
    selected: Interval,
    known: np.ndarray,
) -> Columns:
    """A gap and its δ, each with the pointwise and the selection interval of judged concepts."""
    columns = {f"{prefix}gap": gap, f"{prefix}delta": to_delta(gap)}
    for name, interval in (("", pointwise), ("_selected", selected)):
        for end, values in (("low", interval.low), ("high", interval.high)):
            shown = np.where(known, values, np.nan)
            columns[f"{prefix}gap{name}_{end}"] = shown
            columns[f"{prefix}delta{name}_{end}"] = to_delta(shown)
    return columns


def count_states(state: np.ndarray, certain: np.ndarray) -> dict[str, int]:
    """How many concepts are in each state, and how many blindspots are certain."""
    names, counts = np.unique(state.astype(str), return_counts=True)
    counted = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return counted | {"certain": int(certain.sum())}
