"""A model's result in words: the sentence above its tables, and the lines a terminal shows."""

from __future__ import annotations

import numpy as np

from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.measure.null import null_flagged

NAMED = 3
"""Concepts that the headline names on each side."""


def headline(bundle: Bundle, model: str) -> str:
    """One sentence: what the model draws far too rarely, and what it adds (relative δ)."""
    title = bundle.model(model)["title"]
    reading = ModelDeltas.of(bundle.deltas(model), "relative")
    parts = []
    for state, words in (
        ("suppressed", "draws far too rarely"),
        ("exaggerated", "draws far too often"),
    ):
        ranked = reading.ranking(state)
        blindspots = ranked[reading.state[ranked] == CODE[state]]
        names = _names(bundle, blindspots)
        if names:
            parts.append(f"{words}: {_join(names)}")
    if not parts:
        pairs = bundle.model(model)["pairs"]
        return f"{title} shows no blindspot in {pairs:,} pairs; more pairs can show smaller ones."
    return f"{title} {'; it '.join(parts)}."


def summary(bundle: Bundle, model: str) -> str:
    """Lines for a terminal: headline, counts, what was left out, the null."""
    entry = bundle.model(model)
    lines = [headline(bundle, model)]
    for key, name in (("relative", "relative δ"), ("absolute", "absolute δ")):
        lines.append(f"{name}: {counts_line(entry['counts'][key], bundle.n_concepts)}")
    flagged = null_flagged(entry["null"])
    if flagged is not None:
        lines.append(
            f"With nothing different ({entry['null']['pairs']:,} pairs) {flagged:.1%} are flagged."
        )
    measured = f"{entry['pairs']:,} {'pairs' if entry['design'] == 'paired' else 'images'} measured"
    dropped = ", ".join(f"{n:,} {cause}" for cause, n in entry["dropped"].items())
    lines.append(f"{measured}; left out: {dropped or 'none'}.")
    return "\n".join(lines)


def counts_line(counts: dict[str, int], concepts: int) -> str:
    """'768 concepts: 31 suppressed, 12 exaggerated (20 certain), 402 leaning, …'."""
    n = {name: counts.get(name, 0) for name in ("suppressed", "exaggerated", "certain")}
    rest = ", ".join(
        f"{counts.get(name, 0):,} {name}" for name in ("leaning", "aligned", "undetermined", "dead")
    )
    return (
        f"{concepts:,} concepts: {n['suppressed']:,} suppressed, {n['exaggerated']:,} exaggerated "
        f"({n['certain']:,} certain), {rest}"
    )


def _names(bundle: Bundle, concepts: np.ndarray) -> list[str]:
    labels = bundle.concepts["label"].to_pylist()
    names: list[str] = []
    for concept in concepts:
        name = labels[concept] or f"concept #{concept}"
        if name not in names:  # several concepts may stand for one thing
            names.append(name)
        if len(names) == NAMED:
            break
    return names


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
