"""The lines around the map: the verdict, the counts of states, and the null beside them."""

from __future__ import annotations

from html import escape

from blindspots_hub.analysis.summary import VERDICT_BY, counted, verdict
from blindspots_hub.analysis.words import MEANING, ORDER, SIGNS
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count, percent, term
from blindspots_hub.measure.delta import BLINDSPOTS
from blindspots_hub.measure.null import NullShare

_BAR = ("suppressed", "weakened", "leaning", "aligned", "strengthened", "exaggerated")
"""The judged states in the order of δ, as the bar shows their shares."""


def verdict_line(entry: Entry, kind: str) -> str:
    """The verdict on the model as HTML: what was judged, then what was found.

    It goes by relative δ (METHOD §3, "Verdict") and says so; where the other `kind` is shown, its
    counts follow.
    """
    reading = entry.reading(VERDICT_BY)
    told = verdict(entry.bundle, entry.model, reading)
    other = "" if kind == VERDICT_BY else f" {counted(entry.reading(kind))}".rstrip()
    old = (
        "<p class='old' role='note'>Measured by an older method, whose intervals are too narrow: "
        "<code>remeasure</code> makes these tables anew.</p>"
        if reading.method == 1
        else ""
    )
    return (
        f'<div class="finding" role="status"><p>{escape(told.basis)}</p>'
        f"<p><b>{escape(told.found)}</b>{escape(other)}</p>{old}</div>"
    )


def counts_line(entry: Entry, kind: str) -> str:
    """Counts of every state, and the null beside them, as HTML."""
    reading = entry.reading(kind)
    certain = {side: reading.certain_count(side) for side in BLINDSPOTS}
    return (
        '<div class="counts">'
        + bar(reading.counts)
        + f"<p><b>{count(sum(reading.counts.values()))} concepts</b>: "
        + ", ".join(words(reading.counts, certain))
        + f" · {_null(entry)}</p></div>"
    )


def bar(counts: dict[str, int]) -> str:
    """The shares of the judged states as one bar, as HTML."""
    segments = "".join(
        f'<i class="is-{state}" style="flex-grow:{counts.get(state, 0)}"></i>'
        for state in _BAR
        if counts.get(state, 0)
    )
    title = ", ".join(f"{count(counts.get(state, 0))} {state}" for state in _BAR)
    return f'<div class="share" role="img" aria-label="{title}" title="{title}">{segments}</div>'


def words(counts: dict[str, int], certain: dict[str, int] | None = None) -> list[str]:
    """ "31 suppressed (12 certain)" and so on as HTML, a text a state that occurs."""
    said = []
    for state in ORDER:
        n = counts.get(state, 0)
        if not n and state not in BLINDSPOTS:
            continue
        sure = f" ({count(certain[state])} certain)" if certain and state in certain and n else ""
        sign = f"{SIGNS[state]} " if state in BLINDSPOTS else ""
        said.append(
            f'<span class="is-{state}" title="{escape(MEANING[state])}">'
            f"{sign}<b>{count(n)}</b> {state}{sure}</span>"
        )
    return said


def _null(entry: Entry) -> str:
    null = NullShare.of(entry.bundle.model(entry.model).null)
    if null is None:
        return f"{term('null')} not measured"
    return f"{term('null')} {percent(null.flagged)} ({percent(null.low)} to {percent(null.high)})"
