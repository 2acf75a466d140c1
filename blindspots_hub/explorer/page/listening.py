"""How listeners of the page are attached, and what they answer."""

from __future__ import annotations

from typing import Any

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How a listener is attached that takes its time: in the queue, and no public API."""

AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
"""How a listener is attached that answers at once."""

NEWEST: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}
"""How a listener is attached whose last answer is of the last that happened."""

Updates = dict[Any, Any]
"""What a listener changes: a new value or new properties by component."""
