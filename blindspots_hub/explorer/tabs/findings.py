"""The tab Findings: what every analysis says of the model, and a figure of what is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.answer_parts.answer_list import AnswerList
from blindspots_hub.explorer.tabs.base import Tab, no_model

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


class FindingsTab(Tab):
    """What does the paper say, of this model? Words at once; figures where somebody opens them."""

    id = "findings"
    title = "Findings"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """A section an analysis; all of them are empty until the tab is opened."""
        self.answers = AnswerList(page, self.id, ANALYSES, report=True)

    @property
    def outputs(self) -> Sequence[Any]:
        """The words, and the panel of what is open."""
        return self.answers.outputs

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """The sentences of every analysis on the model, or what each of them lacks."""
        return self.answers.render(view)

    def wire(self, page: Page) -> None:
        """What is open is drawn after the words, and anew where the model is another."""
        self.answers.wire(page)
