"""Output to a terminal of any encoding: no sign that it cannot show ends a run."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TextIO

_PLAIN = {
    "×": "x", "·": "-", "–": "-", "—": "-", "−": "-", "→": "->", "≥": ">=", "≤": "<=", "±": "+/-",
    "≈": "~", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"', "²": "2", "³": "3", "ᵀ": "T",
    "√": "sqrt", "∩": "and", "•": "*",
}  # fmt: skip
"""What stands for signs that an encoding lacks. Greek letters are spelt, accents dropped."""

_NAME = "blindspots_hub.plain"

_REORDER = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs by which a text shows its letters in another order than they stand in."""


def show_anything(*streams: TextIO) -> None:
    """Let `streams` write every text: in plain signs where their encoding has no better ones."""
    codecs.register_error(_NAME, _plain)
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)  # what tests put in their place has none
        if reconfigure is not None:
            reconfigure(errors=_NAME)


def without_controls(text: str, instead: str = " ") -> str:
    """`text` without signs that move a terminal's cursor, colour it or turn the text around."""
    return "".join(
        instead if sign in _REORDER or unicodedata.category(sign) == "Cc" else sign for sign in text
    )


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_spelt, lacking)), error.end


def _spelt(sign: str) -> str:
    if sign in _PLAIN:
        return _PLAIN[sign]
    name = unicodedata.name(sign, "")
    if name.startswith("GREEK ") and " LETTER " in name:
        return name.rpartition(" ")[2].lower()
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or "?"
