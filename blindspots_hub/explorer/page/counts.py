"""The line of counts: at once how bad the model is, and how far to trust the page."""

from __future__ import annotations

from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count, percent, term
from blindspots_hub.explorer.page.marks import SIGNS
from blindspots_hub.measure.null import null_flagged

ORDER = (
    "suppressed", "exaggerated", "weakened", "strengthened", "leaning", "aligned", "undetermined",
    "dead",
)  # fmt: skip
MEANING = {
    "suppressed": "Drawn less than in the natural images, beyond the threshold δ < 0.1",
    "exaggerated": "Drawn more than in the natural images, beyond the threshold δ > 0.9",
    "weakened": "At most half as much as in the natural images, for sure",
    "strengthened": "At least twice as much as in the natural images, for sure",
    "leaning": "A real difference that stays within the thresholds",
    "aligned": "No difference that could not be chance",
    "undetermined": "Seen in too few images for a judgement",
    "dead": "Fires in none of these images",
}


def counts_line(entry: Entry, kind: str) -> str:
    """Counts of every state, and the null beside them, as HTML."""
    reading = entry.reading(kind)
    certain = {side: reading.certain_count(side) for side in ("suppressed", "exaggerated")}
    return (
        '<div class="counts">'
        + bar(reading.counts)
        + f"<p><b>{count(sum(reading.counts.values()))} concepts</b>: "
        + ", ".join(words(reading.counts, certain))
        + f" · {_null(entry)}</p></div>"
    )


def bar(counts: dict[str, int]) -> str:
    """The shares of the judged states as one bar, as HTML."""
    judged = [state for state in ORDER if state not in ("undetermined", "dead")]
    segments = "".join(
        f'<i class="is-{state}" style="flex-grow:{counts.get(state, 0)}"></i>'
        for state in ("suppressed", "weakened", "leaning", "aligned", "strengthened", "exaggerated")
        if counts.get(state, 0)
    )
    title = ", ".join(f"{count(counts.get(state, 0))} {state}" for state in judged)
    return f'<div class="share" role="img" aria-label="{title}" title="{title}">{segments}</div>'


def words(counts: dict[str, int], certain: dict[str, int] | None = None) -> list[str]:
    """ "31 suppressed (12 certain)" and so on as HTML, a text a state that occurs."""
    said = []
    for state in ORDER:
        n = counts.get(state, 0)
        if not n and state not in ("suppressed", "exaggerated"):
            continue
        sure = f" ({count(certain[state])} certain)" if certain and state in certain and n else ""
        sign = f"{SIGNS[state]} " if state in ("suppressed", "exaggerated") else ""
        said.append(
            f'<span class="is-{state}" title="{MEANING[state].replace("<", "&lt;")}">'
            f"{sign}<b>{count(n)}</b> {state}{sure}</span>"
        )
    return said


def _null(entry: Entry) -> str:
    null = entry.bundle.model(entry.model).get("null") or {}
    share = null_flagged(null)
    if share is None:
        return f"{term('null')} not measured"
    return f"{term('null')} {percent(float(share))}"
