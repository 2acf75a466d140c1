"""The tab Explore: the map, a concept's card, the counts, the rankings, wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.deltas import SHOW
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card, empty_card
from blindspots_hub.explorer.card.naming import can_be_named, rename, take_in
from blindspots_hub.explorer.card.region import region_card
from blindspots_hub.explorer.map.concept_map import concept_map, update_map
from blindspots_hub.explorer.map.layout_switch import (
    lay_out,
    layout_switch,
    map_key,
    names_key,
)
from blindspots_hub.explorer.map.map_data import map_addresses, map_answers, weighted
from blindspots_hub.explorer.page.addressed import Addressed
from blindspots_hub.explorer.page.arrival import settled
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.counts import counts_line
from blindspots_hub.explorer.page.listening import AT_ONCE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.view import ROWS, SIZES, WIDEST, View
from blindspots_hub.explorer.tabs.base import Tab, no_model
from blindspots_hub.explorer.tabs.explore_parts.map_server import MapServer, colour_key
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings
from blindspots_hub.explorer.tabs.explore_parts.search_box import search_box

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

HERE = Path(__file__).parent

CARDS = "cards"
"""The address of a concept's card, of the query of a view."""


class ExploreTab(Tab):
    """What does this model fail to draw? The map and the rankings lead to concepts' cards."""

    id = "explore"
    title = "Explore"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """The components; without a model they stand empty, and the page hides them."""
        self._page, self._catalog = page, page.catalog
        self._answers = MapServer(page.catalog)
        view = page.first
        entry = page.entry(view) if view.model else None
        key = colour_key(entry, view.kind, view.size) if entry else ""
        with gr.Row(elem_id="controls"):
            self.layout = layout_switch(page.catalog)
            self.show = gr.Radio(list(SHOW), value=view.show, label="Show", elem_id="show")
            self.size = gr.Radio(list(SIZES), value=view.size, label="Size", elem_id="size")
            with gr.Column(elem_id="switches", min_width=0):
                self.unjudged = gr.Checkbox(
                    view.unjudged, label="show what was not judged", elem_id="unjudged"
                )
                self.companions = gr.Checkbox(
                    view.companions, label="curves to companions", elem_id="companions"
                )
            self.search = search_box(self._answers.find, view.key if entry else "")
        with gr.Row(elem_id="screen"):
            with gr.Column(scale=6, min_width=320, elem_id="left"):
                self.map = concept_map(
                    self._answers.points,
                    self._answers.colours,
                    self._answers.hover,
                    pictures=self._answers.pictures,
                    companions=self._companions(view) if entry else (),
                    around=view.around,
                    data_key=map_key(page.catalog),
                    names_key=names_key(page.catalog),
                    colour_key=key,
                    selected=view.concept,
                    unjudged=view.unjudged,
                    addressed=True,
                    elem_id="map",
                )
                self.counts = gr.HTML(
                    counts_line(entry, view.kind) if entry else "", elem_id="counts"
                )
            with gr.Column(scale=5, min_width=320, elem_id="right"):
                self.card = gr.HTML(
                    self._card(view, [], opened=False) if entry else "",
                    js_on_load=(HERE.parent / "card/card.js").read_text(encoding="utf-8"),
                    server_functions=self._card_functions(),
                    elem_id="card",
                    colour_key=key,
                    shown=view.link,
                    own=[],
                )
        self.rankings = gr.HTML(
            rankings(entry, view.kind, view.show, view.rows) if entry else "",
            js_on_load=(HERE / "explore_parts/rankings.js").read_text(encoding="utf-8"),
            server_functions=[self._ranking_function()],
            elem_id="rankings",
            colour_key=key,
            show=view.show,
        )

    @property
    def outputs(self) -> Sequence[Any]:
        """All of the tab."""
        return [
            self.layout, self.show, self.size, self.unjudged, self.companions,
            self.search, self.map, self.counts, self.card, self.rankings,
        ]  # fmt: skip

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Everything that depends on the view; map and card keep their place."""
        entry, kind = self._page.entry(view), view.kind
        key = colour_key(entry, kind, view.size)
        return {
            self.layout: view.layout,
            self.show: view.show,
            self.size: view.size,
            self.unjudged: view.unjudged,
            self.companions: view.companions,
            self.search: gr.HTML(key_of_model=entry.key),
            self.map: update_map(
                data_key=map_key(self._catalog, view.layout),
                names_key=names_key(self._catalog),
                colour_key=key,
                show=SHOW[view.show],
                unjudged=view.unjudged,
                selected=view.concept,
                companions=self._companions(view),
                around=view.around,
                anew=False,
            ),
            self.counts: counts_line(entry, kind),
            self.card: gr.HTML(
                self._card(view, own, opened=view.concept is not None),
                colour_key=key,
                shown=view.link,
                own=list(own),
            ),
            self.rankings: gr.HTML(
                rankings(entry, kind, view.show, view.rows), colour_key=key, show=view.show
            ),
        }

    def wire(self, page: Page) -> None:
        """Points, rows, hits and links open concepts; the controls change what is shown."""
        seen = [page.view, page.own]
        # The browser has brought the card by then, and rung the concept: the view is noted.
        for event in (self.map.point, self.card.open, self.rankings.open, self.search.found):
            event(page.told(self._open), page.view, page.noted, **AT_ONCE)
        for event in (self.map.close, self.card.close):
            event(page.told(self._close), seen, [self.card, self.map, *page.noted], **AT_ONCE)
        self.map.region(page.told(self._region), seen, [self.card, *page.noted], **AT_ONCE)
        self.rankings.rows(
            page.told(self._more), page.view, [self.rankings, *page.noted], **AT_ONCE
        )
        self.card.around(
            page.told(self._around), seen, [self.card, self.map, *page.noted], **AT_ONCE
        )
        kept = "The name can’t be kept."
        self.card.name(page.told(self._name, kept), seen, page.outputs, **AT_ONCE)
        kept = "The names can’t be taken in."
        self.card.taken(page.told(self._names, kept), seen, page.outputs, **AT_ONCE)
        self.card.heat(page.told(self._heat), page.view, page.noted, **AT_ONCE)
        self.size.input(
            page.told(self._resize),
            [page.view, self.size],
            [self.map, self.card, self.rankings, *page.noted],
            **AT_ONCE,
        )
        self.companions.input(
            page.told(self._lead),
            [page.view, self.companions],
            [self.map, self.card, *page.noted],
            **AT_ONCE,
        )
        self.layout.input(
            page.told(self._lay_out), [page.view, self.layout], [self.map, *page.noted], **AT_ONCE
        )
        self.show.input(
            page.told(self._filter),
            [page.view, self.show],
            [self.map, self.rankings, *page.noted],
            **AT_ONCE,
        )
        self.unjudged.input(
            page.told(self._ask_for_unjudged),
            [page.view, self.unjudged],
            [self.map, *page.noted],
            **AT_ONCE,
        )
        self.card.switch(page.told(self._switch), seen, page.outputs, **AT_ONCE)

    def _ranking_function(self) -> Callable[[list[str]], dict[str, str]]:
        def ranking(asked: list[str]) -> dict[str, str]:
            return self._answers.ranking(asked)

        return ranking

    def _card_functions(self) -> list[Callable[..., Any]]:
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

    def _companions(self, view: View) -> list[tuple[int, float]]:
        """The concepts that fire in the same images as the open one, with their cosines."""
        if view.concept is None or not view.companions:
            return []
        row = self._catalog.bundle(view.bundle).concepts.slice(view.concept, 1)
        both = (row[name][0].as_py() for name in ("often_with", "often_with_cosine"))
        return list(zip(*both, strict=True))

    def _card(self, view: View, own: Sequence[str], opened: bool = True) -> str:
        entry = self._page.entry(view)
        if view.concept is None:
            return empty_card(entry, view.kind, self._may_name(entry.bundle))
        others = self._catalog.entries(own)
        if entry not in others:  # opened by a link of someone else's evaluation
            others = [*others, entry]
        editable = self._may_name(entry.bundle)
        return concept_card(entry, view.kind, view.concept, others, opened, view, editable)

    def _may_name(self, bundle: Bundle) -> bool:
        """Whether who sees the page may name concepts: on their own machine, in their own files."""
        return not self._page.options.site.public and can_be_named(bundle)

    def answers(self) -> dict[str, Addressed]:
        """What has an address: cards, and the points and colours of the map."""
        return {
            CARDS: Addressed(self._card_at),
            **{
                name: Addressed(answer, kept=True)
                for name, answer in map_answers(self._answers.points, self._answers.colours).items()
            },
        }

    def first_addresses(self) -> list[str]:
        """Addresses that the map asks for as the page opens."""
        view = self._page.first
        if not view.model:
            return []
        key = colour_key(self._page.entry(view), view.kind, view.size)
        return map_addresses(map_key(self._catalog, view.layout), key)

    def _card_at(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What the address of a card names: its HTML, and the concepts that curves lead to.

        `query` is that of a `View`, and `own` the bundles of the session that asks, separated by
        commas. What is not there raises `BlindspotsError`.
        """
        view = settled(View.from_query(query), self._catalog, [self.id])
        own = [one for one in query.get("own", "").split(",") if one]
        return {
            "html": self._card(view, own),
            "companions": weighted(self._companions(view)),
        }

    def _open(self, event: gr.EventData, view: View) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        return self._page.at(replace(view, concept=concept))

    def _close(self, view: View, own: list[str]) -> Updates:
        view = replace(view, concept=None)
        return {
            self.card: self._card(view, own),
            self.map: update_map(selected=None, companions=[]),
            **self._page.at(view),
        }

    def _region(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        view, entry = replace(view, concept=None), self._page.entry(view)
        chosen = [check_concept(entry.bundle, int(k)) for k in event.ids]
        html = region_card(entry, view.kind, chosen, int(event.total))
        return {self.card: html, **self._page.at(view)}

    def _more(self, event: gr.EventData, view: View) -> Updates:
        if event.rows not in ROWS:
            raise BlindspotsError("The page asked for rows that it does not offer: reload it.")
        view = replace(view, rows=int(event.rows))
        shown = rankings(self._page.entry(view), view.kind, view.show, view.rows)
        return {self.rankings: shown, **self._page.at(view)}

    def _around(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        view = replace(view, around=min(max(int(event.percent), 0), WIDEST))
        return {
            self.card: gr.HTML(self._card(view, own), shown=view.link),
            self.map: update_map(around=view.around),
            **self._page.at(view),
        }

    def _name(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        bundle = self._nameable(view)
        if view.concept is None:
            raise BlindspotsError("No concept is open: open one to name it.")
        rename(bundle, check_concept(bundle, view.concept), str(event.label))
        return self._page.anew(view, own, "")

    def _names(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        told = take_in(self._nameable(view), str(event.text), str(event.file))
        return self._page.anew(view, own, notice("done", "Names were taken in.", told))

    def _nameable(self, view: View) -> Bundle:
        bundle = self._page.entry(view).bundle
        if not self._may_name(bundle):
            raise BlindspotsError(
                "Concepts are named on one's own machine, in a bundle of one's own."
            )
        return bundle

    def _heat(self, event: gr.EventData, view: View) -> Updates:
        return self._page.at(view.heated(event.percent))

    def _resize(self, view: View, size: str) -> Updates:
        if size not in SIZES:
            raise BlindspotsError("The page asked for a size that does not exist: reload it.")
        view = replace(view, size=size)
        key = colour_key(self._page.entry(view), view.kind, size)
        return {
            self.map: update_map(colour_key=key),
            self.card: gr.HTML(colour_key=key),
            self.rankings: gr.HTML(colour_key=key),
            **self._page.at(view),
        }

    def _lead(self, view: View, companions: bool) -> Updates:
        view = replace(view, companions=companions)
        return {
            self.map: update_map(companions=self._companions(view)),
            self.card: gr.HTML(shown=view.link),
            **self._page.at(view),
        }

    def _lay_out(self, view: View, layout: str) -> Updates:
        view = replace(view, layout=layout)
        return {
            self.map: lay_out(self._catalog, layout, view.concept),
            **self._page.at(view),
        }

    def _filter(self, view: View, show: str) -> Updates:
        if show not in SHOW:
            raise BlindspotsError("The page asked for a filter that does not exist: reload it.")
        view = replace(view, show=show)
        shown = rankings(self._page.entry(view), view.kind, show, view.rows)
        return {
            self.map: update_map(show=SHOW[show]),
            self.rankings: gr.HTML(shown, show=show),
            **self._page.at(view),
        }

    def _ask_for_unjudged(self, view: View, unjudged: bool) -> Updates:
        view = replace(view, unjudged=unjudged)
        return {self.map: update_map(unjudged=unjudged), **self._page.at(view)}

    def _switch(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        return self._page.go(self._page.other_model(view, str(event.key)), own)
