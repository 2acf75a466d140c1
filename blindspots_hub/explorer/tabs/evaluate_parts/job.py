"""A run that goes on when its page is closed, and that a page comes back to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from threading import Condition, Thread

from blindspots_hub.explorer.page.listening import Updates


class Job:
    """Drives `work`, a generator of updates of a page, in a thread of its own.

    Any number of pages watch it; none of them has to. `stop` ends it at its next update.
    """

    def __init__(self, request: Hashable, work: Iterator[Updates]) -> None:
        self.request = request
        self._work = work
        self._state: Updates = {}
        self._version = 0
        self._ended = self._stopping = False
        self._fault: Exception | None = None
        self._changed = Condition()
        Thread(target=self._drive, daemon=True, name="evaluation").start()

    @property
    def under_way(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended

    def stop(self) -> None:
        """End it; what was done stays on the disk."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def watch(self) -> Iterator[Updates]:
        """What the page shows, whenever that changes, until it ends or is stopped.

        Raises what the work raised.
        """
        seen = -1
        while True:
            with self._changed:
                while self._version == seen and not (self._ended or self._stopping):
                    self._changed.wait()
                fresh, seen = self._version != seen, self._version
                state, ended = dict(self._state), self._ended
                stopped, fault = self._stopping, self._fault
            if stopped:
                return
            if fresh and state:
                yield state
            if ended:
                if fault is not None:
                    raise fault
                return

    def _drive(self) -> None:
        fault: Exception | None = None
        try:
            for updates in self._work:
                with self._changed:
                    if self._stopping:
                        break
                    self._state.update(updates)
                    self._version += 1
                    self._changed.notify_all()
        except Exception as error:
            fault = error
        finally:
            close = getattr(self._work, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._fault, self._ended = fault, True
                self._changed.notify_all()
