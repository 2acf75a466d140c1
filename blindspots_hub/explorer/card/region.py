"""What stands in the card's place after a region of the map was drawn around."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blindspots_hub.explorer.card.link import link
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.concept_rows import table
from blindspots_hub.explorer.page.counts import words
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.table_files import FORMATS
from blindspots_hub.explorer.page.view import ROWS
from blindspots_hub.measure.delta import STATES


def region_card(entry: Entry, kind: str, concepts: Sequence[int], total: int) -> str:
    """The concepts of a region as a table, farthest from δ = 0.5 first, as the map sends them."""
    reading = entry.reading(kind)
    found = [STATES[code] for code in reading.state[list(concepts)]]
    counts = {state: found.count(state) for state in set(found)}
    shown = f" The first {ROWS[-1]} of them:" if len(concepts) > ROWS[-1] else ""
    query = link(entry, kind, None)
    files = "".join(
        f'<button type="button" data-region="{ending}" title="{_most(total, len(concepts))}">'
        f"{ending.upper()}</button>"
        for ending in (FORMATS if concepts else ())
    )
    ids = " ".join(map(str, concepts))
    return (
        f'<article class="card region" data-link="{escape(query)}" data-sheet="1" '
        f'data-ids="{ids}">'
        f"<header><h2>{count(total)} concepts selected</h2><span class='tools'>{files}"
        '<button type="button" data-close aria-label="Close" title="Close (Esc)">×</button></span>'
        f"</header><p class='facts'>{', '.join(words(counts))}.{shown}</p>"
        f"{table(entry, kind, list(concepts)[: ROWS[-1]])}</article>"
    )


def _most(total: int, sent: int) -> str:
    """What a file of the region holds."""
    return "All of them" if sent == total else f"The {count(sent)} farthest from no change"
