"""What runs for minutes on the server: one run at a time, within the bounds of the site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.page_options import PageOptions
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.deployment import MODELS
from blindspots_hub.serving.disk import KEPT, KEPT_MODELS, check_room, prune
from blindspots_hub.serving.memory import give_back_memory

T = TypeVar("T")

SLOT = "evaluation"
"""One run at a time on this server; others see their place in the queue."""

INTERVAL = 0.25
"""Seconds between two looks at whether a stopped run has ended."""


class OneAtATime:
    """The base of what runs evaluations and stress tests, in the folder of the page's results."""

    def __init__(self, catalog: Catalog, options: PageOptions) -> None:
        self.catalog, self.site = catalog, options.site
        self.folder, self.busy = options.evaluations, options.busy
        self.known: Sequence[str] = [spec for _, spec in options.known_models]

    def reached(self, spec: str, token: str | None) -> tuple[Any, int]:
        """For whom a model is loaded, as flows take it, and the bytes that fetching it takes."""
        access = self.site.access(spec, self.known, token, self.folder)
        return access, self.site.check_size(spec, self.known, access)

    def alone(self, begin: Callable[[], Work[T]]) -> Work[T]:
        """The work that `begin` begins once no other run goes on; then memory is given back."""
        while not self.busy.acquire(timeout=INTERVAL):
            yield Event("waiting for a stopped run to end its image", 0, 1)
        try:
            return (yield from begin())
        finally:
            self.busy.release()
            give_back_memory()

    def make_room(self, place: Path | None, needed: int) -> None:
        """Remove what a public page keeps too much of; `BlindspotsError` where the disk is full.

        `place` is where the result goes, and stays.
        """
        if self.site.public:
            spared = [one for one in (place, self.folder / MODELS) if one is not None]
            prune(self.folder / MODELS, KEPT_MODELS)
            prune(self.folder, KEPT, spared, self.catalog.forget)
        check_room(self.folder, needed)
