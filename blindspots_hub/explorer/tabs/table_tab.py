"""What Concepts and Pairs share: a form above a table of rows, which the server cuts into pages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import pyarrow as pa

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.addressed import Addressed
from blindspots_hub.explorer.page.arrival import asked_at
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.controls import LOADING, LONGEST_LINK, answered, filter_form
from blindspots_hub.explorer.page.listening import EVERY, Updates
from blindspots_hub.explorer.page.pictures import HEAT_JS
from blindspots_hub.explorer.page.table_files import FILES, as_file
from blindspots_hub.explorer.page.view import FIRST_TAB, View
from blindspots_hub.explorer.tabs.base import Tab, no_model

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

TABLE_JS = Path(__file__).parent.parent / "page/table.js"


class TableTab(Tab):
    """A tab of one form and one table, whose rows lead to concepts' cards."""

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """The form and the table, empty until the tab is opened."""
        self._page, self._catalog = page, page.catalog
        self.filters = filter_form(f"{self.id}-filters")
        self.table = gr.HTML(
            LOADING,
            js_on_load=TABLE_JS.read_text(encoding="utf-8") + HEAT_JS,
            server_functions=[self._file()],
            elem_id=f"{self.id}-table",
            link="",
            own=[],
        )

    @property
    def outputs(self) -> Sequence[Any]:
        """Both."""
        return [self.filters, self.table]

    def wire(self, page: Page) -> None:
        """The form and the pager change the table; a concept opens its card in Explore."""
        seen, changed = self._seen(page)
        asked = page.latest(f"ask {self.id}", self._ask, seen, self._only_answered)
        self.filters.ask(**asked, outputs=changed, **EVERY)
        self.table.turn(**page.latest(self._pages, self._turn, seen), outputs=changed, **EVERY)
        self.table.open(**page.latest("concept", self._open, seen), outputs=page.outputs, **EVERY)

    def _seen(self, page: Page) -> tuple[list[Any], list[Any]]:
        """What a listener of the table reads, and what it changes."""
        return [page.view, page.own], [*self.outputs, *page.noted]

    def _ask(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        """The form was changed; it waits for an answer, whatever it is."""
        updates = self._page.told(self._filter)(event, view, own)
        return {self.filters: answered(), **updates}

    def _only_answered(self, updates: Updates) -> Updates:
        """What stays of an answer to the form that a later one has overtaken."""
        return {self.filters: updates[self.filters]}

    @abstractmethod
    def _filter(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        """The form was changed."""

    @abstractmethod
    def _page_of(self, view: View, own: Sequence[str]) -> tuple[str, View]:
        """A page of the table, and its view; a page that is not there any more is the last one."""

    @property
    def rows_at(self) -> str:
        """The address of a page of the table, of the query of a view."""
        return f"{self.id}_rows"

    @property
    def _pages(self) -> str:
        """The name of a page's number in a link."""
        return f"{self.id}-page"

    def addressed(self) -> Mapping[str, Addressed]:
        """A page of the table."""
        return {self.rows_at: Addressed(self._rows_at)}

    def _rows_at(self, query: Mapping[str, str]) -> dict[str, str]:
        """What the address of a page of the table names: its HTML, and the link of what it shows.

        `query` is that of `arrival.asked_at`.
        """
        html, view = self._page_of(*asked_at(query, self._catalog, self.id))
        return {"html": html, "link": view.link}

    def _table(self, view: View, own: Sequence[str]) -> gr.HTML:
        html, view = self._page_of(view, own)
        # All that its script reads: a component that is not on the screen yet keeps nothing else.
        return gr.HTML(html, link=view.link, own=list(own), address=self.rows_at, pages=self._pages)

    def _turn(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        """Another page, whose rows the browser has asked for by their address: it is noted.

        But of a table that is no longer shown, whose rows the browser drops.
        """
        seen = View.from_link(str(event.link))
        if self._table_of(seen) != self._table_of(view):
            return {self._page.view: gr.skip()}
        page = getattr(View.from_query({self._pages: str(event.to)}), self.id).page
        part = replace(getattr(view, self.id), page=page)
        return self._page.at(replace(view, **{self.id: part}))

    def _table_of(self, view: View) -> tuple[str, str, object]:
        """What tells the tables that this tab can show apart, whichever their page."""
        return view.key, view.kind, replace(getattr(view, self.id), page=1)

    @abstractmethod
    def _exported(self, view: View) -> tuple[pa.Table, str]:
        """All rows that a view shows, on whichever page, and the name of their file."""

    def _every(self, view: View, own: Sequence[str]) -> tuple[pa.Table, str]:
        """The same of all models, those of the session's `own` bundles among them."""
        raise BlindspotsError("This table is of one model.")

    def _open(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        return self._page.go(replace(view, tab=FIRST_TAB, concept=concept), own)

    def _file(self) -> Callable[[list[Any]], dict[str, str]]:
        def file(asked: list[Any]) -> dict[str, str]:
            """Everything that a link shows in this tab, as a file."""
            try:
                link, ending = (str(part)[:LONGEST_LINK] for part in asked[:2])
                every, own = asked[2:3] == [True], [str(one)[:LONGEST_LINK] for one in asked[3:]]
                view = View.from_link(link)
                with FILES.taking("files"):
                    table, name = self._every(view, own) if every else self._exported(view)
                    return as_file(table, name, ending)
            except BlindspotsError as error:
                return {"error": self._catalog.said(error)}

        return file
