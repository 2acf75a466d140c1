"""What naming will cost, before anything is asked: questions, tokens, money, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blindspots_hub.naming.masking import SHOWN
from blindspots_hub.utils.durations import duration

CHARACTERS = 4.0
"""Characters of English that one token has, about."""

IMAGE_TOKENS = 150
"""Tokens of an image of `masking.SIDE` pixels: 85 to 255 by the models' own counting."""

NAME_TOKENS = 50
"""Tokens of a name with its sentence as JSON."""

YES_TOKENS = 3

SECONDS = 3.0
"""Seconds that a question with images takes, until some were asked."""

TRIED = 3
"""Answers, or as many as are asked for at once, whose time takes the place of `SECONDS`."""


@dataclass(frozen=True)
class Prices:
    """Money for a million tokens, as a provider's page says; None where not told."""

    prompt: float | None = None
    answer: float | None = None


@dataclass(frozen=True)
class Estimate:
    """Questions, prompt and answer tokens, and seconds; `cost` where prices were told.

    All are upper figures: concepts that were named before, or have too few images, are left out.
    """

    questions: int
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    cost: float | None = None

    def timed(self, seconds: float) -> Estimate:
        """The same where an answer comes every so many seconds, as the first ones did."""
        return replace(self, seconds=self.questions * seconds)

    @property
    def words(self) -> str:
        """A sentence."""
        money = "" if self.cost is None else f", costs about {self.cost:,.2f}"
        return (
            f"{self.questions:,} questions, about {self.prompt_tokens:,} tokens to read and "
            f"{self.answer_tokens:,} to write{money}, in about {duration(self.seconds)}."
        )


def estimate(
    concepts: int,
    prompt: str,
    judge: str | None,
    judged_images: int,
    at_once: int,
    prices: Prices | None = None,
    seconds: float = SECONDS,
    exhibits: Sequence[int] = (),
) -> Estimate:
    """Of naming `concepts` with the text `prompt`, and judging each name and another's.

    `judge` is the text of that question, None where the model is not asked; `judged_images` are
    those that it is asked about, a question each. `exhibits` are the images of the concepts' own
    questions where they are known, else as many as are shown at most.
    """
    images = sum(exhibits) if exhibits else concepts * 2 * SHOWN
    read = concepts * len(prompt) / CHARACTERS + images * IMAGE_TOKENS
    written, questions = concepts * NAME_TOKENS, concepts
    if judge is not None:
        more = 2 * judged_images * concepts
        questions += more
        read += more * (len(judge) / CHARACTERS + IMAGE_TOKENS)
        written += more * YES_TOKENS
    told = prices or Prices()
    cost = None
    if told.prompt is not None or told.answer is not None:
        cost = (read * (told.prompt or 0.0) + written * (told.answer or 0.0)) / 1e6
    return Estimate(questions, round(read), written, questions * seconds / max(at_once, 1), cost)
