"""The verdict of a stress test as a mark, the same on every tab."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from blindspots_hub.explorer.page.catalog import Entry

SIGNS = {"confirmed": "✓", "not confirmed": "✗", "undecided": "?"}
"""A sign beside the words, for those who see no colour."""


def verdict_badge(row: Mapping[str, Any]) -> str:
    """The verdict of a row of STRESS_TESTS; its sentence is what a pointer or a focus tells."""
    verdict = row["verdict"]
    css = verdict.replace(" ", "-")
    return (
        f'<abbr class="stress-verdict is-{css}" tabindex="0" title="{escape(row["sentence"])}">'
        f"{SIGNS.get(verdict, '')} {escape(verdict)}</abbr>"
    )


def verdict_of(entry: Entry, concept: int) -> str:
    """The badge of a concept's stress test with a model, as HTML; "" where none was made."""
    row = entry.bundle.stress_tests().get((concept, entry.model))
    return "" if row is None else verdict_badge(row)
