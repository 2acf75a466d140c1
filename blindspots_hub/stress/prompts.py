"""Prompts of a stress test of one concept: distinct, checked, named by their text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blindspots_hub.data.identity import CaptionError, check_caption
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint

PROMPTS, IMAGES = 50, 5
"""Prompts a concept, and images a prompt (the paper's, appendix G)."""

LEAST, MOST = 2, 1_000
"""Prompts a concept: fewer have no variance, more are no stress test but an evaluation."""


@dataclass(frozen=True)
class Prompts:
    """Distinct prompts for one concept, by the id that their seeds follow from; and their origin.

    `origin` is a phrase: "captions that name it", "templates", "given", "written by NAME".
    """

    texts: dict[str, str]
    origin: str

    @classmethod
    def of(cls, texts: Iterable[object], origin: str, where: str) -> Prompts:
        """Checked; `where` they come from is named in the sentence about one that cannot be used.

        Of equal ones the first stays. Raises `BlindspotsError` for fewer than `LEAST` or more than
        `MOST`.
        """
        found: dict[str, str] = {}
        for number, text in enumerate(texts, start=1):
            if number > MOST:
                raise BlindspotsError(
                    f"{where} holds more than {MOST:,} prompts: a stress test takes {PROMPTS}, and "
                    f"{MOST:,} at most."
                )
            try:
                prompt = check_caption(text)
            except CaptionError as error:
                said = (
                    str(error)
                    .replace("A caption", f"Prompt {number}")
                    .replace("drop the pair", "leave it out")
                )
                raise BlindspotsError(f"{where}: {said}") from None
            found[prompt_id(prompt)] = prompt
        if len(found) < LEAST:
            told = "no prompt" if not found else f"{len(found)} prompt"
            raise BlindspotsError(
                f"{where} holds {told}: a stress test takes at least {LEAST} different ones, a "
                "line each."
            )
        return cls(found, origin)


def prompt_id(text: str) -> str:
    """Name of a prompt, 16 hex digits of its text: no pair has it, so that seeds are fresh ones."""
    return fingerprint({"prompt": text})[:16]
