"""Analyses as a list of words, beside a panel with figure and table of the one that is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.base import Analysis
from blindspots_hub.analysis.stored import left_to_ask
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.commands import computing, reporting
from blindspots_hub.explorer.page.listening import EVERY, NEWEST, Updates, server_time
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.table_files import FILES, as_file
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.answer_parts.report_file import report_function, report_line
from blindspots_hub.explorer.tabs.answer_parts.table import file_table, table_html
from blindspots_hub.explorer.tabs.answer_parts.words import (
    Group,
    answer,
    answerable,
    paragraphs,
    sentence,
)

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

HERE = Path(__file__).parent

OPEN, CLOSED = ["answer-panel"], ["answer-panel", "is-closed"]
"""Classes of the panel: it stays mounted, for what is sent to a part that is not yet is lost."""

NO_TABLE = "The page asked for a table that it does not show: reload it."

COMING = '<div class="skeleton" role="status">Computing…</div>'


class AnswerList:
    """The words of `analyses` on the view's model, and a panel with the one that is open.

    `name` begins the ids of its components, `meanings` are what an answer means, in plain words, by
    the analysis's name. With `at_once` sentences that a bundle does not keep are computed when the
    list is shown, else when they are opened. Words arrive first: the browser asks for the figure of
    what is open after them, so that nothing else is computed or sent.
    """

    def __init__(
        self,
        page: Page,
        name: str,
        analyses: Sequence[Analysis],
        meanings: Mapping[str, str] | None = None,
        at_once: bool = True,
        report: bool = False,
    ) -> None:
        self._page, self._name, self._at_once = page, name, at_once
        self._report = report
        self._analyses = {analysis.name: analysis for analysis in analyses}
        self._meanings = meanings or {}
        with gr.Row(elem_id=f"{name}-answers", elem_classes="answers"):
            with gr.Column(scale=5, min_width=320):
                self.list = gr.HTML(
                    elem_id=f"{name}-list",
                    js_on_load=(HERE / "answer_list.js").read_text(encoding="utf-8"),
                    server_functions=[report_function(page.catalog)],
                    turn=[0, "", False],
                    key_of_model="",
                )
            with gr.Column(
                scale=6, min_width=320, elem_id=f"{name}-open", elem_classes=CLOSED
            ) as self.panel:
                self.which = gr.Radio([], label="Against", elem_id=f"{name}-which", visible=False)
                self.head = gr.HTML(elem_id=f"{name}-head")
                self.figure = gr.Plot(show_label=False, container=False, elem_id=f"{name}-figure")
                self.table = gr.HTML(
                    elem_id=f"{name}-table",
                    js_on_load=(HERE / "answer_panel.js").read_text(encoding="utf-8"),
                    server_functions=[self._table_of()],
                    asked="",
                    named="table",
                )

    @property
    def outputs(self) -> list[Any]:
        """What `render` changes."""
        return [self.list, *self._panel]

    @property
    def _panel(self) -> list[Any]:
        return [self.panel, self.which, self.head, self.figure, self.table]

    def render(self, view: View) -> Updates:
        """The words on the view's model; the panel says that its figure comes."""
        html, to_come = self._words(self._page.entry(view), now=False)
        opened = view.open if view.open in self._analyses else ""
        shown = gr.HTML(html, turn=[server_time(), opened, to_come], key_of_model=view.key)
        return {self.list: shown, **self._coming(view)}

    def wire(self, page: Page) -> None:
        """Buttons open and close; what is open is drawn, and what is to come is told."""
        changed = [self.list, *self._panel, *page.noted]
        opened, which = f"open {self._name}", [page.view, self.which]
        self.list.open(**page.latest(opened, self._open, [page.view]), outputs=changed, **EVERY)
        self.which.input(**page.latest(opened, self._against, which), outputs=changed, **EVERY)
        for drawn in (self.list.draw, self.table.ready):
            drawn(page.told(self._draw), page.view, [*self._panel, *page.noted], **NEWEST)
        self.list.tell(page.told(self._tell), page.view, [self.list, *page.noted], **NEWEST)

    # ---- what happens ------------------------------------------------------------------------

    def _open(self, event: gr.EventData, view: View) -> Updates:
        return self._opened(replace(view, open=str(event.name), tab=self._name))

    def _against(self, view: View, model: str) -> Updates:
        return self._opened(replace(view, other=model))

    def _opened(self, view: View) -> Updates:
        if view.open and view.open not in self._analyses:
            raise BlindspotsError(
                "The page asked for an analysis that it does not show: reload it."
            )
        turn = gr.HTML(turn=[server_time(), view.open, False])
        return {self.list: turn, **self._coming(view), **self._page.at(view)}

    def _coming(self, view: View) -> Updates:
        """The panel before its figure is there."""
        analysis = self._analyses.get(view.open)
        blank = {self.figure: gr.Plot(None), self.table: gr.HTML("", asked="")}
        if analysis is None:
            return {self.panel: gr.Column(elem_classes=CLOSED), self.which: gr.Radio(visible=False),
                    self.head: "", **blank}  # fmt: skip
        return {
            self.panel: gr.Column(elem_classes=OPEN),
            self.which: self._choice(analysis, view),
            self.head: self._title(analysis)
            + '<div class="skeleton" role="status">Computing…</div>',
            **blank,
        }

    def _choice(self, analysis: Analysis, view: View) -> gr.Radio:
        entry = self._page.entry(view)
        groups = answerable(analysis, entry)
        if analysis.about != "two models" or len(groups) < 2:
            return gr.Radio(visible=False)
        others = [_other(group, entry.model) for group in groups]
        titles = [(entry.bundle.model(name).title or name, name) for name in others]
        chosen = view.other if view.other in others else others[0]
        return gr.Radio(choices=titles, value=chosen, visible=True)

    def _draw(self, view: View) -> Updates:
        analysis = self._analyses.get(view.open)
        if analysis is None:
            return {self.panel: gr.Column(elem_classes=CLOSED)}
        entry = self._page.entry(view)
        head = self._title(analysis)
        try:
            group = self._group(analysis, view)
            self._check_computed(entry, analysis)
            found = answer(entry.bundle, analysis, group)
            figure, table = found.figure(), table_html(analysis, found)
        except BlindspotsError as error:
            told = notice("idle", "There is no figure to show.", self._page.catalog.said(error))
            return {
                self.head: head + told,
                self.figure: gr.Plot(None),
                self.table: gr.HTML("", asked=""),
            }
        figure.update_layout(autosize=True, width=None)
        said = f"<p>{escape(found.sentence)}</p>"
        files = (
            '<div class="answer-files">Figure <button type="button" data-figure="png">PNG</button>'
            '<button type="button" data-figure="svg">SVG</button></div>'
        )
        return {
            self.head: head + said,
            self.figure: gr.Plot(figure),
            self.table: gr.HTML(
                files + table,
                asked="/".join((entry.key, analysis.name, ",".join(group))),
                named=f"{analysis.name}-{'-'.join(group)}",
            ),
        }

    def _check_computed(self, entry: Entry, analysis: Analysis) -> None:
        """Raise `BlindspotsError` where a page does not compute an analysis."""
        if left_to_ask(entry.bundle, analysis.name):
            raise BlindspotsError(
                "A bundle of this size takes a minute for this figure: "
                f"{computing(entry.bundle, analysis.name)} computes it beside the page, and "
                f"{reporting(entry.bundle)} draws it."
            )

    def _group(self, analysis: Analysis, view: View) -> Group:
        entry = self._page.entry(view)
        groups = answerable(analysis, entry)
        if not groups:
            lacking = [analysis.lacks(entry.bundle, g) for g in analysis.groups(entry.bundle)]
            raise BlindspotsError(
                next(filter(None, lacking), analysis.lacks(entry.bundle, (entry.model,)))
                or f"{analysis.title} has no answer for {entry.title}."
            )
        wanted = [group for group in groups if view.other and view.other in group]
        return wanted[0] if wanted and analysis.about == "two models" else groups[0]

    def _tell(self, view: View) -> Updates:
        html, _ = self._words(self._page.entry(view), now=True)
        return {self.list: gr.HTML(html, turn=[0, view.open, False])}

    # ---- HTML --------------------------------------------------------------------------------

    def _words(self, entry: Entry, now: bool) -> tuple[str, bool]:
        """The list as HTML, and whether some sentences are to come."""
        sections = [self._section(one, entry, now) for one in self._analyses.values()]
        first = report_line(entry.bundle) if self._report else ""
        return first + "".join(html for html, _ in sections), any(late for _, late in sections)

    def _section(self, analysis: Analysis, entry: Entry, now: bool) -> tuple[str, bool]:
        can = bool(answerable(analysis, entry))
        if self._at_once:
            told, to_come = paragraphs(analysis, entry, now)
        elif can:
            known = [
                sentence(entry.bundle, analysis, g, False) for g in answerable(analysis, entry)
            ]
            told, to_come = "".join(f"<p>{escape(one)}</p>" for one in known if one), False
        else:
            told, to_come = paragraphs(analysis, entry, False)
        button = (
            f'<button type="button" data-answer="{analysis.name}" aria-expanded="false" '
            f'aria-controls="{self._name}-open">Figure and table'
            f'<span class="sr"> of {escape(analysis.title)}</span></button>'
            if can
            else ""
        )
        meaning = self._meanings.get(analysis.name)
        return (
            f'<section class="finding-section" id="{self._name}-{analysis.name}">'
            f"<h3>{escape(analysis.title)} <small>{escape(analysis.where)}</small></h3>"
            f"{_meaning(meaning)}{told}{button}</section>"
        ), to_come

    def _title(self, analysis: Analysis) -> str:
        meaning = self._meanings.get(analysis.name)
        return f"<h3>{escape(analysis.title)}</h3>{_meaning(meaning)}"

    def _table_of(self) -> Callable[[list[str]], dict[str, str]]:
        def table_of(asked: list[str]) -> dict[str, str]:
            try:
                place, kind = (str(part) for part in asked)
                identity, model, name, models = place.split("/")
                group, analysis = tuple(models.split(",")), self._analyses[name]
            except (KeyError, TypeError, ValueError):
                return {"error": NO_TABLE}
            try:
                entry = self._page.catalog.entry(f"{identity}/{model}")
                self._check_computed(entry, analysis)
                if group not in answerable(analysis, entry):
                    raise BlindspotsError(NO_TABLE)
                with FILES.taking("files"):
                    table = file_table(analysis, answer(entry.bundle, analysis, group), kind)
                    file = as_file(table, name, kind)
            except BlindspotsError as error:
                return {"error": self._page.catalog.said(error)}
            return {"file": file["content"], "type": file["type"]}

        return table_of


def _meaning(meaning: str | None) -> str:
    return f'<p class="meaning">{escape(meaning)}</p>' if meaning else ""


def _other(group: Group, model: str) -> str:
    return next((name for name in group if name != model), model)
