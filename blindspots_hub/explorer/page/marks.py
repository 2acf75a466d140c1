"""Small marks that every part of the page draws δ with: track, badge, words of a state.

All of them come from the state column: what is not judged has neither δ nor interval, and a concept
is never drawn as a blindspot that is not counted as one.
"""

from __future__ import annotations

import numpy as np

from blindspots_hub import paper
from blindspots_hub.analysis.deltas import CODE, ModelDeltas
from blindspots_hub.analysis.words import MEANING, SIGNS, change_words
from blindspots_hub.explorer.page.format import interval, probability
from blindspots_hub.measure.delta import BLINDSPOTS, STATES

NOT_JUDGED = "–"
"""What stands where δ would, for a concept that is dead or undetermined."""


def state_name(reading: ModelDeltas, concept: int) -> str:
    """Name of a concept's state: one of `STATES`."""
    return STATES[reading.state[concept]]


def state_words(reading: ModelDeltas, concept: int, paired: bool) -> str:
    """The state of a concept as a newcomer reads it: name, meaning, and how much of a change."""
    state = state_name(reading, concept)
    if not reading.determined[concept] or state == "aligned":
        return f"{state}: {MEANING[state]}"
    against = "the natural images of the same captions" if paired else "the natural images"
    return f"{state}: {change(reading, concept)}, against {against}"


def change(reading: ModelDeltas, concept: int) -> str:
    """How much of a concept is drawn, in words, with the interval of the fold change."""
    ends = (reading.r_low, reading.r_high)
    low, high = (float(end[concept]) for end in ends)
    return change_words(float(reading.r[concept]), low, high)


def badge(reading: ModelDeltas, concept: int) -> str:
    """Sign and name of a concept's state as HTML, with "certain" where it is."""
    state = state_name(reading, concept)
    sure = " · certain" if reading.certain[concept] else ""
    return f'<span class="badge is-{state}">{SIGNS.get(state, "")} {state}{sure}</span>'


def shown_delta(reading: ModelDeltas) -> np.ndarray:
    """δ as colours show it, float64 (n,): NaN where it is not judged.

    A state decides what a colour says. Aligned concepts are in the middle, and only a blindspot is
    coloured beyond the thresholds, where the map draws triangles.
    """
    shown = np.clip(reading.delta, paper.SUPPRESSED_BELOW, paper.EXAGGERATED_ABOVE)
    blind = np.isin(reading.state, [CODE[state] for state in BLINDSPOTS])
    shown = np.where(blind, reading.delta, shown)
    shown = np.where(reading.state == CODE["aligned"], 0.5, shown)
    return np.where(reading.determined, shown, np.nan)


def track(reading: ModelDeltas, concept: int) -> str:
    """δ as a dot with its interval on a line from 0 to 1, as HTML; it reads aloud as numbers."""
    plain = bare_track(reading, concept)
    return plain.replace(">", f' role="img" aria-label="{spoken(reading, concept)}">', 1)


def bare_track(reading: ModelDeltas, concept: int, selected: bool = False) -> str:
    """The same without words, for a table that has the numbers in its cells.

    `selected` draws the selection interval, as rankings do.
    """
    if not reading.determined[concept]:
        return '<span class="track is-unjudged"></span>'
    low_end, high_end = (
        (reading.selected_low, reading.selected_high) if selected else (reading.low, reading.high)
    )
    low, value, high = (100 * float(part[concept]) for part in (low_end, reading.delta, high_end))
    state = state_name(reading, concept)
    return (
        f'<span class="track is-{state}" style="--l:{low:.1f}%;--v:{value:.1f}%;--h:{high:.1f}%">'
        "<i></i><b></b></span>"
    )


def delta_words(reading: ModelDeltas, concept: int) -> str:
    """δ with its interval as plain text; "–" where it is not judged."""
    if not reading.determined[concept]:
        return NOT_JUDGED
    ends = interval(float(reading.low[concept]), float(reading.high[concept]))
    return f"{probability(float(reading.delta[concept]))} {ends}"


def spoken(reading: ModelDeltas, concept: int) -> str:
    """The same for a screen reader, as HTML."""
    if not reading.determined[concept]:
        return "δ not judged"
    words = f"δ {delta_words(reading, concept)}"
    return words.replace("<", "&lt;").replace(">", "&gt;")
