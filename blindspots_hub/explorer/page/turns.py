"""Which of several answers counts where a visitor is quicker than the page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from blindspots_hub.explorer.page.listening import Updates

Turns = dict[str, float]
"""Of each kind of event the last that a session has heard: an object of the session's own."""


def latest(handler: Callable[..., Updates], kind: str, nothing: Updates) -> Callable[..., Updates]:
    """`handler`, whose answer is `nothing` where a later event of `kind` was heard meanwhile.

    Events are answered beside each other, in whatever order. Its last input is the session's
    `Turns`. What an event says has a `turn`, the browser's time; else they count as they arrive.
    """

    @wraps(handler)
    def latest_handler(*args: Any) -> Updates:
        *said, turns = args
        arrived = turns.get(kind, 0.0) + 1
        turn = arrived
        if said and isinstance(said[0], gr.EventData):
            turn = float(getattr(said[0], "turn", arrived))
        turns[kind] = max(turns.get(kind, 0.0), turn)
        updates = handler(*said)
        return updates if turn >= turns[kind] else nothing

    seen = inspect.signature(handler)  # Gradio reads from it where an event is wanted
    last = inspect.Parameter("turns", inspect.Parameter.POSITIONAL_ONLY)
    every = [one.replace(kind=last.kind) for one in seen.parameters.values()]
    latest_handler.__signature__ = seen.replace(parameters=[*every, last])  # type: ignore[attr-defined]
    return latest_handler
