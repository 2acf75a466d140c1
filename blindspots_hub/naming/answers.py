"""Reading what a model answered: a name and a sentence, or yes and no."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from blindspots_hub.naming.backends.base import Unanswered

LONGEST_LABEL = 80
LONGEST_SENTENCE = 500
MOST_WORDS = 8
"""Words of a name; what has more is a sentence in its place."""

_REFUSALS = re.compile(
    r"\b(i('m| am) (sorry|unable)|i (cannot|can't|can not|won't)|as an ai\b"
    r"|unable to (help|assist))",
    re.IGNORECASE,
)
_EMPTY = frozenset(
    {"", "unknown", "none", "n/a", "null", "unclear", "nothing", "no common feature"}
)


@dataclass(frozen=True)
class Named:
    """A name and what it means in a sentence, "" where none was given; plain text in one line."""

    label: str
    sentence: str


def read_name(answer: str) -> Named:
    """The first JSON object of an answer that has a `label`.

    Markup stays text: who shows it escapes it. Raises `Unanswered` where there is no such object,
    or its name is none: empty, a refusal, a whole sentence.
    """
    for found in _objects(answer):
        label, sentence = found.get("label"), found.get("sentence")
        if not isinstance(label, str):
            continue
        words = plain_line(label).strip(" .\"'“”")
        if _REFUSALS.search(words):
            raise Unanswered("The model refuses to name it.")
        if words.casefold() in _EMPTY:
            raise Unanswered("The model finds no name.")
        if len(words) > LONGEST_LABEL or len(words.split()) > MOST_WORDS:
            raise Unanswered("The model gives a name that is too long to be one.")
        told = plain_line(sentence) if isinstance(sentence, str) else ""
        return Named(words, told[:LONGEST_SENTENCE])
    if _REFUSALS.search(answer[:500]):
        raise Unanswered("The model refuses to name it.")
    raise Unanswered("The model does not answer in the JSON that was asked for.")


def read_yes(answer: str) -> bool:
    """Whether an answer says yes; `Unanswered` where it says neither yes nor no, or both."""
    words = set(re.findall(r"[a-z]+", answer[:200].casefold()))
    if ("yes" in words) == ("no" in words):
        raise Unanswered("The model says neither yes nor no.")
    return "yes" in words


def plain_line(text: str) -> str:
    """Text in one line without control characters, and without those that reorder text."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(kept.split())


def _objects(answer: str) -> list[dict[str, object]]:
    """JSON objects in a text, outermost first, in order."""
    decoder, found, at = json.JSONDecoder(), [], 0
    for _ in range(50):  # braces of prose are many
        at = answer.find("{", at)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(answer, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict):
            found.append(value)
        at = end
    return found
