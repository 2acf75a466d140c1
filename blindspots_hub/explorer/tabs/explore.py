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
from blindspots_hub.explorer.card.region import region_card
from blindspots_hub.explorer.map.concept_map import concept_map, update_map
from blindspots_hub.explorer.map.layout_switch import (
    map_key,
    names_key,
)
from blindspots_hub.explorer.map.map_data import map_addresses, map_answers
from blindspots_hub.explorer.page.addressed import Addressed
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.counts import counts_line
from blindspots_hub.explorer.page.listening import EVERY, Updates
from blindspots_hub.explorer.page.view import ROWS, WIDEST, View
from blindspots_hub.explorer.tabs.base import Tab, no_model
from blindspots_hub.explorer.tabs.explore_parts.card_panel import (
    CardPanel,
    companions,
    shown,
)
from blindspots_hub.explorer.tabs.explore_parts.map_controls import MapControls
from blindspots_hub.explorer.tabs.explore_parts.map_server import MapServer, colour_key
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings

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
        self.controls = MapControls(page, self._answers)
        with gr.Row(elem_id="screen"):
            with gr.Column(scale=6, min_width=320, elem_id="left"):
                self.map = concept_map(
                    self._answers.points,
                    self._answers.colours,
                    self._answers.hover,
                    pictures=self._answers.pictures,
                    companions=companions(page.catalog, view) if entry else (),
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
                self.panel = CardPanel(page, self._answers, key)
        self.card = self.panel.card
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
            *self.controls.outputs, self.map, self.counts, self.card, self.rankings,
        ]  # fmt: skip

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Everything that depends on the view; map and card keep their place."""
        entry, kind = self._page.entry(view), view.kind
        key = colour_key(entry, kind, view.size)
        return {
            **self.controls.render(view),
            self.map: update_map(
                data_key=map_key(self._catalog, view.layout),
                names_key=names_key(self._catalog),
                colour_key=key,
                show=SHOW[view.show],
                unjudged=view.unjudged,
                selected=view.concept,
                companions=companions(self._catalog, view),
                around=view.around,
                anew=False,
            ),
            self.counts: counts_line(entry, kind),
            self.card: gr.HTML(
                self.panel.html(view, own, opened=view.concept is not None),
                colour_key=key,
                **shown(view),
                own=list(own),
            ),
            self.rankings: gr.HTML(
                rankings(entry, kind, view.show, view.rows), colour_key=key, show=view.show
            ),
        }

    def wire(self, page: Page) -> None:
        """Points, rows, hits and links open concepts; the controls change what is shown."""
        seen = [page.view, page.own]
        # The browser has brought the card by then, and rung the concept: the view is noted. So it
        # has where a card is closed, or shows its neighbours.
        for event in (
            self.map.point,
            self.card.open,
            self.rankings.open,
            self.controls.search.found,
        ):
            event(
                **page.latest("concept", self._open, [page.view]),
                outputs=page.noted,
                **EVERY,
            )
        for event in (self.map.close, self.card.close):
            event(**page.latest("concept", self._close, [page.view]), outputs=page.noted, **EVERY)
        self.map.region(page.told(self._region), seen, [self.card, *page.noted], **EVERY)
        self.rankings.rows(
            **page.latest("rows", self._more, [page.view]),
            outputs=[self.rankings, *page.noted],
            **EVERY,
        )
        self.card.around(
            **page.latest("around", self._around, [page.view]),
            outputs=[self.map, *page.noted],
            **EVERY,
        )
        self.panel.wire(page)
        self.controls.wire(page, self.map, self.panel, self.rankings)
        self.card.switch(**page.latest("model", self._switch, seen), outputs=page.outputs, **EVERY)

    def _ranking_function(self) -> Callable[[list[str]], dict[str, str]]:
        def ranking(asked: list[str]) -> dict[str, str]:
            return self._answers.ranking(asked)

        return ranking

    def addressed(self) -> Mapping[str, Addressed]:
        """What has an address: cards, and the points and colours of the map."""
        return {
            CARDS: Addressed(self.panel.at),
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

    def _open(self, event: gr.EventData, view: View) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        return self._page.at(replace(view, concept=concept))

    def _close(self, view: View) -> Updates:
        return self._page.at(replace(view, concept=None))

    def _region(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        view, entry = replace(view, concept=None), self._page.entry(view)
        chosen = [check_concept(entry.bundle, int(k)) for k in event.ids]
        html = region_card(entry, view.kind, chosen, int(event.total))
        return {self.card: html, **self._page.at(view)}

    def _more(self, event: gr.EventData, view: View) -> Updates:
        if event.rows not in ROWS:
            raise BlindspotsError("The page asked for rows that it does not offer: reload it.")
        view = replace(view, rows=int(event.rows))
        ranked = rankings(self._page.entry(view), view.kind, view.show, view.rows)
        return {self.rankings: ranked, **self._page.at(view)}

    def _on_card(self, event: gr.EventData, view: View) -> View:
        """`view` with the concept whose card the visitor saw: another's event may be on its way."""
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.concept))
        return replace(view, concept=concept)

    def _around(self, event: gr.EventData, view: View) -> Updates:
        around = min(max(int(event.percent), 0), WIDEST)
        view = replace(self._on_card(event, view), around=around)
        return {self.map: update_map(around=around), **self._page.at(view)}

    def _switch(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        view = self._on_card(event, view)
        return self._page.go(self._page.other_model(view, str(event.key)), own)
