"""The controls above the map: what it shows, how large, laid out by what; and the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.deltas import SHOW
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.concept_map import update_map
from blindspots_hub.explorer.map.layout_switch import lay_out, layout_switch
from blindspots_hub.explorer.page.listening import EVERY, Updates
from blindspots_hub.explorer.page.view import SIZES, View
from blindspots_hub.explorer.tabs.explore_parts.card_panel import (
    CardPanel,
    companions,
    shown,
)
from blindspots_hub.explorer.tabs.explore_parts.map_server import MapServer, colour_key
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings
from blindspots_hub.explorer.tabs.explore_parts.search_box import search_box

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


def _holding(control: Any, listener: Callable[[View, Any], Updates]) -> Callable[..., Updates]:
    """`listener`, whose answer writes the control's value too.

    What was answered before it may have written the control back to what it was.
    """

    def held(view: View, value: Any) -> Updates:
        return {control: value, **listener(view, value)}

    return held


class MapControls:
    """The row of controls; `wire` names what they change."""

    def __init__(self, page: Page, answers: MapServer) -> None:
        self._page, view = page, page.first
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
            self.search = search_box(answers.find, self._key(view) if view.model else "")

    def _key(self, view: View) -> str:
        return colour_key(self._page.entry(view), view.kind)

    @property
    def outputs(self) -> list[Any]:
        """What `render` changes."""
        return [
            self.layout, self.show, self.size, self.unjudged, self.companions, self.search,
        ]  # fmt: skip

    def render(self, view: View) -> Updates:
        """Every control as a view has it."""
        return {
            self.layout: view.layout,
            self.show: view.show,
            self.size: view.size,
            self.unjudged: view.unjudged,
            self.companions: view.companions,
            self.search: gr.HTML(colour_key=self._key(view)),
        }

    def wire(self, page: Page, chart: gr.HTML, panel: CardPanel, table: gr.HTML) -> None:
        """Each control changes the map `chart`, and some the card and the rankings `table`."""
        self._map, self._panel, self._rankings = chart, panel, table
        every = [self._map, panel.card, table]
        for control, listener, changed in (
            (self.size, self._resize, every),
            (self.companions, self._lead, every[:2]),
            (self.layout, self._lay_out, every[:1]),
            (self.show, self._filter, [self._map, table]),
            (self.unjudged, self.ask_for_unjudged, every[:1]),
        ):
            outputs: Sequence[Any] = [control, *changed, *page.noted]
            heard = page.latest(
                str(control.elem_id), _holding(control, listener), [page.view, control]
            )
            control.input(**heard, outputs=outputs, **EVERY)

    def _resize(self, view: View, size: str) -> Updates:
        if size not in SIZES:
            raise BlindspotsError("The page asked for a size that does not exist: reload it.")
        view = replace(view, size=size)
        key = colour_key(self._page.entry(view), view.kind, size)
        return {
            self._map: update_map(colour_key=key),
            self._panel.card: gr.HTML(colour_key=key),
            self._rankings: gr.HTML(colour_key=key),
            **self._page.at(view),
        }

    def _lead(self, view: View, wanted: bool) -> Updates:
        view = replace(view, companions=wanted)
        return {
            self._map: update_map(companions=companions(self._page.catalog, view)),
            self._panel.card: gr.HTML(**shown(view)),
            **self._page.at(view),
        }

    def _lay_out(self, view: View, layout: str) -> Updates:
        view = replace(view, layout=layout)
        return {
            self._map: lay_out(self._page.catalog, layout, view.concept),
            **self._page.at(view),
        }

    def _filter(self, view: View, show: str) -> Updates:
        if show not in SHOW:
            raise BlindspotsError("The page asked for a filter that does not exist: reload it.")
        view = replace(view, show=show)
        ranked = rankings(self._page.entry(view), view.kind, show, view.rows)
        return {
            self._map: update_map(show=SHOW[show]),
            self._rankings: gr.HTML(ranked, show=show),
            **self._page.at(view),
        }

    def ask_for_unjudged(self, view: View, unjudged: bool) -> Updates:
        """Concepts that were not judged can be met on the map, or no longer."""
        view = replace(view, unjudged=unjudged)
        return {self._map: update_map(unjudged=unjudged), **self._page.at(view)}
