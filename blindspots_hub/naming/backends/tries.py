"""What is done where an endpoint fails: wait and try again, or say in one sentence why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.address import KEY
from blindspots_hub.naming.backends.base import Unanswered
from blindspots_hub.naming.backends.bounded_answers import TooLong
from blindspots_hub.utils.hub_errors import http_library, status

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try, unless the server says how long to wait."""

LONGEST_WAIT = 120.0
"""Seconds that a server may ask to wait; who wants more is to be asked again another day."""

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)


@dataclass
class Pause:
    """A time before which nobody asks, as the server wants fewer questions."""

    sleep: Callable[[float], None]
    _until: float = 0.0
    _lock: Any = field(default_factory=Lock)

    def for_all(self, seconds: float) -> None:
        """Nobody asks for so many seconds."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def over(self) -> None:
        """Return once questions may be asked."""
        with self._lock:
            left, self_until = self._until - time.monotonic(), self._until
        if left > 0:
            self.sleep(left)
            with self._lock:
                if self._until == self_until:
                    self._until = 0.0


def wait_for(error: Exception, usual: float | None, name: str, images: bool) -> float:
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
    if isinstance(error, TooLong):
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
