"""The tab Structure: how blindspots hang together, on the map, in the dictionary, in images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.answer_parts.answer_list import AnswerList
from blindspots_hub.explorer.tabs.base import Tab, no_model

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

MEANINGS = {
    "delta_clustering": "Do concepts that lie near each other go wrong together? Moran’s I is 0 "
    "where δ is dealt out at random and grows towards 1 where neighbours are alike; if it lies "
    "beyond the grey range, a blindspot tells of its neighbours.",
    "redundancy": "Is one fault counted several times? Concepts whose directions nearly coincide "
    "are merged and measured again; if the share that is changed stays, blindspots are no artefact "
    "of near-duplicates.",
    "hierarchy": "Do blindspots hold for whole groups of concepts? If groups of neighbours repeat "
    "better between halves of the pairs than random groups of the same size, they are one thing.",
    "coactivation": "Do the same concepts appear together as in nature? Pairs of concepts that "
    "meet in the model’s images and never in natural ones are combinations that it made up; two "
    "halves of the natural images show how many are chance.",
    "token_coactivation": "The same of single patches: concepts that fire on one patch describe "
    "one thing there, not merely one image.",
    "orthogonality": "Are concepts separate directions, as the method assumes? Cosines near 0 mean "
    "that one can be changed without the other.",
}
"""What the answer to each analysis of this tab means, in plain words."""


class StructureTab(Tab):
    """How do blindspots hang together? A sentence, a figure and a table each, made when opened."""

    id = "structure"
    title = "Structure"

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """A section an analysis; nothing is computed before it is opened."""
        gr.HTML(
            "<h2>How do blindspots hang together?</h2><p>Each answer is computed when you open "
            "it.</p>",
            elem_id="structure-intro",
            elem_classes="tab-intro",
        )
        shown = [analysis(name) for name in MEANINGS]
        self.answers = AnswerList(page, self.id, shown, MEANINGS, at_once=False)

    @property
    def outputs(self) -> Sequence[Any]:
        """The words, and the panel of what is open."""
        return self.answers.outputs

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """What each analysis means, and its sentence where it is known."""
        return self.answers.render(view)

    def wire(self, page: Page) -> None:
        """As in Findings."""
        self.answers.wire(page)
