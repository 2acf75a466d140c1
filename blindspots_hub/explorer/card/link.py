"""The address of a concept's card."""

from __future__ import annotations

from functools import lru_cache

from blindspots_hub.explorer.page.catalog import Entry, bundle_id
from blindspots_hub.explorer.page.view import View


def link(entry: Entry, kind: str, concept: int | None) -> str:
    """The query that opens this model, δ and concept again."""
    of_model = _link(bundle_id(entry.bundle), entry.model, kind)
    return of_model if concept is None else f"{of_model}&concept={concept}"


@lru_cache(maxsize=64)
def _link(bundle: str, model: str, kind: str) -> str:
    return View(bundle, model, kind).link
