"""A model behind an endpoint: OpenAI-compatible servers, and Hugging Face's inference.

Both are spoken to through `huggingface_hub.InferenceClient`. Keys come from the environment, are
handed to the client and nowhere else: not to tables, messages, or another host.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.base import LONGEST_ANSWER, Unanswered, Usage
from blindspots_hub.utils.hub_errors import http_library, status

KEY = "BLINDSPOTS_API_KEY"
"""Environment variable with the key of an endpoint that is no known one."""

KEYS = {"api.openai.com": "OPENAI_API_KEY"}
"""Hosts whose own variable is read as well."""

HUGGING_FACE = ("router.huggingface.co", "api-inference.huggingface.co")
HUGGING_FACE_ENDPOINTS = ".endpoints.huggingface.cloud"
"""Hosts, and the end of others, that take a token of the Hub."""

PREFIX = "hf:"
"""What a model's Hub id begins with that Hugging Face's inference providers are to answer for."""

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try, unless the server says how long to wait."""

LONGEST_WAIT = 120.0
"""Seconds that a server may ask to wait; who wants more is to be asked again another day."""

MOST_BYTES = 1024**2
"""Bytes of one answer that are read."""

SECONDS = 180.0
"""Seconds that one answer may take."""

SILENT_SECONDS = 60.0
"""Seconds for which a server may send nothing."""

ANSWER_TOKENS = 512
"""Tokens that an answer may have."""

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_watched: ContextVar[float | None] = ContextVar("endpoint_answer_until", default=None)


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
    _pause: _Pause = field(init=False, repr=False)
    _client: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from huggingface_hub import InferenceClient

        self._pause = _Pause(self.sleep)
        key = _key(self.address)
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
                with _watching(self.seconds):
                    answer = self._client.chat_completion(
                        messages, model=self.model, max_tokens=self.answer_tokens, temperature=0.0
                    )
            except Exception as error:
                again = _wait_for(error, wait, self.name, bool(images))
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


def checked_address(source: str) -> str:
    """The base address of a server, or `BlindspotsError`: http or https, without a key in it."""
    try:
        parts = urlsplit(source)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        raise BlindspotsError(
            "The endpoint is no address: give one such as https://HOST/v1, or hf:OWNER/NAME."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BlindspotsError(
            f"The endpoint's address on {parts.hostname} has more than host and path: a key is "
            f"set in {KEY}."
        )
    if parts.scheme == "http" and _key(source) is not None and not _near(str(parts.hostname)):
        raise BlindspotsError(
            f"The key would go to {parts.hostname} in the clear: give an address with https."
        )
    return source


def data_url(image: Image.Image) -> str:
    """An RGB image as the data URL that chat completions take: JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _key(address: str | None) -> str | None:
    """The key for an address (None: Hugging Face's own), from the environment; None for none."""
    from huggingface_hub import get_token

    host = "" if address is None else str(urlsplit(address).hostname)
    if address is None or host in HUGGING_FACE or host.endswith(HUGGING_FACE_ENDPOINTS):
        return get_token()
    for name in (KEY, KEYS.get(host)):
        if name and (key := os.environ.get(name, "").strip()):
            return key
    return None


def _near(host: str) -> bool:
    """Whether a host is this machine or in the same private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))


def _count(told: Any) -> int:
    return told if isinstance(told, int) and 0 <= told < 10**9 else 0


@dataclass
class _Pause:
    """A time before which nobody asks, as the server wants fewer questions."""

    sleep: Callable[[float], None]
    _until: float = 0.0
    _lock: Any = field(default_factory=Lock)

    def for_all(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def over(self) -> None:
        with self._lock:
            left, self_until = self._until - time.monotonic(), self._until
        if left > 0:
            self.sleep(left)
            with self._lock:
                if self._until == self_until:
                    self._until = 0.0


def _wait_for(error: Exception, usual: float | None, name: str, images: bool) -> float:
    """Seconds until a new try; raises in one sentence what a new try would not mend."""
    from huggingface_hub.errors import InferenceTimeoutError, OfflineModeIsEnabled

    code = status(error)
    if code is not None:
        if code in _PASSING and usual is not None:
            asked = _retry_after(error) if code in (429, 503) else None
            if asked is None:
                return usual
            if asked <= LONGEST_WAIT:
                return asked
            raise BlindspotsError(
                f"{name} wants to be left alone for {asked:,.0f} seconds: run the same again then."
            ) from None
        raise _said(code, name, images) from None
    if isinstance(error, OfflineModeIsEnabled):
        raise BlindspotsError(f"{name} is not asked, as HF_HUB_OFFLINE is set.") from None
    if isinstance(error, _TooLong):
        raise Unanswered(f"{name} {error}.") from None
    lost = isinstance(error, (InferenceTimeoutError, ConnectionError, http_library().HTTPError))
    if lost:
        if usual is not None and not isinstance(error, InferenceTimeoutError):
            return usual
        why = "takes too long" if isinstance(error, InferenceTimeoutError) else "cannot be reached"
        raise BlindspotsError(
            f"{name} {why}: check its address and that it runs; what is done is kept."
        ) from None
    if isinstance(error, (ValueError, TypeError, KeyError, AttributeError, RecursionError)):
        # No JSON, or JSON of another form; the library's messages may quote what was sent.
        raise Unanswered(f"{name} answers what is no chat completion.") from None
    raise error


def _said(code: int, name: str, images: bool) -> BlindspotsError:
    if code in (401, 403):
        return BlindspotsError(
            f"{name} does not accept the key ({code}): set {KEY} (for Hugging Face HF_TOKEN)."
        )
    if code == 402:
        return BlindspotsError(f"{name} wants to be paid (402): look at the account of the key.")
    if code == 404:
        return BlindspotsError(
            f"{name} is not there (404): check the endpoint's address, which mostly ends in /v1, "
            "and the model's name."
        )
    if code == 413:
        return Unanswered(f"{name} finds the question too large (413).")
    if code in (400, 415, 422):
        about = ", perhaps because the model takes no images" if images else ""
        return BlindspotsError(
            f"{name} does not understand the question ({code}){about}: choose another model."
        )
    if code == 429:
        return BlindspotsError(
            f"{name} wants fewer questions (429): run the same again later, or ask fewer at once."
        )
    return BlindspotsError(f"{name} fails ({code}): run the same again later.")


def _retry_after(error: Exception) -> float | None:
    """Seconds that an answer's Retry-After asks for: a number, or a date."""
    told = str(getattr(error, "response").headers.get("retry-after", "")).strip()  # noqa: B009
    try:
        seconds = float(told)
    except ValueError:
        try:
            when = parsedate_to_datetime(told)
        except (ValueError, TypeError):
            return None
        zoned = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        seconds = (zoned - datetime.now(timezone.utc)).total_seconds()
    return max(seconds, 0.0) if seconds == seconds else None


class _TooLong(Exception):
    """An answer that goes on and on."""


@contextmanager
def _watching(seconds: float) -> Iterator[None]:
    """Answers that this thread asks for within are bounded, in bytes and in time."""
    from huggingface_hub.utils import get_session

    hooks = get_session().event_hooks
    if _bounded not in hooks["response"]:
        get_session().event_hooks = {**hooks, "response": [*hooks["response"], _bounded]}
    token = _watched.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _watched.reset(token)


def _bounded(response: Any) -> None:
    """Put a bound on an answer before it is read; answers that nobody watches are left alone."""
    until = _watched.get()
    if until is None:
        return
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise _TooLong("packs its answers, which was not asked for")
    response.stream = _bounded_stream(response.stream, until)


def _bounded_stream(stream: Any, until: float) -> Any:
    base = http_library().SyncByteStream

    class Bounded(base):  # type: ignore[misc, valid-type]
        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for piece in stream:
                size += len(piece)
                if size > MOST_BYTES:
                    raise _TooLong(f"answers more than {MOST_BYTES // 1024:,} KB")
                if time.monotonic() > until:
                    raise _TooLong("answers without end")
                yield piece

        def close(self) -> None:
            stream.close()

    return Bounded()
