"""CSV files as spreadsheets write and read them: separators, and what they take for formulas."""

from __future__ import annotations

SEPARATORS = (",", ";", "\t", "|")
"""Of cells, in the order in which they are tried; in a .tsv the tab first."""

_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def no_formula(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula; "" of None."""
    return f"'{text}" if text and text.startswith(_BEGINS) else text or ""


def bare(text: str) -> str:
    """What `no_formula` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_BEGINS) else text
