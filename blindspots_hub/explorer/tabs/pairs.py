"""The tab Pairs: which captions a model fails, and which it answers from memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr
import pyarrow as pa

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.controls import asked_values, pages_of, written
from blindspots_hub.explorer.page.listening import EVERY, Updates
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.page.view_parts import PairsView
from blindspots_hub.explorer.tabs.pairs_parts.pair_list import (
    ROWS,
    pair_list,
    pairs_form,
    unpaired_notice,
)
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import chosen, exported, pair_table
from blindspots_hub.explorer.tabs.table_tab import TableTab

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


class PairsTab(TableTab):
    """Pairs by their difference, and what differs; a concept leads to its card."""

    id = "pairs"
    title = "Pairs"

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Form and list of the view; one sentence for a model that was measured unpaired."""
        entry = self._page.entry(view)
        if not entry.paired:
            return {
                self.filters: written(""),
                self.table: gr.HTML(unpaired_notice(entry), link=""),
            }
        form = pairs_form(pair_table(entry), view.pairs)
        return {self.filters: written(form), self.table: self._table(view, own)}

    def wire(self, page: Page) -> None:
        """As every table, and a caption opens its pair."""
        super().wire(page)
        seen, changed = self._seen(page)
        self.table.pair(**page.latest("pair", self._pair, seen), outputs=changed, **EVERY)
        self.table.over(**page.latest("over", self._over, seen), outputs=changed, **EVERY)
        page.note_heat(self.table)

    def _page_of(self, view: View, own: Sequence[str]) -> tuple[str, View]:
        entry = self._page.entry(view)
        table = pair_table(entry)
        rows = chosen(entry.bundle, table, view.pairs)
        page = min(view.pairs.page, pages_of(len(rows), ROWS))
        view = replace(view, pairs=replace(view.pairs, page=page))
        return pair_list(entry, view, table, rows), view

    def _filter(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        said = asked_values(event.values)
        asked = PairsView.from_query({f"pairs-{name}": text for name, text in said.items()})
        before, view = view, replace(view, pairs=replace(asked, page=1, concept=view.pairs.concept))
        whole = before.pairs.which != asked.which  # the form asks for a cause of memorised pairs
        updates = self.render(view, own) if whole else {self.table: self._table(view, own)}
        return {**updates, **self._page.at(view)}

    def _pair(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        pair_id = str(event.id)[:200] or None
        if pair_id is not None and pair_id not in pair_table(self._page.entry(view)).ids:
            raise BlindspotsError("The page asked for a pair that does not exist: reload it.")
        view = replace(view, pair=pair_id, pairs=replace(view.pairs, concept=None))
        return {self.table: self._table(view, own), **self._page.at(view)}

    def _over(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        view = replace(view, pairs=replace(view.pairs, concept=concept))
        return {self.table: self._table(view, own), **self._page.at(view)}

    def _exported(self, view: View) -> tuple[pa.Table, str]:
        entry = self._page.entry(view)
        table = pair_table(entry)
        rows = exported(table, chosen(entry.bundle, table, view.pairs))
        return rows, f"{entry.model}-pairs-{view.pairs.which}"
