"""Which sessions wait for answers: a job that nobody listens for is not begun."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

PATIENCE = 8.0
"""Seconds in which a session begins to listen: a browser does at once, on a busy machine later."""


class Listeners:
    """Open streams of answers, by session."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def listening(self, session: str | None) -> Iterator[None]:
        """While a stream of this session is open; None is no session's."""
        if session is None:
            yield
            return
        with self._lock:
            self._open[session] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[session] -= 1
                if self._open[session] <= 0:
                    del self._open[session]

    def hears(self, session: str, within: float = PATIENCE) -> bool:
        """Whether somebody listens for this session, or begins to `within` seconds."""
        until = time.monotonic() + within
        while not self._open.get(session):
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        return True


LISTENERS = Listeners()
"""Those of this process's page."""
