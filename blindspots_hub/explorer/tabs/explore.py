"""The tab Explore: the map, a concept's card, the counts, the rankings, wired together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

import gradio as gr

from blindspots_hub.analysis import delta_histogram
from blindspots_hub.analysis.deltas import KINDS, SHOW
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card, empty_card
from blindspots_hub.explorer.card.region import region_card
from blindspots_hub.explorer.map.concept_map import concept_map, update_map
from blindspots_hub.explorer.map.layout_switch import lay_out, layout_switch, map_key
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id, menu
from blindspots_hub.explorer.page.counts import counts_line, verdict_line
from blindspots_hub.explorer.page.map_server import MapServer, check_concept, colour_key
from blindspots_hub.explorer.page.view import AT_ONCE, PRIVATE, Updates, View, first_concept
from blindspots_hub.explorer.tabs.evaluate_parts.running import notice
from blindspots_hub.explorer.tabs.explore_parts.rankings import MORE_ROWS, rankings
from blindspots_hub.explorer.tabs.explore_parts.search_box import search_box

HERE = Path(__file__).parent


class Explore:
    """The tab's components and what happens when they are touched.

    `own` is the session's list of bundle ids: what was evaluated in this browser tab. `select`
    brings an entry to the screen from elsewhere.
    """

    def __init__(self, catalog: Catalog, own: gr.State) -> None:
        self._catalog = catalog
        self._answers = MapServer(catalog)
        self._own = own
        entry = catalog.entries()[0]
        first = View(entry, KINDS[0], "all", first_concept(entry, KINDS[0]))
        self._first = first
        self._build(first)
        self._wire()

    def _build(self, view: View) -> None:
        self.finding = gr.HTML(verdict_line(view.entry), elem_id="finding")
        with gr.Row(elem_id="controls"):
            self.model = gr.Dropdown(
                menu(self._catalog.entries()),
                value=view.entry.key,
                label="Model",
                elem_id="model",
                filterable=False,
            )
            self.kind = gr.Radio(list(KINDS), value=view.kind, label="δ", elem_id="delta")
            self.layout = layout_switch(self._catalog)
            self.show = gr.Radio(list(SHOW), value=view.show, label="Show", elem_id="show")
            self.search = search_box(self._answers.find, view.entry.key)
        with gr.Row(elem_id="screen"):
            with gr.Column(scale=6, min_width=320, elem_id="left"):
                self.map = concept_map(
                    self._answers.points,
                    self._answers.colours,
                    self._answers.hover,
                    data_key=map_key(self._catalog),
                    colour_key=colour_key(view.entry, view.kind),
                    selected=view.concept,
                    elem_id="map",
                )
                self.counts = gr.HTML(counts_line(view.entry, view.kind), elem_id="counts")
            with gr.Column(scale=5, min_width=320, elem_id="right"):
                self.card = gr.HTML(
                    self._card(view, [], opened=False),
                    js_on_load=(HERE.parent / "card/card.js").read_text(encoding="utf-8"),
                    elem_id="card",
                )
        self.rankings = gr.HTML(
            rankings(view.entry, view.kind, view.show),
            js_on_load=(HERE / "explore_parts/rankings.js").read_text(encoding="utf-8"),
            server_functions=[self._csv()],
            elem_id="rankings",
            colour_key=colour_key(view.entry, view.kind),
            show=view.show,
        )
        with gr.Accordion("How the whole model leans", open=False, elem_id="leaning") as self.lean:
            self.lean_words = gr.Markdown()
            self.lean_plot = gr.Plot(show_label=False, container=False)
        self.concept = gr.State(view.concept)
        self.lean_open = gr.State(False)

    def _told(self, handler: Callable[..., Updates]) -> Callable[..., Updates]:
        """Let a `BlindspotsError` stand on the page as one sentence, in the card's place."""

        @wraps(handler)
        def told_handler(*args: Any, **kwargs: Any) -> Updates:
            try:
                return handler(*args, **kwargs)
            except BlindspotsError as error:
                return {self.card: notice("error", "This can’t be shown.", str(error))}

        return told_handler

    def _csv(self) -> Callable[[list[str]], dict[str, str]]:
        def csv(asked: list[str]) -> dict[str, str]:
            return self._answers.csv(asked)

        return csv

    def _wire(self) -> None:
        seen = [self.model, self.kind, self.show, self.concept, self._own]
        chosen = [self.card, self.concept, self.map]
        for event, on_map in (
            (self.map.point, True),
            (self.card.open, False),
            (self.rankings.open, False),
            (self.search.found, False),
        ):
            event(self._opener(on_map), seen, chosen, **AT_ONCE)
        self.rankings.more(self._told(self._more), seen, [self.rankings, self.card], **AT_ONCE)
        self.map.region(self._told(self._region), seen, [self.card, self.concept], **AT_ONCE)
        self.layout.input(
            partial(lay_out, self._catalog), [self.layout, self.concept], self.map, **AT_ONCE
        )
        for event in (self.map.close, self.card.close):
            event(self._told(self._close), seen, chosen, **AT_ONCE)
        for control in (self.model, self.kind, self.show):
            control.input(
                self._told(self._redraw), [*seen, self.lean_open], self.changing, **AT_ONCE
            )
        self.card.switch(
            self._told(self._switch), [*seen, self.lean_open], self.changing, **AT_ONCE
        )
        lean = [self.lean_open, self.lean_words, self.lean_plot, self.card]
        self.lean.expand(self._told(self._lean), seen, lean, **PRIVATE)
        self.lean.collapse(lambda: False, None, self.lean_open, **AT_ONCE)

    @property
    def changing(self) -> list[Any]:
        """What another model, δ or filter changes."""
        return [
            self.model, self.kind, self.show, self.search, self.map, self.counts, self.card,
            self.concept, self.finding, self.rankings, self.lean_words, self.lean_plot,
        ]  # fmt: skip

    def view(self, key: str, kind: str, show: str, concept: int | None) -> View:
        """What the controls say; values that no control offers are a `BlindspotsError`."""
        if kind not in KINDS or show not in SHOW:
            raise BlindspotsError("The page asked for a view that does not exist: reload it.")
        return View(self._catalog.entry(key), kind, show, concept)

    def _card(self, view: View, own: list[str], opened: bool = True) -> str:
        if view.concept is None:
            return empty_card(view.entry, view.kind)
        others = self._catalog.entries(own)
        if view.entry not in others:  # opened by a link of someone else's evaluation
            others = [*others, view.entry]
        return concept_card(view.entry, view.kind, view.concept, others, opened)

    def _opener(self, on_map: bool) -> Callable[..., Updates]:
        def open_concept(
            event: gr.EventData, key: str, kind: str, show: str, concept: int | None, own: list[str]
        ) -> Updates:
            view = self.view(key, kind, show, concept)
            view = replace(view, concept=check_concept(view.entry, int(event.i)))
            updates: Updates = {self.card: self._card(view, own), self.concept: view.concept}
            return updates if on_map else {**updates, self.map: update_map(selected=view.concept)}

        return self._told(open_concept)

    def _close(
        self, key: str, kind: str, show: str, concept: int | None, own: list[str]
    ) -> Updates:
        view = self.view(key, kind, show, None)
        return {
            self.card: self._card(view, own),
            self.concept: None,
            self.map: update_map(selected=None),
        }

    def _region(
        self,
        event: gr.EventData,
        key: str,
        kind: str,
        show: str,
        concept: int | None,
        own: list[str],
    ) -> Updates:
        view = self.view(key, kind, show, None)
        chosen = [check_concept(view.entry, int(k)) for k in event.ids]
        html = region_card(view.entry, view.kind, chosen, int(event.total))
        return {self.card: html, self.concept: None}

    def _more(self, key: str, kind: str, show: str, concept: int | None, own: list[str]) -> Updates:
        view = self.view(key, kind, show, concept)
        return {self.rankings: rankings(view.entry, view.kind, view.show, MORE_ROWS)}

    def _switch(
        self,
        event: gr.EventData,
        key: str,
        kind: str,
        show: str,
        concept: int | None,
        own: list[str],
        lean_open: bool,
    ) -> Updates:
        view = self.view(str(event.key), kind, show, concept)
        return self.screen(view, own, lean_open)

    def _redraw(
        self, key: str, kind: str, show: str, concept: int | None, own: list[str], lean_open: bool
    ) -> Updates:
        return self.screen(self.view(key, kind, show, concept), own, lean_open)

    def screen(self, view: View, own: list[str], lean_open: bool, opened: bool = True) -> Updates:
        """Everything that depends on the view; map and card keep their place."""
        entry, kind = view.entry, view.kind
        updates: Updates = {
            self.model: gr.Dropdown(choices=self._menu(view, own), value=entry.key),
            self.kind: kind,
            self.search: gr.HTML(key_of_model=entry.key),
            self.map: update_map(colour_key=colour_key(entry, kind), show=SHOW[view.show]),
            self.finding: verdict_line(entry),
            self.counts: counts_line(entry, kind),
            self.card: self._card(view, own, opened),
            self.rankings: gr.HTML(
                rankings(entry, kind, view.show),
                colour_key=colour_key(entry, kind),
                show=view.show,
            ),
        }
        return {**updates, **(self._leaning(view) if lean_open else {})}

    def _menu(self, view: View, own: list[str]) -> list[tuple[str, str]]:
        entries = self._catalog.entries(own)
        return menu(entries if view.entry in entries else [*entries, view.entry])

    def _leaning(self, view: View) -> Updates:
        found = delta_histogram.histogram(view.entry.reading(view.kind))
        return {
            self.lean_words: delta_histogram.words(found, view.kind, "judged"),
            self.lean_plot: delta_histogram.figure(found, view.kind),
        }

    def _lean(self, key: str, kind: str, show: str, concept: int | None, own: list[str]) -> Updates:
        return {self.lean_open: True, **self._leaning(self.view(key, kind, show, concept))}

    def linked(self, query: dict[str, str]) -> View | None:
        """The view that a link names, or None where it names nothing.

        A link to what this page does not hold is a `BlindspotsError`.
        """
        if not {"bundle", "model", "concept", "delta"} & set(query):
            return None
        kind = query.get("delta", KINDS[0])
        home = bundle_id(self._catalog.home)
        identity = query.get("bundle", home)
        known = next((entry for entry in self._catalog.entries()), None)
        model = query.get("model") or (known.model if known and identity == home else "")
        view = self.view(f"{identity}/{model}", kind, "all", None)
        if "concept" not in query:
            return view
        number = query["concept"]
        if not number.isdecimal() or len(number) > 9:
            raise BlindspotsError(f"The link's concept {number[:20]!r} is not a number.")
        return replace(view, concept=check_concept(view.entry, int(number)))

    def follow_link(self, own: list[str], request: gr.Request) -> Updates:
        """On load: bring what the address names to the screen; leave the page as it is if none."""
        try:
            view = self.linked(dict(request.query_params))
        except BlindspotsError as error:
            told = notice("error", "This link leads nowhere.", str(error))
            return {self.card: told + self._card(self._first, own, opened=False)}
        if view is None:
            return {self.concept: gr.skip()}
        return self.arrive(view, own)

    def arrive(self, view: View, own: list[str], lean_open: bool = False) -> Updates:
        """The whole view anew, as someone arrives at it from a link or from an evaluation."""
        return {
            **self.screen(view, own, lean_open, opened=view.concept is not None),
            self.show: view.show,
            self.concept: view.concept,
            self.map: update_map(
                colour_key=colour_key(view.entry, view.kind),
                show=SHOW[view.show],
                selected=view.concept,
            ),
        }
