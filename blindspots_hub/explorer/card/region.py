"""What stands in the card's place after a region of the map was drawn around."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blindspots_hub.explorer.card.concept_card import link
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.counts import words
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.tabs.explore_parts.rankings import MORE_ROWS, table
from blindspots_hub.measure.delta import STATES


def region_card(entry: Entry, kind: str, concepts: Sequence[int], total: int) -> str:
    """The concepts of a region as a table, farthest from δ = 0.5 first, as the map sends them."""
    reading = entry.reading(kind)
    found = [STATES[code] for code in reading.state[list(concepts)]]
    counts = {state: found.count(state) for state in set(found)}
    shown = f" The first {MORE_ROWS} of them:" if len(concepts) > MORE_ROWS else ""
    query = link(entry, kind, None)
    return (
        f'<article class="card region" data-link="{escape(query)}" data-sheet="1">'
        f"<header><h2>{count(total)} concepts selected</h2><span class='tools'>"
        '<button type="button" data-close aria-label="Close" title="Close (Esc)">×</button></span>'
        f"</header><p class='facts'>{', '.join(words(counts))}.{shown}</p>"
        f"{table(entry, kind, list(concepts)[:MORE_ROWS])}</article>"
    )
