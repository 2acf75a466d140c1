"""Which of several answers counts where a visitor is quicker than the page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.page.view import View

CLOCK_JS = "(...all) => { all[all.length - 2] = performance.now(); return all; }"
"""Puts the time of an event, by the browser's clock, in the place of its last input but one."""


class Turns:
    """What a session has heard and noted: an object of its own, which its events share.

    `times` has of each kind of event the time of the last one, `view` is the view noted last.
    Events of a session are answered one at a time, under `lock`: each starts from the view that the
    one before has left, and not from that of the moment at which it came in.
    """

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self.view = View()
        self.lock = RLock()

    def __deepcopy__(self, memo: object) -> Turns:
        """Every session begins with one of its own."""
        return Turns()

    def newest(self, view: View) -> View:
        """The view to start from where an event came in with `view`."""
        return view if view.noted >= self.view.noted else self.view


def latest(
    handler: Callable[..., Updates],
    kind: str,
    view: object,
    late: Callable[[Updates], Updates],
) -> Callable[..., Updates]:
    """`handler`, whose answer is passed through `late` where a later event of `kind` was heard.

    Events come in beside each other, in whatever order. The last inputs are the event's time
    (`CLOCK_JS`) and the session's `Turns`; the first that is a `View` is the page's, which the
    output `view` keeps.
    """

    @wraps(handler)
    def latest_handler(*args: Any) -> Updates:
        *said, time, turns = args
        turns.times[kind] = max(turns.times.get(kind, 0.0), time)
        with turns.lock:
            for place, one in enumerate(said):
                if isinstance(one, View):
                    said[place] = turns.newest(one)
                    break
            updates = handler(*said)
            if time < turns.times[kind]:
                updates = late(updates)
            noted = updates.get(view)
            if isinstance(noted, View):
                turns.view = noted
        return updates

    seen = inspect.signature(handler)  # Gradio reads from it where an event is wanted
    every = [
        one.replace(kind=one.POSITIONAL_ONLY)
        for one in seen.parameters.values()
        if one.kind is not one.VAR_POSITIONAL
    ]
    rest = inspect.Parameter("rest", inspect.Parameter.VAR_POSITIONAL)
    latest_handler.__signature__ = seen.replace(parameters=[*every, rest])  # type: ignore[attr-defined]
    return latest_handler
