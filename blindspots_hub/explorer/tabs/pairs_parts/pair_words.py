"""What is said of a pair: its caption, its kinds and why, and the way from it to a concept."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import PairTable

KIND_WORDS = {
    "all": "all pairs", "memorised": "memorised", "trivial": "trivial",
    "incongruent": "incongruent", "noise": "caption noise",
}  # fmt: skip

MEANING = {
    "memorised": "near its natural image, and the model answers other captions or seeds with the "
    "same picture, or is as near to another image",
    "trivial": "of the nearest tenth, and not memorised",
    "incongruent": "of the tenth with the largest difference",
    "noise": "the caption does not describe an image",
}
"""One line a kind, as `analysis.notable_pairs` defines it."""


def caption_html(words: str) -> str:
    """A caption, or that there is none."""
    return escape(words) or "<i>no caption</i>"


def tags(table: PairTable, row: int) -> str:
    """The kinds that a pair is of, each with why where that is known."""
    found = []
    for kind in table.kinds_of(row):
        why = {"memorised": table.why, "noise": table.noise}.get(kind)
        words = f": {why(row)}" if why else ""
        found.append(
            f'<span class="tag" title="{escape(MEANING[kind])}">'
            f"{KIND_WORDS[kind]}{escape(words)}</span>"
        )
    return " ".join(found)


def card_address(view: View, concept: int) -> str:
    """The address of a concept's card, escaped."""
    return escape(replace(view, tab="explore", concept=concept).link)
