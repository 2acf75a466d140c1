"""Small marks that every part of the page draws δ with: track, badge, words of a state."""

from __future__ import annotations

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.explorer.page.format import interval, probability
from blindspots_hub.measure.delta import STATES

SIGNS = {"suppressed": "▼", "exaggerated": "▲", "leaning": "◇", "aligned": "○"}
"""A sign beside the colour of a state, for those who see no colour."""


def state_name(reading: ModelDeltas, concept: int) -> str:
    """Name of a concept's state: one of `STATES`."""
    return STATES[reading.state[concept]]


def state_words(reading: ModelDeltas, concept: int, paired: bool) -> str:
    """The state of a concept as a newcomer reads it."""
    state = state_name(reading, concept)
    against = "in the natural images of the same captions" if paired else "in the natural images"
    if state == "leaning":
        way = "less" if reading.delta[concept] < 0.5 else "more"
        return f"leaning: drawn a little {way} than {against}; real, but within the thresholds"
    return {
        "dead": "dead: it fires in none of these images",
        "undetermined": "undetermined: seen in too few images for a judgement",
        "aligned": f"aligned: no difference to {against} that could not be chance",
        "suppressed": f"suppressed: drawn less than {against}",
        "exaggerated": f"exaggerated: drawn more than {against}",
        "weakened": f"weakened: at most half as much as {against}, for sure",
        "strengthened": f"strengthened: at least twice as much as {against}, for sure",
    }[state]


def badge(reading: ModelDeltas, concept: int) -> str:
    """Sign and name of a concept's state as HTML, with "certain" where it is."""
    state = state_name(reading, concept)
    sure = " · certain" if reading.certain[concept] else ""
    return f'<span class="badge is-{state}">{SIGNS.get(state, "")} {state}{sure}</span>'


def track(reading: ModelDeltas, concept: int) -> str:
    """δ as a dot with its interval on a line from 0 to 1, as HTML; it reads aloud as numbers."""
    plain = bare_track(reading, concept)
    return plain.replace(">", f' role="img" aria-label="{spoken(reading, concept)}">', 1)


def bare_track(reading: ModelDeltas, concept: int) -> str:
    """The same without words, for a table that has the numbers in its cells."""
    low, value, high = (
        100 * float(part[concept]) for part in (reading.low, reading.delta, reading.high)
    )
    state = state_name(reading, concept)
    judged = f" is-{state}" if state not in ("leaning", "aligned") else ""
    return (
        f'<span class="track{judged}" style="--l:{low:.1f}%;--v:{value:.1f}%;--h:{high:.1f}%">'
        "<i></i><b></b></span>"
    )


def spoken(reading: ModelDeltas, concept: int) -> str:
    """δ with its interval as plain text."""
    ends = interval(float(reading.low[concept]), float(reading.high[concept]))
    return f"δ {probability(float(reading.delta[concept]))} {ends}".replace("<", "&lt;").replace(
        ">", "&gt;"
    )
