"""For whom a model is loaded: whose token asks the Hub for it, and whether it is a stranger's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Access:
    """Who asks for a model.

    `token` is what the Hub is asked with: None is the token of whoever runs the program (HF_TOKEN,
    `hf auth login`), False none at all, a text that of a visitor. `bounded` models are loaded only
    after a rehearsal in a process of its own, with a limit on memory and time; they lie in the
    folder `cache` instead of the Hub client's cache, whose models may be the owner's alone.
    """

    token: str | bool | None = field(default=None, repr=False)
    bounded: bool = False
    cache: Path | None = None


OWNER = Access()
"""Whoever runs the program."""
