"""A model's result in words: what was judged, what was found, and the lines a terminal shows.

The one sentence of page, command line and cards. What could not be judged is said first, and
nothing is ever said to be free of blindspots (METHOD §3, "Verdict").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blindspots_hub import paper
from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import ORDER, change_words, times
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.manifest import ModelEntry
from blindspots_hub.measure.delta import fold
from blindspots_hub.measure.null import NullShare

VERDICT_BY = "relative"
"""The δ that a verdict goes by: its threshold is a change by a factor, whatever the concept."""

NAMED = 3
"""Concepts that the verdict names on each side."""

TRIED_AGAIN = frozenset({"pipeline_error", "no_image"})
"""Causes for which a pair is left out that say nothing about it."""

_NULLS = {
    "swap": "With the two sides of every pair swapped at random",
    "relabel": "With all images dealt anew to the two sides at random",
}
"""How a null was made, by its kind in the manifest (`measure.null`)."""

_BLIND = {"suppressed": "draws far too rarely", "exaggerated": "draws far too often"}


@dataclass(frozen=True)
class Verdict:
    """What a model's table says: `basis` is what was judged, `found` what was found among it."""

    basis: str
    found: str

    @property
    def sentence(self) -> str:
        """Both, the basis first."""
        return f"{self.basis} {self.found}"


def verdict(bundle: Bundle, model: str, deltas: ModelDeltas | None = None) -> Verdict:
    """The verdict on one model, by relative δ and its selection intervals.

    `deltas` are its concepts under relative δ, for whoever has read them.
    """
    deltas = deltas or ModelDeltas.of(bundle.deltas(model), VERDICT_BY)
    return Verdict(_basis(bundle, model, deltas), _found(bundle, model, deltas))


def counted(deltas: ModelDeltas) -> str:
    """What stands beside the verdict where another δ is shown or asked for than it goes by."""
    if not deltas.determined.any():
        return ""
    if not any(deltas.counts[state] for state in _BLIND):
        return f"By {deltas.kind} δ none of the judged is beyond the thresholds."
    told = (
        f"{deltas.counts[state]:,} {state} ({deltas.certain_count(state):,} certain)"
        for state in _BLIND
    )
    return f"By {deltas.kind} δ: {' and '.join(told)}."


def summary(bundle: Bundle, model: str) -> str:
    """Lines for a terminal: verdict, counts, the null, what was left out."""
    entry = bundle.model(model)
    told = verdict(bundle, model)
    lines = [told.basis, told.found]
    for key, name in (("relative", "relative δ"), ("absolute", "absolute δ")):
        if key in entry.counts:
            lines.append(f"{name}: {counts_line(entry.counts[key], bundle.n_concepts)}")
    if null := null_words(entry):
        lines.append(null)
    measured = f"{entry.pairs:,} {_images(entry)} measured"
    left_out = [f"{n:,} {cause}" for cause, n in entry.dropped.items()]
    if skipped := skipped_words(bundle, model):
        left_out.append(f"and of what they come from {skipped}" if left_out else f"{skipped}")
    lines.append(f"{measured}; left out: {', '.join(left_out) or 'none'}.")
    if entry.dropped.keys() & TRIED_AGAIN:
        lines.append("Captions that could not be drawn are tried again by the same command.")
    if (entry.method or 1) == 1:
        lines.append(
            "These tables were measured by an older method whose intervals are too narrow: "
            "`remeasure` makes them anew from the kept energies."
        )
    return "\n".join(lines)


def skipped_words(bundle: Bundle, model: str | None = None) -> str:
    """What of the sources of a bundle's pairs, or a model's, is none: "5 caption_not_text, …".

    "" where that is nothing. Causes are those of `data.pairs` and `data.listing`.
    """
    own = bundle.model(model).run.get("skipped") if model else None
    skipped = own if isinstance(own, dict) else (bundle.manifest.skipped or {})
    return ", ".join(f"{n:,} {cause}" for cause, n in skipped.items())


def counts_line(counts: Mapping[str, int], concepts: int) -> str:
    """'768 concepts: 31 suppressed, 12 exaggerated (20 certain), 15 weakened, …'."""
    blind = [f"{counts.get(name, 0):,} {name}" for name in _BLIND]
    rest = [f"{counts.get(name, 0):,} {name}" for name in ORDER if name not in _BLIND]
    return (
        f"{concepts:,} concepts: {', '.join(blind)} ({counts.get('certain', 0):,} certain), "
        f"{', '.join(rest)}"
    )


def null_words(entry: ModelEntry) -> str:
    """What the same method flags where nothing differs, or "" where that was not measured."""
    null = NullShare.of(entry.null)
    if null is None:
        return ""
    how = _NULLS.get(null.kind, f"In the null {null.kind!r}")
    return (
        f"{how}, where nothing differs, {null.flagged:.1%} of "
        f"the judged concepts are flagged ({null.low:.1%} to {null.high:.1%} in "
        f"{null.repeats:,} repeats)."
    )


def threshold_fold() -> float:
    """The change at which relative δ calls a concept a blindspot: 15.5-fold."""
    logit = np.log(paper.EXAGGERATED_ABOVE / (1 - paper.EXAGGERATED_ABOVE))
    return float(fold(np.array(paper.RELATIVE_TAU * logit)))


def visible_fold(deltas: ModelDeltas) -> float | None:
    """The change that would surely show in a concept of middling spread, as a fold ≥ 1.

    From the median half-width of the selection interval of r over what is judged; None where
    nothing is, or where no change would.
    """
    if not deltas.determined.any():
        return None
    width = (deltas.r_selected_high - deltas.r_selected_low)[deltas.determined] / 2
    half = float(np.median(width))
    return float(fold(np.array(half))) if half < 1 else None


def _basis(bundle: Bundle, model: str, deltas: ModelDeltas) -> str:
    entry = bundle.model(model)
    judged, seen = int(deltas.determined.sum()), int((deltas.state != CODE["dead"]).sum())
    least = entry.measured_with.min_support
    images = _images(entry)
    start = (
        f"{entry.title}: of {bundle.n_concepts:,} concepts {seen:,} fire in the "
        f"{entry.pairs:,} {images}, and {judged:,} in enough of them ({least:,} or more) to be "
        "judged"
    )
    visible = visible_fold(deltas)
    if visible is None:
        return f"{start}."
    return (
        f"{start}; a change of {times(visible)}-fold would surely show in a typical one of these."
    )


def _found(bundle: Bundle, model: str, deltas: ModelDeltas) -> str:
    title = bundle.model(model).title
    judged = int(deltas.determined.sum())
    if not judged:
        return "Nothing can be said of any concept: evaluate more pairs."
    parts = []
    for state, words in _BLIND.items():
        names = _names(bundle, deltas.blindspots(state))
        if names:
            parts.append(f"{words}: {_join(names)}")
    if parts:
        return f"{title} {'; it '.join(parts)} ({_sureness(deltas)})."
    none = (
        f"None of the {judged:,} judged changed {threshold_fold():.3g}-fold, the threshold of "
        "relative δ"
    )
    largest = _largest_sure(deltas)
    if largest is None:
        return f"{none}; and no change is surely two-fold."
    k = largest
    change = change_words(
        float(deltas.r[k]), float(deltas.r_selected_low[k]), float(deltas.r_selected_high[k])
    )
    name = _names(bundle, np.array([k]))[0]
    return f"{none}; the largest sure change of {title} is in {name}: {change}."


def _sureness(deltas: ModelDeltas) -> str:
    """How many blindspots there are by which δ, and of how many the size is sure."""
    blind = sum(deltas.counts[state] for state in _BLIND)
    certain = sum(deltas.certain_count(state) for state in _BLIND)
    sure = f"{certain:,}" if certain else "none"
    return (
        f"{blind:,} blindspot{'s' * (blind != 1)} by {deltas.kind} δ, {sure} certain to be that "
        "large"
    )


def _largest_sure(deltas: ModelDeltas) -> int | None:
    """Of the concepts surely two-fold, the one whose selection interval is farthest from r = 0."""
    states = [CODE["weakened"], CODE["strengthened"]]
    sized = np.flatnonzero(np.isin(deltas.state, states))
    if not len(sized):
        return None
    nearest = np.maximum(deltas.r_selected_low[sized], -deltas.r_selected_high[sized])
    return int(sized[np.argmax(nearest)])


def _images(entry: ModelEntry) -> str:
    return "pairs" if entry.paired else "generated images"


def _names(bundle: Bundle, concepts: np.ndarray) -> list[str]:
    names: list[str] = []
    for concept in concepts:
        name = bundle.labels[concept] or f"concept #{concept}"
        if name not in names:  # several concepts may stand for one thing
            names.append(name)
        if len(names) == NAMED:
            break
    return names


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
