"""Prompts out of text: a file, a form's field, an answer; and a concept's name in their lines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.stress.prompts import MOST
from blindspots_hub.utils.text_encoding import decode

FILE_BYTES = 4 * 1024**2
"""Of a file of prompts, and of what a language model answers."""

LABEL = "{label}"
"""Where a line of a file takes the concept's name."""


def read_lines(path: Path) -> list[str]:
    """The lines of a file of prompts but for empty ones; also a JSON list of strings.

    Raises `BlindspotsError` for a file that is missing, too large, of no known encoding or empty.
    """
    try:
        with open(path, "rb") as handle:
            content = handle.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise BlindspotsError(
                f"{path} is larger than {FILE_BYTES // 1024**2} MiB: give a file of one prompt a "
                f"line, {MOST:,} at most."
            )
    except OSError as error:
        raise BlindspotsError(
            f"The prompts in {path} cannot be read ({error.strerror}): check the file's name."
        ) from error
    return lines_of(decode(content, str(path)), str(path))


def lines_of(text: str, where: str) -> list[str]:
    """The prompts of a text, as `read_lines`; `where` it is from is named where there are none."""
    listed = json_list(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = lines if listed is None else listed
    if not found:
        raise BlindspotsError(f"{where} holds no prompt: write one a line.")
    return found


def json_list(text: str) -> list[str] | None:
    """The strings of a JSON list, where `text` is or holds one."""
    start, end = text.find("["), text.rfind("]")
    if start < 0 or end < start or (text[:start].strip() and "```" not in text[:start]):
        return None
    try:
        found = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(s, str) for s in found) else None


def filled(lines: Sequence[str], label: str, concept: int) -> list[str]:
    """Lines with the concept's name in them; `BlindspotsError` where one asks for a name it lacks.

    Nothing but `{label}` is filled in: braces of other kinds are part of the prompt.
    """
    if not label and any(LABEL in line for line in lines):
        raise BlindspotsError(
            f"Concept {concept} has no name that templates could ask for: name it (labels BUNDLE "
            f'--set {concept} "…"), or give prompts.'
        )
    return [line.replace(LABEL, label) for line in lines]


def numbered_list(answer: str) -> list[str]:
    """The lines of a list that is none of JSON: "1. …", "- …"."""
    lines = re.findall(r"(?m)^\s*(?:\d{1,3}[.)]|[-*•])\s+(.+)$", answer)
    return [line.strip().strip("\"'“”,") for line in lines]
