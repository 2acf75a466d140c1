"""The page: the view that is shown, the tabs that show it, and the way from one to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from itertools import count
from typing import Any

import gradio as gr

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.address import address_bar, address_of, answered
from blindspots_hub.explorer.page.arrival import first_view, settled
from blindspots_hub.explorer.page.catalog import Catalog, Entry, menu
from blindspots_hub.explorer.page.counts import verdict_line
from blindspots_hub.explorer.page.domain_notice import result_notice
from blindspots_hub.explorer.page.example import example_notice
from blindspots_hub.explorer.page.format import SCALE
from blindspots_hub.explorer.page.header import bundle_words, header
from blindspots_hub.explorer.page.listening import EVERY, NEWEST_AT_ONCE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.page_options import PageOptions as PageOptions
from blindspots_hub.explorer.page.turns import CLOCK_JS, Turns, latest
from blindspots_hub.explorer.page.view import NAMES, View
from blindspots_hub.explorer.tabs.base import Tab

_NOTED = count(1)
"""Numbers of views, in the order in which pages noted them."""


class Page:
    """One visitor's page: build it inside a `gr.Blocks`.

    `view` is the state that holds the `View`, `own` the state with the ids of the bundles that the
    session made. A listener of a tab ends in one of two ways: `go` brings another view to the
    screen, whatever tab shows it; `at` notes that the tab itself has changed what it shows.
    """

    def __init__(self, catalog: Catalog, options: PageOptions, tabs: Sequence[type[Tab]]) -> None:
        self.catalog, self.options = catalog, options
        self.tabs = {tab.id: tab() for tab in tabs}
        first = first_view(catalog)
        lacking = self.tabs[first.tab].lacks(catalog.home)
        # A bundle that nothing can be shown of yet: begin where that is mended.
        self.first = replace(first, tab=list(self.tabs)[-1]) if lacking else first
        self.view, self.own = gr.State(self.first), gr.State([])
        self._turns = gr.State(Turns())
        self._build()
        self._wire()

    def _build(self) -> None:
        home = self.catalog.home
        self._top = header(home, self.options.site.told(self.options.note))
        self._address = address_bar()
        self._example = gr.HTML(example_notice(home), elem_id="example")
        self._fault = gr.HTML("", elem_id="fault")
        with gr.Row(elem_id="bar", visible=bool(self.first.model)) as self._bar:
            self._model = gr.Dropdown(
                menu(self.catalog.entries()),
                value=self.first.key if self.first.model else None,
                label="Model",
                elem_id="model",
                filterable=False,
            )
            self._kind = gr.Radio(
                list(KINDS),
                value=self.first.kind,
                label=f"δ: {SCALE}",
                elem_id="delta",
            )
            self._clock = gr.Number(visible=False)
        self.finding = gr.HTML(self._told_of(self.first), elem_id="finding")
        self._lacks: dict[str, gr.HTML] = {}
        self._bodies: dict[str, gr.Column] = {}
        # What each tab shows, not always the page's view: a tab behind is rendered when opened.
        self._drawn = {
            name: gr.State(self.first if name == self.first.tab else None) for name in self.tabs
        }
        with gr.Tabs(elem_id="tabs", selected=self.first.tab) as self._buttons:
            for name, tab in self.tabs.items():
                missing = tab.lacks(home)
                with gr.Tab(tab.title, id=name) as tab.place:
                    self._lacks[name] = gr.HTML(lacks_line(missing), elem_id=f"{name}-lacks")
                    with gr.Column(visible=not missing, elem_id=f"{name}-body") as body:
                        tab.build(self)
                    self._bodies[name] = body

    def _wire(self) -> None:
        for tab in self.tabs.values():
            tab.wire(self)
        seen = [self.view, self.own]
        # `select` of the buttons is a visitor's click; that of a tab is also raised on load.
        self._buttons.select(
            **self.latest("tab", self._open_tab, [*seen, *self._drawn.values()], self._left),
            outputs=self.outputs,
            **EVERY,
        )
        self._model.select(  # `input` of a menu is raised twice a choice
            **self.latest("model", self._other_model, [*seen, self._model]),
            outputs=self.outputs,
            **EVERY,
        )
        self._kind.input(
            **self.latest("delta", self._other_kind, [*seen, self._kind]),
            outputs=self.outputs,
            **EVERY,
        )
        self.own.change(self._listed, seen, [self._bar, self._model], **NEWEST_AT_ONCE)
        self._address.travel(self._travel, self.own, self.outputs, **EVERY)  # one at a time
        self._address.opened(self._opened_early, self.own, self.outputs, **EVERY)

    def on_load(self, handler: Callable[..., Any], inputs: Any, outputs: Any, **how: Any) -> Any:
        """Attach a listener of the page's being opened."""
        return gr.context.Context.root_block.load(handler, inputs, outputs, **how)

    # ---- what tabs use -----------------------------------------------------------------------

    @property
    def outputs(self) -> list[Any]:
        """Everything that `go` may change: the outputs of a listener that ends with it."""
        return [
            *self.noted, self._top, self._buttons, self._example, self._bar, self._model,
            self._kind, self.finding,
            *self._lacks.values(), *self._bodies.values(),
            *(component for tab in self.tabs.values() for component in tab.outputs),
        ]  # fmt: skip

    @property
    def noted(self) -> list[Any]:
        """What `at` changes: outputs of a listener that ends with it, beside the tab's own."""
        return [self.view, self._address, self._fault, *self._drawn.values()]

    @property
    def faults(self) -> list[Any]:
        """What `told` changes: outputs of a listener that ends in neither way."""
        return [self._fault]

    @property
    def no_fault(self) -> Updates:
        """That there is nothing to complain of any more."""
        return {self._fault: ""}

    def go(self, view: View, own: Sequence[str], arrived: bool = False) -> Updates:
        """Bring `view` to the screen, in the tab that it names.

        `arrived` says that the address came first, as with a link: no entry is added to the
        browser's history. What is not there raises `BlindspotsError` (see `told`).
        """
        view = settled(view, self.catalog, list(self.tabs))
        return {self._buttons: gr.Tabs(selected=view.tab), **self._shown(view, own, arrived)}

    def anew(self, view: View, own: Sequence[str], told: str) -> Updates:
        """`go` after what all tabs show has changed: those behind are rendered when opened.

        `told` is a notice on what was done, as HTML.
        """
        shown = self.go(view, own)
        behind = [state for name, state in self._drawn.items() if name != shown[self.view].tab]
        return {**shown, **dict.fromkeys(behind), self._fault: told}

    def at(self, view: View) -> Updates:
        """Note that `view` is on the screen: its tab has changed what it shows."""
        return self._noted(view, arrived=False)

    def entry(self, view: View) -> Entry:
        """The model of a view."""
        return self.catalog.entry(view.key)

    def note_heat(self, holder: gr.HTML) -> None:
        """Note what the slider of overlays in `holder` (with `HEAT_JS`) is left at."""
        holder.heat(**self.latest("heat", self._heated, [self.view]), outputs=self.noted, **EVERY)

    def other_model(self, view: View, key: str) -> View:
        """`view` of another model, by its entry's key; a pair that it did not draw is closed."""
        view, entry = view.of_model(key), self.catalog.entry(key)
        known = view.pair is None or view.pair in entry.bundle.image_ids(entry.model)
        return view if known else replace(view, pair=None)

    def told(
        self, handler: Callable[..., Updates], title: str = "This can’t be shown."
    ) -> Callable[..., Updates]:
        """`handler` with a `BlindspotsError` shown on the page, as one sentence below `title`."""

        @wraps(handler)
        def told_handler(*args: Any, **kwargs: Any) -> Updates:
            try:
                return handler(*args, **kwargs)
            except BlindspotsError as error:
                return {self._fault: self._complaint(title, error)}

        return told_handler

    def latest(
        self,
        kind: str,
        handler: Callable[..., Updates],
        inputs: Sequence[Any],
        late: Callable[[Updates], Updates] | None = None,
    ) -> dict[str, Any]:
        """How `told` is attached so that of several events of a `kind` the last one counts.

        For what is answered in full by the last: a concept that is opened, a page of a table.
        `late` says what stays of an earlier one's answer that comes after it; at first nothing.
        """
        heard = latest(
            self.told(handler), kind, self.view, late or (lambda _: {self.view: gr.skip()})
        )
        return {"fn": heard, "inputs": [*inputs, self._clock, self._turns], "js": CLOCK_JS}

    def follow_link(self, own: list[str], request: gr.Request) -> Updates:
        """On load: bring what the address names to the screen; leave the page as it is if none.

        On one's own machine what was evaluated there before is in the menu.
        """
        query = dict(request.query_params)
        kept: list[str] = []
        if not self.options.site.public:
            kept = [k for k in self.catalog.kept_in(self.options.evaluations) if k not in own]
        own = [*kept, *own]
        named = bool(set(NAMES) & set(query))
        updates = self._follow(query, own) if named else {self.view: gr.skip()}
        if query.get("tab", self.first.tab) == self.first.tab:
            # That one is in front already, unless a visitor was quicker than this answer.
            updates.pop(self._buttons, None)
        return {**self._listed(self.first, own), **updates, self.own: own} if kept else updates

    # ---- what happens ------------------------------------------------------------------------

    def _heated(self, event: gr.EventData, view: View) -> Updates:
        return self.at(view.heated(event.percent))

    def _noted(self, view: View, arrived: bool) -> Updates:
        view = replace(view, noted=next(_NOTED))
        return {
            self.view: view,
            self._address: address_of(view, arrived),
            self._fault: "",
            self._drawn[view.tab]: view,
        }

    def _shown(self, view: View, own: Sequence[str], arrived: bool) -> Updates:
        """All of the page but for which tab is in front."""
        bundle, tab = self.catalog.bundle(view.bundle), self.tabs[view.tab]
        missing = tab.lacks(bundle)
        return {
            **self._noted(view, arrived),
            self._top: gr.HTML(shown=bundle_words(bundle)),
            self._example: example_notice(bundle),
            self._model: gr.Dropdown(
                choices=self._menu(view, own), value=view.key if view.model else None
            ),
            self._bar: gr.Row(visible=bool(view.model)),
            self._kind: view.kind,
            self.finding: self._told_of(view),
            self._lacks[tab.id]: lacks_line(missing),
            self._bodies[tab.id]: gr.Column(visible=not missing),
            **({} if missing else tab.render(view, own)),
        }

    def _told_of(self, view: View) -> str:
        """The verdict on the model, and the warning where its images are none of the space's own.

        It stands above every tab, with what it rests on; without a model there is nothing to say.
        """
        if not view.model:
            return ""
        entry = self.entry(view)
        return verdict_line(entry, view.kind) + result_notice(entry.bundle, entry.model)

    def _menu(self, view: View, own: Sequence[str]) -> list[tuple[str, str]]:
        entries = self.catalog.entries(own)
        if view.model and self.entry(view) not in entries:  # a link to someone else's evaluation
            entries = [*entries, self.entry(view)]
        return menu(entries)

    def _listed(self, view: View, own: list[str]) -> Updates:
        """The menu once the session has another bundle; what is shown stays."""
        choices = self._menu(view, own)
        return {self._model: gr.Dropdown(choices=choices), self._bar: gr.Row(visible=bool(choices))}

    def _open_tab(
        self, event: gr.SelectData, view: View, own: list[str], *drawn: View | None
    ) -> Updates:
        name = next(name for name, tab in self.tabs.items() if tab.title == event.value)
        view = replace(view, tab=name)
        is_drawn = dict(zip(self._drawn, drawn, strict=True))[name] == view
        return self.at(view) if is_drawn else self._shown(view, own, arrived=False)

    def _left(self, updates: Updates) -> Updates:
        """What opening a tab changes where the visitor has gone on to another one meanwhile."""
        behind = {self.view, self._address, self._fault}
        kept = {one: update for one, update in updates.items() if one not in behind}
        return kept or {self.view: gr.skip()}

    def _other_model(self, view: View, own: list[str], key: str) -> Updates:
        return self.go(self.other_model(view, key), own)

    def _other_kind(self, view: View, own: list[str], kind: str) -> Updates:
        return self.go(replace(view, kind=kind), own)

    def _travel(self, event: gr.EventData, own: list[str]) -> Updates:
        query = {str(name): str(value) for name, value in dict(event.query).items()}
        named = bool(set(NAMES) & set(query))
        updates = self._follow(query, own) if named else self.go(self.first, own)
        return {**updates, self._address: answered()}

    def _opened_early(self, event: gr.EventData, own: list[str]) -> Updates:
        """What the page's link names, in the tab that was opened before that was answered."""
        query = {str(name): str(value) for name, value in dict(event.query).items()}
        name = next((name for name, tab in self.tabs.items() if tab.title == event.tab), None)
        return self._follow({**query, "tab": name}, own) if name else {self.view: gr.skip()}

    def _follow(self, query: dict[str, str], own: list[str]) -> Updates:
        try:
            return self.go(View.from_query(query), own, arrived=True)
        except BlindspotsError as error:
            return {self._fault: self._complaint("This link leads nowhere.", error)}

    def _complaint(self, title: str, error: BlindspotsError) -> str:
        """A fault as a visitor may read it, as HTML."""
        return notice("error", title, self.options.site.told(str(error)))


def lacks_line(missing: str | None) -> str:
    """What stands in a tab's place where its bundle lacks something, as HTML."""
    return notice("idle", "There is nothing to show here yet.", missing) if missing else ""
