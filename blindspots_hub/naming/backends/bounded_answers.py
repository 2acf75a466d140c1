"""Answers of a server, bounded in bytes and in time before they are read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from blindspots_hub.utils.hub_errors import http_library

MOST_BYTES = 1024**2
"""Bytes of one answer that are read."""

_watched: ContextVar[float | None] = ContextVar("endpoint_answer_until", default=None)


class TooLong(Exception):
    """An answer that goes on and on."""


@contextmanager
def watching(seconds: float) -> Iterator[None]:
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
        raise TooLong("packs its answers, which was not asked for")
    response.stream = _bounded_stream(response.stream, until)


def _bounded_stream(stream: Any, until: float) -> Any:
    base = http_library().SyncByteStream

    class Bounded(base):  # type: ignore[misc, valid-type]
        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for piece in stream:
                size += len(piece)
                if size > MOST_BYTES:
                    raise TooLong(f"answers more than {MOST_BYTES // 1024:,} KB")
                if time.monotonic() > until:
                    raise TooLong("answers without end")
                yield piece

        def close(self) -> None:
            stream.close()

    return Bounded()
