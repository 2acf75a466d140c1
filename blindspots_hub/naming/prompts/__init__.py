"""What models are asked: text files with places in braces, which one can read and replace."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.errors import BlindspotsError

HERE = Path(__file__).parent

LONGEST = 20_000
"""Characters of a prompt."""

PLACES: Mapping[str, Sequence[str]] = {"name": ("fires", "silent"), "judge": ("label",)}
"""Prompts, and the places that each may have."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of `text`; braces that are no place are written twice."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What tells it from others: of the file's text, places unfilled."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def filled(self, **values: object) -> str:
        """The text with its places filled."""
        return self.text.format(**values)


def prompt(name: str, folder: Path | None = None) -> Prompt:
    """The prompt of a name: NAME.txt of `folder` where that has one, else our own.

    Raises `BlindspotsError` where it cannot be read or has places that are not filled.
    """
    own = HERE / f"{name}.txt"
    path = own if folder is None or not (folder / own.name).is_file() else folder / own.name
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BlindspotsError(f"The prompt {path} cannot be read ({error}).") from error
    allowed = PLACES[name]
    try:
        places = {place for _, place, *_ in string.Formatter().parse(text) if place is not None}
    except ValueError as error:
        raise BlindspotsError(
            f"The prompt {path} has half a place ({error}): write {{{{ for a plain brace."
        ) from error
    if strange := sorted(places - set(allowed)):
        raise BlindspotsError(
            f"The prompt {path} has the place {{{strange[0][:60]}}}: there are "
            f"{', '.join(allowed)}. Write {{{{ for a plain brace."
        )
    if not text.strip() or len(text) > LONGEST:
        raise BlindspotsError(f"The prompt {path} is empty or longer than {LONGEST:,} characters.")
    return Prompt(name, text.strip())
