"""The contract of a backend, and asking one of them many questions.

A backend is anything with these attributes; `endpoint.py` and `transformers_model.py` are two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from blindspots_hub.errors import BlindspotsError

LONGEST_ANSWER = 16_000
"""Characters of an answer that are looked at; a name and a sentence are some hundred."""


class Unanswered(BlindspotsError):
    """One question got no usable answer (a refusal, nothing, too much); others may."""


@dataclass
class Usage:
    """What a backend was asked so far. Tokens are as it counts them, 0 where it does not tell."""

    questions: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    tries_again: int = 0
    _lock: Any = field(default_factory=Lock, repr=False, compare=False)

    def add(
        self, questions: int = 0, prompt_tokens: int = 0, answer_tokens: int = 0, again: int = 0
    ) -> None:
        """Count; threads may do so at once."""
        with self._lock:
            self.questions += questions
            self.prompt_tokens += prompt_tokens
            self.answer_tokens += answer_tokens
            self.tries_again += again


@runtime_checkable
class TextModel(Protocol):
    """A model that answers a question in words.

    Attributes:
        name: what the model is called in tables; never an address with a key.
        sees_images: whether it can be handed images.
        at_once: how many questions it may be asked at the same time.
        usage: what it was asked so far.
    """

    @property
    def name(self) -> str:  # noqa: D102
        ...

    @property
    def sees_images(self) -> bool:  # noqa: D102
        ...

    @property
    def at_once(self) -> int:  # noqa: D102
        ...

    @property
    def usage(self) -> Usage:  # noqa: D102
        ...

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """The answer to `prompt` about RGB `images`: at most `LONGEST_ANSWER` characters.

        Raises `Unanswered` where this question alone failed, and `BlindspotsError` where no other
        would fare better: no key, no such model, no connection.
        """
        ...


class Similarity(Protocol):
    """A model that puts images and texts into one space.

    Attributes:
        name: what the model is called in tables.
    """

    @property
    def name(self) -> str:  # noqa: D102
        ...

    def images(self, files: Sequence[bytes | Image.Image | None]) -> np.ndarray:
        """Unit embeddings float64 (N, d); NaN of None and of what cannot be decoded."""
        ...

    def texts(self, captions: Sequence[str]) -> np.ndarray:
        """Unit embeddings float64 (N, d)."""
        ...


@dataclass(frozen=True)
class Question:
    """A prompt and the images it is about, which are made when it is asked."""

    prompt: str
    images: tuple[Image.Image, ...] = ()


def ask_all(
    model: TextModel, questions: Sequence[Question] | Iterator[Question]
) -> Iterator[tuple[int, str | Unanswered]]:
    """The place of every question with its answer, or why it has none, as answers come in.

    As many are on their way as the model takes at once, so `questions` may be made one by one.
    A `BlindspotsError` that is no `Unanswered` ends it; answers that came before were handed out.
    """
    waiting: dict[Future[str], int] = {}
    numbered = enumerate(questions)
    with ThreadPoolExecutor(max(model.at_once, 1), thread_name_prefix="ask") as pool:
        try:
            while True:
                while len(waiting) < max(model.at_once, 1):
                    following = next(numbered, None)
                    if following is None:
                        break
                    place, question = following
                    waiting[pool.submit(model.ask, question.prompt, question.images)] = place
                if not waiting:
                    return
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                failed: BlindspotsError | None = None
                for one in sorted(done, key=lambda future: waiting[future]):
                    place = waiting.pop(one)
                    try:
                        answer: str | Unanswered = one.result()
                    except Unanswered as unanswered:
                        answer = unanswered
                    except BlindspotsError as error:
                        failed = error
                        continue
                    yield place, answer
                if failed is not None:
                    raise failed
        finally:
            for one in waiting:
                one.cancel()
