"""The tab Findings: what every analysis says of the model, and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.analysis.stored import left_to_ask, stored_sentences
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.listening import PRIVATE, Updates
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.base import Tab, no_model

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

Group = tuple[str, ...]
"""The models that one answer is about."""


@dataclass(frozen=True)
class Section:
    """One analysis on the page; `which` chooses whose figure where there are several answers."""

    analysis: Analysis
    words: gr.HTML
    panel: gr.Accordion
    which: gr.Radio
    figure: gr.Plot
    is_open: gr.State


class FindingsTab(Tab):
    """What does the paper say, of this model? Words at once; figures where somebody opens them."""

    id = "findings"
    title = "Findings"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """A section an analysis; all of them are empty until the tab is opened."""
        self._page = page
        self._sections = [self._section(analysis) for analysis in ANALYSES]
        self.shown = gr.State("")  # key of the model that the sections are about

    def _section(self, analysis: Analysis) -> Section:
        words = gr.HTML(elem_id=f"finding-{analysis.name}", elem_classes="finding-section")
        with gr.Accordion("Figure", open=False, elem_id=f"figure-{analysis.name}") as panel:
            which = gr.Radio([], label="Models", elem_id=f"which-{analysis.name}")
            figure = gr.Plot(show_label=False, container=False)
        return Section(analysis, words, panel, which, figure, gr.State(False))

    @property
    def outputs(self) -> Sequence[Any]:
        """All words and choices; figures follow `shown`."""
        parts = ((each.words, each.panel, each.which) for each in self._sections)
        return [self.shown, *(component for section in parts for component in section)]

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """The sentences of every analysis on the model, or what each of them lacks."""
        entry = self._page.entry(view)
        updates: Updates = {self.shown: entry.key}
        for section in self._sections:
            groups = answerable(section.analysis, entry)
            names = [_name(group) for group in groups]
            updates |= {
                section.words: words(section.analysis, entry),
                section.panel: gr.Accordion(visible=bool(groups)),
                section.which: gr.Radio(
                    names, value=names[0] if names else None, visible=len(names) > 1
                ),
            }
        return updates

    def wire(self, page: Page) -> None:
        """A figure is made when its panel is opened, and anew where the model is another."""
        for section in self._sections:
            draw = page.told(partial(self._draw, section))
            changed = [section.figure, *page.noted]
            seen = [page.view, section.which, section.is_open]
            section.panel.expand(lambda: True, None, section.is_open, **PRIVATE).then(
                draw, seen, changed, **PRIVATE
            )
            section.panel.collapse(lambda: False, None, section.is_open, **PRIVATE)
            section.which.input(draw, seen, changed, **PRIVATE)
        which = [section.which for section in self._sections]
        is_open = [section.is_open for section in self._sections]
        figures = [section.figure for section in self._sections]
        self.shown.change(
            page.told(self._draw_open), [page.view, *which, *is_open], [*figures, *page.noted],
            **PRIVATE,
        )  # fmt: skip

    def _draw_open(self, view: View, *parts: Any) -> Updates:
        count = len(self._sections)
        updates: Updates = {}
        for section, which, is_open in zip(
            self._sections, parts[:count], parts[count:], strict=True
        ):
            updates |= self._draw(section, view, which, is_open)
        return updates

    def _draw(self, section: Section, view: View, which: str | None, is_open: bool) -> Updates:
        if not is_open:
            return {section.figure: None}
        entry = self._page.entry(view)
        for group in answerable(section.analysis, entry):
            if which in (None, _name(group)):
                return {section.figure: answer(entry.bundle, section.analysis, group).figure()}
        return {section.figure: None}


def answerable(analysis: Analysis, entry: Entry) -> list[Group]:
    """The groups of models with the entry's among them of which the bundle has all it needs."""
    return [
        group
        for group in analysis.groups(entry.bundle)
        if entry.model in group and analysis.lacks(entry.bundle, group) is None
    ]


def words(analysis: Analysis, entry: Entry) -> str:
    """Title and sentences of an analysis on a model as HTML; what it lacks where that is all."""
    groups = [group for group in analysis.groups(entry.bundle) if entry.model in group]
    kept = stored_sentences(entry.bundle, analysis.name) or {}
    told: list[str] = []
    for group in groups or [(entry.model,)]:
        missing = analysis.lacks(entry.bundle, group)
        if missing is None:
            told.append(
                f"<p>{escape(kept.get(group) or _sentence(entry.bundle, analysis, group))}</p>"
            )
        elif (line := f'<p class="lacking">{escape(missing)}</p>') not in told:
            told.append(line)
    return (
        f"<h3>{escape(analysis.title)} <small>section {escape(analysis.section)}</small></h3>"
        + "".join(told)
    )


def _sentence(bundle: Bundle, analysis: Analysis, group: Group) -> str:
    """The sentence of an answer that a bundle does not keep; of a large one, how to get it."""
    if left_to_ask(bundle, analysis.name):
        return (
            f"Not kept in this bundle: python -m blindspots_hub analyse {bundle.root.name} "
            f"{analysis.name} computes it."
        )
    try:
        return answer(bundle, analysis, group).sentence
    except BlindspotsError as error:
        return str(error)


@lru_cache(maxsize=32)
def answer(bundle: Bundle, analysis: Analysis, group: Group) -> Finding:
    """The finding, computed once: a bundle is read-only."""
    return analysis.answer(bundle, group)


def _name(group: Group) -> str:
    return " · ".join(group)
