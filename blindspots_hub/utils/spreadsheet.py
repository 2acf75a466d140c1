"""Text in CSV files, which spreadsheets would take for formulas and run."""

from __future__ import annotations

_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def no_formula(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula; "" of None."""
    return f"'{text}" if text and text.startswith(_BEGINS) else text or ""


def bare(text: str) -> str:
    """What `no_formula` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_BEGINS) else text
