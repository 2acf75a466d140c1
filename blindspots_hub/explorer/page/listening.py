"""How listeners of the page are attached, and what they answer."""

from __future__ import annotations

import time
from typing import Any

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How a listener is attached that takes its time: in the queue, and no public API."""

AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
"""How a listener is attached that answers at once."""

EVERY: dict[str, Any] = {**AT_ONCE, "trigger_mode": "multiple"}
"""How a listener is attached that answers at once to an event that says something.

Of events that come while an earlier one is being answered, Gradio's "once" drops all, for good, and
"always_last" raises the earlier one again, with what that said (see `NEWEST`). Which of them counts
is said by `Page.latest`.
"""

NEWEST: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}
"""How a listener is attached whose last answer is of the last that happened.

Only where everything that it reads is an input of its own, which Gradio asks for anew and which
its answer leaves alone: a listener that reads the event itself gets the one before.
"""

NEWEST_AT_ONCE: dict[str, Any] = {**NEWEST, "queue": False}
"""The same for one that answers at once."""


def server_time() -> int:
    """Microseconds of the server: by them the browser tells which of two answers is the newer."""
    return time.monotonic_ns() // 1000


Updates = dict[Any, Any]
"""What a listener changes: a new value or new properties by component."""
