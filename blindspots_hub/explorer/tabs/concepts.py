"""The tab Concepts: every concept as a table, filtered, sorted and paged on the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry, check_concept
from blindspots_hub.explorer.page.concept_table import as_file, concept_table
from blindspots_hub.explorer.page.controls import (
    LOADING,
    LONGEST_LINK,
    asked_values,
    filter_form,
    pages_of,
)
from blindspots_hub.explorer.page.listening import AT_ONCE, Updates
from blindspots_hub.explorer.page.view import FIRST_TAB, View
from blindspots_hub.explorer.page.view_parts import ConceptsView
from blindspots_hub.explorer.tabs.base import Tab, no_model
from blindspots_hub.explorer.tabs.concepts_parts.selection import chosen
from blindspots_hub.explorer.tabs.concepts_parts.table import ROWS, concepts_form, concepts_table

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

TABLE_JS = Path(__file__).parent.parent / "page/table.js"


class ConceptsTab(Tab):
    """Everything, as a table: a row leads to the concept's card."""

    id = "concepts"
    title = "Concepts"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """The form and the table, empty until the tab is opened."""
        self._page, self._catalog = page, page.catalog
        self.filters = filter_form("concepts-filters")
        self.table = gr.HTML(
            LOADING,
            js_on_load=TABLE_JS.read_text(encoding="utf-8"),
            server_functions=[self._file()],
            elem_id="concepts-table",
            link="",
        )

    @property
    def outputs(self) -> Sequence[Any]:
        """Both."""
        return [self.filters, self.table]

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Form and table of the view."""
        form = concepts_form(self._page.entry(view), view.kind, view.concepts)
        return {self.filters: form, self.table: self._table(view, own)}

    def wire(self, page: Page) -> None:
        """The form and the heads change the table; a row opens a card in Explore."""
        seen, changed = [page.view, page.own], [*self.outputs, *page.noted]
        self.filters.ask(
            page.told(self._filter), seen, changed, trigger_mode="always_last", **AT_ONCE
        )
        self.table.sort(page.told(self._sort), seen, changed, **AT_ONCE)
        self.table.turn(page.told(self._turn), seen, changed, **AT_ONCE)
        self.table.open(page.told(self._open), seen, page.outputs, **AT_ONCE)

    def _chosen(self, view: View) -> np.ndarray:
        return chosen(self._page.entry(view), view.kind, view.concepts, self._catalog.entry)

    def _others(self, entry: Entry, own: Sequence[str]) -> list[Entry]:
        return [other for other in self._catalog.entries(own) if other != entry]

    def _table(self, view: View, own: Sequence[str]) -> gr.HTML:
        """The table; a page that is not there any more is the last one."""
        entry, concepts = self._page.entry(view), self._chosen(view)
        page = min(view.concepts.page, pages_of(len(concepts), ROWS))
        view = replace(view, concepts=replace(view.concepts, page=page))
        html = concepts_table(entry, view, concepts, self._others(entry, own))
        return gr.HTML(html, link=view.link)

    def _filter(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        said = asked_values(event.values)
        asked = ConceptsView.from_query({f"concepts-{name}": text for name, text in said.items()})
        view = replace(view, concepts=replace(asked, page=1))
        return {self.table: self._table(view, own), **self._page.at(view)}

    def _sort(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        asked = ConceptsView.from_query({"concepts-sort": str(event.by)})
        view = replace(view, concepts=replace(view.concepts, sort=asked.sort, page=1))
        return {**self.render(view, own), **self._page.at(view)}

    def _turn(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        asked = ConceptsView.from_query({"concepts-page": str(event.to)})
        view = replace(view, concepts=replace(view.concepts, page=asked.page))
        return {self.table: self._table(view, own), **self._page.at(view)}

    def _open(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        return self._page.go(replace(view, tab=FIRST_TAB, concept=concept), own)

    def _file(self) -> Callable[[list[str]], dict[str, str]]:
        def file(asked: list[str]) -> dict[str, str]:
            """The whole table that a link shows, as a file."""
            try:
                link, ending = (str(part)[:LONGEST_LINK] for part in asked)
                view = View.from_query(dict(parse_qsl(link.removeprefix("?"))))
                entry = self._page.entry(view)
                table = concept_table(entry, view.kind, self._chosen(view))
                return as_file(table, f"{entry.model}-concepts-{view.kind}", ending)
            except BlindspotsError as error:
                return {"error": str(error)}

        return file
