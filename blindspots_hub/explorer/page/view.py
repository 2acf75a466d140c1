"""What one visitor looks at, and how the page's listeners answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blindspots_hub.analysis.deltas import CODE
from blindspots_hub.explorer.page.catalog import Entry

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How a listener is attached that takes its time: in the queue, and no public API."""

AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
"""How a listener is attached that answers at once."""

Updates = dict[Any, Any]
"""What a listener changes: a new value or new properties by component."""


@dataclass(frozen=True)
class View:
    """What one visitor looks at."""

    entry: Entry
    kind: str
    show: str
    concept: int | None


def first_concept(entry: Entry, kind: str) -> int | None:
    """What the page opens with: the strongest certain blindspot, so that it speaks at once."""
    reading = entry.reading(kind)
    for side in ("suppressed", "exaggerated"):
        ranked = reading.ranking(side)
        if len(ranked) and reading.state[ranked[0]] == CODE[side]:
            return int(ranked[0])
    return None
