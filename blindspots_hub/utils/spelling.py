"""Singular and plural of English words, as far as spelling tells."""

from __future__ import annotations

import re


def singular(term: str) -> str:
    """A term without the plural of its last word, as far as English spelling tells: a key only."""
    if len(term) > 4 and term.endswith("ies"):
        return term[:-3] + "y"
    if len(term) > 4 and term.endswith(("shes", "ches", "xes", "sses", "zes")):
        return term[:-2]
    if len(term) > 3 and term.endswith("s") and not term.endswith(("ss", "us", "is")):
        return term[:-1]
    return term


def numbers_of(word: str) -> str:
    """A pattern of a word in the singular and in the plural, whichever `word` is."""
    stems = {word, singular(word)}
    if len(word) > 4 and word.endswith(("ses", "oes")):  # buses, potatoes; "hous" is no word
        stems.add(word[:-2])
    forms = {f"{re.escape(stem)}(?:e?s)?" for stem in stems}
    forms |= {f"{re.escape(stem[:-1])}ies" for stem in stems if stem.endswith("y")}
    return "|".join(sorted(forms))
