"""The card in Explore: how it is brought, its parts, and the names that are given in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card, empty_card
from blindspots_hub.explorer.card.naming import can_be_named, rename, take_in
from blindspots_hub.explorer.map.map_data import weighted
from blindspots_hub.explorer.page.arrival import asked_at
from blindspots_hub.explorer.page.catalog import Catalog, Entry, check_concept
from blindspots_hub.explorer.page.listening import EVERY, Updates, server_time
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.pictures import HEAT_JS
from blindspots_hub.explorer.page.view import FIRST_TAB, View
from blindspots_hub.explorer.tabs.explore_parts.map_server import MapServer

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

CARD_JS = Path(__file__).parents[2] / "card/card.js"


def companions(catalog: Catalog, view: View) -> list[tuple[int, float]]:
    """The concepts that fire in the same images as the open one, with their cosines."""
    if view.concept is None or not view.companions:
        return []
    row = catalog.bundle(view.bundle).concepts.slice(view.concept, 1)
    both = (row[name][0].as_py() for name in ("often_with", "often_with_cosine"))
    return list(zip(*both, strict=True))


def shown(view: View) -> dict[str, Any]:
    """Properties of the card that say of what view the page is, and when that was said."""
    return {"shown": view.link, "shown_at": server_time()}


class CardPanel:
    """The component `card`, which shows a concept of the page's view or that none is open.

    `key` names what parts of the card are asked for by (`map_server.colour_key`), "" where the
    page has no model yet.
    """

    def __init__(self, page: Page, answers: MapServer, key: str) -> None:
        self._page, self._answers = page, answers
        view = page.first
        self.card = gr.HTML(
            self.html(view, [], opened=False) if key else "",
            js_on_load=CARD_JS.read_text(encoding="utf-8") + HEAT_JS,
            server_functions=self._functions(),
            elem_id="card",
            colour_key=key,
            shown=view.link,
            shown_at=0,
            own=[],
        )

    def html(self, view: View, own: Sequence[str], opened: bool = True) -> str:
        """The card of a view; `opened` as for `concept_card`."""
        entry = self._page.entry(view)
        editable = self._may_name(entry.bundle)
        if view.concept is None:
            return empty_card(entry, view.kind, editable)
        others = self._page.catalog.entries(own)
        if entry not in others:  # opened by a link of someone else's evaluation
            others = [*others, entry]
        return concept_card(entry, view.kind, view.concept, others, opened, view, editable)

    def at(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What the address of a card names: its HTML, and the concepts that curves lead to.

        `query` is that of `arrival.asked_at`.
        """
        view, own = asked_at(query, self._page.catalog, FIRST_TAB)
        return {
            "html": self.html(view, own),
            "companions": weighted(companions(self._page.catalog, view)),
        }

    def wire(self, page: Page) -> None:
        """Names that are given, and the overlay's slider; the tab listens to all else."""
        seen = [page.view, page.own]
        kept = "The name can’t be kept."
        self.card.name(page.told(self.name, kept), seen, page.outputs, **EVERY)
        kept = "The names can’t be taken in."
        self.card.taken(page.told(self.names, kept), seen, page.outputs, **EVERY)
        page.note_heat(self.card)

    def name(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        """The concept whose card is shown is given another name.

        The view may be of another one by now, or of another model.
        """
        entry, bundle = self._nameable(event)
        concept = check_concept(bundle, int(event.concept))
        rename(bundle, concept, str(event.label))
        if self._page.entry(view) == entry:
            view = replace(view, concept=concept)
        return self._page.anew(view, own, "")

    def names(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        """A file of names is taken in."""
        _, bundle = self._nameable(event)
        told = take_in(bundle, str(event.text), str(event.file))
        return self._page.anew(view, own, notice("done", "Names were taken in.", told))

    def _may_name(self, bundle: Bundle) -> bool:
        """Whether who sees the page may name concepts: on their own machine, in their own files."""
        return not self._page.options.site.public and can_be_named(bundle)

    def _nameable(self, event: gr.EventData) -> tuple[Entry, Bundle]:
        """The model that the card showed, and the bundle that its names are written into."""
        entry, _, _ = self._answers.asked(str(event.key))
        bundle = entry.bundle
        if not self._may_name(bundle):
            raise BlindspotsError(
                "Concepts are named on one’s own machine, in a bundle of one's own."
            )
        return entry, bundle

    def _functions(self) -> list[Callable[..., Any]]:
        """What parts of the card are asked for by, outside the queue."""

        def histogram(asked: list[Any]) -> str:
            return self._answers.histogram(asked)

        def images(asked: list[Any]) -> str:
            return self._answers.images(asked)

        def region(asked: list[Any]) -> dict[str, str]:
            return self._answers.region(asked)

        def names(asked: list[Any]) -> dict[str, str]:
            return self._answers.names(asked)

        return [histogram, images, region, names]
