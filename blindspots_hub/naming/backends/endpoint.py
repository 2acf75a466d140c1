"""A model behind an endpoint: OpenAI-compatible servers, and Hugging Face's inference.

Both are spoken to through `huggingface_hub.InferenceClient`. Keys come from the environment, are
handed to the client and nowhere else: not to tables, messages, or another host.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.address import checked_address, key_of
from blindspots_hub.naming.backends.base import LONGEST_ANSWER, Unanswered, Usage
from blindspots_hub.naming.backends.bounded_answers import watching
from blindspots_hub.naming.backends.tries import WAITS, Pause, wait_for
from blindspots_hub.utils.hub_errors import status

PREFIX = "hf:"
"""What a model's Hub id begins with that Hugging Face's inference providers are to answer for."""

SECONDS = 180.0
"""Seconds that one answer may take."""

SILENT_SECONDS = 60.0
"""Seconds for which a server may send nothing."""

ANSWER_TOKENS = 512
"""Tokens that an answer may have."""


@dataclass
class Endpoint:
    """A chat-completions endpoint as a `TextModel`.

    `address` is the base address of an OpenAI-compatible server, or None for Hugging Face's
    inference providers, and `model` the name that it is asked for. `sleep` waits between tries.
    """

    model: str | None
    address: str | None = None
    at_once: int = 8
    answer_tokens: int = ANSWER_TOKENS
    seconds: float = SECONDS
    sleep: Callable[[float], None] = time.sleep
    sees_images: bool = True
    usage: Usage = field(default_factory=Usage)
    _pause: Pause = field(init=False, repr=False)
    _client: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from huggingface_hub import InferenceClient

        self._pause = Pause(self.sleep)
        key = key_of(self.address)
        options: dict[str, Any] = {
            "timeout": SILENT_SECONDS,
            "headers": {"Accept-Encoding": "identity"},  # so that bytes read are bytes unpacked
        }
        if self.address is None:
            if not self.model:
                raise BlindspotsError("Say which model is asked: hf:OWNER/NAME.")
            if key is None:
                raise BlindspotsError(
                    f"{PREFIX}{self.model} needs a token of the Hugging Face Hub: run "
                    "`hf auth login`, or set HF_TOKEN."
                )
            self._client = InferenceClient(model=self.model, token=key, **options)
        else:
            # Without any key the client would send the Hub's token to whoever this is.
            self._client = InferenceClient(base_url=self.address, api_key=key or "none", **options)

    @classmethod
    def of(cls, source: str, model: str | None = None, **options: Any) -> Endpoint:
        """From what a user names: `hf:OWNER/NAME`, or the address of a server."""
        if source.startswith(PREFIX):
            return cls(source.removeprefix(PREFIX), None, **options)
        return cls(model, checked_address(source), **options)

    @property
    def name(self) -> str:
        """The model, and whose it is: the host, without what an address may hide."""
        host = "Hugging Face" if self.address is None else urlsplit(self.address).hostname
        return f"{self.model} ({host})" if self.model else str(host)

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """See `TextModel.ask`; what fails on the server's side is tried again."""
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        content += [{"type": "image_url", "image_url": {"url": data_url(i)}} for i in images]
        messages = [{"role": "user", "content": content if images else prompt}]
        self.usage.add(questions=1)
        for wait in (*WAITS, None):
            self._pause.over()
            try:
                with watching(self.seconds):
                    answer = self._client.chat_completion(
                        messages, model=self.model, max_tokens=self.answer_tokens, temperature=0.0
                    )
            except Exception as error:
                again = wait_for(error, wait, self.name, bool(images))
                self.usage.add(again=1)
                self._pause.for_all(again) if status(error) == 429 else self.sleep(again)
                continue
            return self._words(answer)
        raise AssertionError("the last try returns or raises")

    def _words(self, answer: Any) -> str:
        try:
            told, choice = getattr(answer, "usage", None), answer.choices[0]
            words, refusal = choice.message.content, getattr(choice.message, "refusal", None)
        except (AttributeError, IndexError, TypeError, KeyError):
            raise Unanswered(f"{self.name} answers without words: ask another model.") from None
        self.usage.add(
            prompt_tokens=_count(getattr(told, "prompt_tokens", 0)),
            answer_tokens=_count(getattr(told, "completion_tokens", 0)),
        )
        if refusal or getattr(choice, "finish_reason", "") == "content_filter":
            raise Unanswered(f"{self.name} refuses to answer.")
        if not isinstance(words, str) or not words.strip():
            raise Unanswered(f"{self.name} answers nothing.")
        return words[:LONGEST_ANSWER]


def data_url(image: Image.Image) -> str:
    """An RGB image as the data URL that chat completions take: JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _count(told: Any) -> int:
    return told if isinstance(told, int) and 0 <= told < 10**9 else 0
