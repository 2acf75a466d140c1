"""The tab Compare: which model, which checkpoint?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import check_concept
from blindspots_hub.explorer.page.commands import (
    BUNDLE,
    another_model,
    command,
    evaluating,
)
from blindspots_hub.explorer.page.listening import EVERY, NEWEST, Updates, server_time
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.view import FIRST_TAB, View
from blindspots_hub.explorer.tabs.answer_parts.answer_list import COMING
from blindspots_hub.explorer.tabs.base import Tab, no_model
from blindspots_hub.explorer.tabs.compare_parts.all_models import (
    matrix,
    series,
    shared_and_specific,
)
from blindspots_hub.explorer.tabs.compare_parts.scatter import scatter, show_models
from blindspots_hub.explorer.tabs.compare_parts.stress_verdicts import stress_verdicts
from blindspots_hub.explorer.tabs.compare_parts.two_models import agreement_line, difference

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

HERE = Path(__file__).parent


class CompareTab(Tab):
    """Two models of a bundle against each other, and all of them."""

    id = "compare"
    title = "Compare"

    def lacks(self, bundle: Bundle) -> str | None:
        """Two models."""
        if len(bundle.models) > 1:
            return None
        if missing := no_model(bundle):
            return missing
        (only,) = bundle.models.values()
        return (
            f"Two models are compared, and the bundle {bundle.name} has {only.title} alone: "
            f"{evaluating(bundle, another_model(bundle))} measures another on its captions, and "
            f"{command(bundle, 'combine', BUNDLE, 'OTHER', '--out', 'both')} joins it with another "
            "result."
        )

    def build(self, page: Page) -> None:
        """Two menus, a scatter, and what is said of the two below it."""
        self._page = page
        with gr.Row(elem_id="compare-bar"):
            self.model = gr.Dropdown([], label="From", elem_id="compare-model", filterable=False)
            self.other = gr.Dropdown([], label="to", elem_id="compare-other", filterable=False)
        with gr.Row(elem_id="compare-screen"):
            with gr.Column(scale=4, min_width=320):
                self.words = gr.HTML(elem_id="compare-words")
                self.scatter = scatter(page.catalog, "compare-scatter")
            with gr.Column(scale=6, min_width=320):
                self.body = gr.HTML(
                    elem_id="compare-below",
                    js_on_load=(HERE / "compare_parts/body.js").read_text(encoding="utf-8"),
                    turn=0,
                )

    @property
    def outputs(self) -> Sequence[Any]:
        """All of the tab."""
        return [self.model, self.other, self.words, self.scatter, self.body]

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """The correlation at once; what is below is asked for by the browser."""
        entry = self._page.entry(view)
        other = self._other(view)
        titles = [(one.title or name, name) for name, one in entry.bundle.models.items()]
        return {
            self.model: gr.Dropdown(choices=titles, value=view.model),
            self.other: gr.Dropdown(choices=[t for t in titles if t[1] != view.model], value=other),
            self.words: agreement_line(entry, other),
            self.scatter: show_models(entry, other),
            self.body: gr.HTML(COMING, turn=server_time()),
        }

    def wire(self, page: Page) -> None:
        """Menus and cells choose two models; points and names open concepts."""
        seen = [page.view, page.own]
        here = [*self.outputs, *page.noted]
        for menu, listener, changed in (
            (self.other, self._against, here),
            (self.model, self._from, page.outputs),
        ):
            menu.select(**page.latest("two", listener, [*seen, menu]), outputs=changed, **EVERY)
        self.body.two(**page.latest("two", self._two, seen), outputs=page.outputs, **EVERY)
        for event in (self.scatter.open, self.body.open):
            event(**page.latest("concept", self._open, seen), outputs=page.outputs, **EVERY)
        self.body.draw(page.told(self._draw), page.view, [self.body, *page.noted], **NEWEST)

    def _other(self, view: View) -> str:
        """The model that the view's is held against: the one asked for, else the next."""
        names = list(self._page.catalog.bundle(view.bundle).models)
        if view.other in names and view.other != view.model:
            return view.other
        return names[(names.index(view.model) + 1) % len(names)]

    def _against(self, view: View, own: list[str], other: str) -> Updates:
        self._page.catalog.bundle(view.bundle).model(other)
        view = replace(view, other=other, tab=self.id)
        return {**self.render(view, own), **self._page.at(view)}

    def _from(self, view: View, own: list[str], model: str) -> Updates:
        other = self._other(view)
        if model == other:  # the two change places
            other = view.model
        return self._page.go(replace(view, model=model, other=other, tab=self.id), own)

    def _two(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        first, _, other = str(event.models).partition(",")
        return self._page.go(replace(view, model=first, other=other, tab=self.id), own)

    def _open(self, event: gr.EventData, view: View, own: list[str]) -> Updates:
        concept = check_concept(self._page.catalog.bundle(view.bundle), int(event.i))
        return self._page.go(replace(view, concept=concept, tab=FIRST_TAB), own)

    def _draw(self, view: View) -> Updates:
        try:
            html = self._compared(view)
        except BlindspotsError as error:  # in its place: what is there says that it comes
            html = notice("error", "These can’t be compared.", self._page.catalog.said(error))
        return {self.body: gr.HTML(html, turn=0)}

    def _compared(self, view: View) -> str:
        entry = self._page.entry(view)
        if len(entry.bundle.models) < 2:
            raise BlindspotsError("Two models are compared, and this bundle has one.")
        other = self._other(view)
        return "".join(
            (
                difference(entry, other),
                stress_verdicts(entry, other),
                series(entry),
                matrix(entry, other),
                shared_and_specific(entry.bundle),
            )
        )
