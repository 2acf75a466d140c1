"""The tab Pairs: which captions a model fails, and which it answers from memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.concept_table import as_file
from blindspots_hub.explorer.page.controls import (
    LOADING,
    LONGEST_LINK,
    asked_values,
    filter_form,
    pages_of,
)
from blindspots_hub.explorer.page.listening import AT_ONCE, Updates
from blindspots_hub.explorer.page.view import FIRST_TAB, View
from blindspots_hub.explorer.page.view_parts import PairsView
from blindspots_hub.explorer.tabs.base import Tab, no_model
from blindspots_hub.explorer.tabs.pairs_parts.pair_list import (
    ROWS,
    pair_list,
    pairs_form,
    unpaired_notice,
)
from blindspots_hub.explorer.tabs.pairs_parts.pair_table import chosen, exported, pair_table

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

TABLE_JS = Path(__file__).parent.parent / "page/table.js"


class PairsTab(Tab):
    """Pairs by their difference, and what differs; a concept leads to its card."""

    id = "pairs"
    title = "Pairs"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """The form and the list, empty until the tab is opened."""
        self._page, self._catalog = page, page.catalog
        self.filters = filter_form("pairs-filters")
        self.table = gr.HTML(
            LOADING,
            js_on_load=TABLE_JS.read_text(encoding="utf-8"),
            server_functions=[self._file()],
            elem_id="pairs-table",
            link="",
        )

    @property
    def outputs(self) -> Sequence[Any]:
        """Both."""
        return [self.filters, self.table]

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Form and list of the view; one sentence for a model that was measured unpaired."""
        entry = self._page.entry(view)
        if not entry.paired:
            return {self.filters: "", self.table: gr.HTML(unpaired_notice(entry), link="")}
        form = pairs_form(pair_table(entry), view.pairs)
        return {self.filters: form, self.table: self._table(view)}

    def wire(self, page: Page) -> None:
        """The form changes the list; a caption opens its pair, a concept its card in Explore."""
        seen, changed = [page.view, page.own], [*self.outputs, *page.noted]
        self.filters.ask(
            page.told(self._filter), seen, changed, trigger_mode="always_last", **AT_ONCE
        )
        self.table.turn(page.told(self._turn), seen, changed, **AT_ONCE)
        self.table.pair(page.told(self._pair), seen, changed, **AT_ONCE)
        self.table.open(page.told(self._open), seen, page.outputs, **AT_ONCE)

    def _table(self, view: View) -> gr.HTML:
        """The list; a page that is not there any more is the last one."""
        entry = self._page.entry(view)
        table = pair_table(entry)
        rows = chosen(table, view.pairs)
        page = min(view.pairs.page, pages_of(len(rows), ROWS))
        view = replace(view, pairs=replace(view.pairs, page=page))
        return gr.HTML(pair_list(entry, view, table, rows), link=view.link)

    def _filter(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        said = asked_values(event.values)
        asked = PairsView.from_query({f"pairs-{name}": text for name, text in said.items()})
        before, view = view, replace(view, pairs=replace(asked, page=1))
        whole = before.pairs.which != asked.which  # the form asks for a cause of memorised pairs
        updates = self.render(view, own) if whole else {self.table: self._table(view)}
        return {**updates, **self._page.at(view)}

    def _turn(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        asked = PairsView.from_query({"pairs-page": str(event.to)})
        view = replace(view, pairs=replace(view.pairs, page=asked.page))
        return {self.table: self._table(view), **self._page.at(view)}

    def _pair(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        pair_id = str(event.id)[:200] or None
        if pair_id is not None and pair_id not in pair_table(self._page.entry(view)).ids:
            raise BlindspotsError("The page asked for a pair that does not exist: reload it.")
        view = replace(view, pair=pair_id)
        return {self.table: self._table(view), **self._page.at(view)}

    def _open(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        return self._page.go(replace(view, tab=FIRST_TAB, concept=concept), own)

    def _file(self) -> Callable[[list[str]], dict[str, str]]:
        def file(asked: list[str]) -> dict[str, str]:
            """Captions of all pairs that a link shows, as a file."""
            try:
                link, ending = (str(part)[:LONGEST_LINK] for part in asked)
                view = View.from_query(dict(parse_qsl(link.removeprefix("?"))))
                entry = self._page.entry(view)
                table = pair_table(entry)
                rows = exported(table, chosen(table, view.pairs))
                return as_file(rows, f"{entry.model}-pairs-{view.pairs.which}", ending)
            except BlindspotsError as error:
                return {"error": str(error)}

        return file
