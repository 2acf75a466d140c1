"""What the page is served with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from blindspots_hub.serving.deployment import Deployment


@dataclass(frozen=True)
class PageOptions:
    """What the page is served with.

    Evaluations keep their files below `evaluations`; `known_models` are (title, spec) as the form
    offers them; `site` says who may do what; `note` is a sentence at the page's top.
    """

    evaluations: Path
    known_models: Sequence[tuple[str, str]] = ()
    site: Deployment = field(default_factory=Deployment)
    note: str = ""
    busy: Any = field(default_factory=Lock, compare=False)
    """Held by the one run of a model that is under way, whichever tab it is of."""
