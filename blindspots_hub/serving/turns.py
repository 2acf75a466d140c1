"""Room for a few pieces of work at once, beside the queue of evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from blindspots_hub.errors import BlindspotsError

PATIENCE = 5.0
"""Seconds that a request waits for room: each that waits holds a thread of the server."""


class Turns:
    """Lets `count` pieces of work go on at once.

    What a browser asks for outside the queue is answered in one of a few threads, which whoever
    asks for files all the time would take from everybody else.
    """

    def __init__(self, count: int) -> None:
        self._room = BoundedSemaphore(count)

    @contextmanager
    def taking(self, what: str) -> Iterator[None]:
        """A turn while the block lasts; `BlindspotsError` where none is free for `PATIENCE`."""
        if not self._room.acquire(timeout=PATIENCE):
            raise BlindspotsError(
                f"Others are waiting for {what}, too: ask for it again in a moment."
            )
        try:
            yield
        finally:
            self._room.release()
