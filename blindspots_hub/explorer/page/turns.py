"""Which of several answers counts where a visitor is quicker than the page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from blindspots_hub.explorer.page.listening import Updates

Turns = dict[str, float]
"""Of each kind of event the time of the last that a session has heard: an object of its own."""

CLOCK_JS = "(...all) => { all[all.length - 2] = performance.now(); return all; }"
"""Puts the time of an event, by the browser's clock, in the place of its last input but one."""


def latest(
    handler: Callable[..., Updates], kind: str, late: Callable[[Updates], Updates]
) -> Callable[..., Updates]:
    """`handler`, whose answer is passed through `late` where a later event of `kind` was heard.

    Events are answered beside each other, in whatever order. The last inputs are the event's time
    (`CLOCK_JS`) and the session's `Turns`.
    """

    @wraps(handler)
    def latest_handler(*args: Any) -> Updates:
        *said, time, turns = args
        turns[kind] = max(turns.get(kind, 0.0), time)
        updates = handler(*said)
        return late(updates) if time < turns[kind] else updates

    seen = inspect.signature(handler)  # Gradio reads from it where an event is wanted
    every = [
        one.replace(kind=one.POSITIONAL_ONLY)
        for one in seen.parameters.values()
        if one.kind is not one.VAR_POSITIONAL
    ]
    rest = inspect.Parameter("rest", inspect.Parameter.VAR_POSITIONAL)
    latest_handler.__signature__ = seen.replace(parameters=[*every, rest])  # type: ignore[attr-defined]
    return latest_handler
