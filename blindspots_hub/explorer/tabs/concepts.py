"""The tab Concepts: every concept as a table, filtered, sorted and paged on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
import pyarrow as pa

from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.concept_table import concept_table
from blindspots_hub.explorer.page.controls import asked_values, pages_of, written
from blindspots_hub.explorer.page.listening import EVERY, Updates
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import ConceptsView
from blindspots_hub.explorer.tabs.concepts_parts.every_model import every_model
from blindspots_hub.explorer.tabs.concepts_parts.selection import chosen
from blindspots_hub.explorer.tabs.concepts_parts.table import ROWS, concepts_form, concepts_table
from blindspots_hub.explorer.tabs.table_tab import TableTab

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


class ConceptsTab(TableTab):
    """Everything, as a table: a row leads to the concept's card."""

    id = "concepts"
    title = "Concepts"

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Form and table of the view."""
        form = concepts_form(self._page.entry(view), view.kind, view.concepts)
        return {self.filters: written(form), self.table: self._table(view, own)}

    def wire(self, page: Page) -> None:
        """As every table, and the heads sort it."""
        super().wire(page)
        seen, changed = self._seen(page)
        self.table.sort(**page.latest("sort", self._sort, seen), outputs=changed, **EVERY)

    def _chosen(self, view: View) -> np.ndarray:
        return chosen(self._page.entry(view), view.kind, view.concepts, self._catalog.entry)

    def _others(self, entry: Entry, own: Sequence[str]) -> list[Entry]:
        return [other for other in self._catalog.entries(own) if other != entry]

    def _page_of(self, view: View, own: Sequence[str]) -> tuple[str, View]:
        entry, concepts = self._page.entry(view), self._chosen(view)
        page = min(view.concepts.page, pages_of(len(concepts), ROWS))
        view = replace(view, concepts=replace(view.concepts, page=page))
        return concepts_table(entry, view, concepts, self._others(entry, own)), view

    def _filter(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        said = asked_values(event.values)
        asked = ConceptsView.from_query({f"concepts-{name}": text for name, text in said.items()})
        view = replace(view, concepts=replace(asked, page=1))
        return {self.table: self._table(view, own), **self._page.at(view)}

    def _sort(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        asked = ConceptsView.from_query({"concepts-sort": str(event.by)})
        view = replace(view, concepts=replace(view.concepts, sort=asked.sort, page=1))
        return {**self.render(view, own), **self._page.at(view)}

    def _exported(self, view: View) -> tuple[pa.Table, str]:
        entry = self._page.entry(view)
        table = concept_table(entry, view.kind, self._chosen(view))
        return table, f"{entry.model}-concepts-{view.kind}"

    def _every(self, view: View, own: Sequence[str]) -> tuple[pa.Table, str]:
        entry = self._page.entry(view)
        every = [entry, *self._others(entry, own)]
        table = every_model(every, view.kind, self._chosen(view))
        return table, f"{entry.bundle.name}-concepts-{view.kind}-all-models"
