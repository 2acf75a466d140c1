"""Long work as a generator of events: whoever drives it shows progress, or stops it.

A stage is written as a generator that yields an `Event` after every piece of work and *returns* its
result. Ceasing to iterate cancels it; what it wrote stays. The terminal drives it with `tqdm`, the
app with `gr.Progress`; both see the same events.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from blindspots_hub.utils.terminal import without_controls

P = ParamSpec("P")
T = TypeVar("T")

_LOG_SECONDS = 30.0
"""Between two states of a bar where nobody watches, so that a log stays readable."""


@dataclass(frozen=True)
class Event:
    """One step of long work.

    `stage` is a short phrase a user can read ("generate images"), `done` of `total` pieces are
    finished, `detail` carries what a page may want to show of it (an image, a count), and under
    `warning` a sentence that is to be shown and to stay.
    """

    stage: str
    done: int
    total: int
    detail: dict[str, Any] = field(default_factory=dict)


Work = Generator[Event, None, T]
"""A stage: yields events, returns a `T`."""


def drive(work: Work[T], show: Callable[[Event], None] | None = None) -> T:
    """Run `work` to its end, hand every event to `show`, and return its result."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        if show is not None:
            show(event)


class TerminalProgress:
    """Shows events as one `tqdm` bar a stage; a context manager, so that bars are closed."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._stage: str | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        warning = event.detail.get("warning")
        if warning and not (self._quiet and int(os.environ.get("RANK", "0"))):
            from tqdm import tqdm

            tqdm.write(f"Warning: {without_controls(str(warning))}", file=sys.stderr)
        if self._quiet:
            return
        if event.stage != self._stage:
            from tqdm import tqdm

            self.close()
            self._bar = tqdm(
                total=event.total,
                desc=event.stage,
                unit="",
                dynamic_ncols=True,
                mininterval=0.1 if sys.stderr.isatty() else _LOG_SECONDS,
            )
            self._stage = event.stage
        self._bar.total = event.total
        self._bar.update(event.done - self._bar.n)

    def close(self) -> None:
        """Close the bar that is open, if any."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            self._stage = None

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Call(Generic[P, T]):
    """A public call: it does its work when it is called, and shows progress in the terminal.

    `stream` is the same work as a generator of events, for whoever shows progress elsewhere or
    wants to stop: ceasing to iterate cancels it, and what it wrote stays.
    """

    def __init__(self, stream: Callable[P, Work[T]]) -> None:
        self.stream = stream
        update_wrapper(self, stream)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work and return its result."""
        with TerminalProgress(quiet=not sys.stderr.isatty()) as show:
            return drive(self.stream(*args, **kwargs), show)

    def __repr__(self) -> str:
        return f"<call {self.stream.__module__}.{self.stream.__qualname__}>"
