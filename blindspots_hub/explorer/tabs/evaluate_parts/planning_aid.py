"""How many pairs an evaluation needs for the certainty that somebody wants: part of the form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from blindspots_hub.analysis.planning import Need, pairs_needed
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.listening import EVERY, NEWEST
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.slider import slider

MARGIN = 0.2
"""Half-width of the relative gap's interval that the form begins with."""

WORDS = (
    "<p>The gap of a concept goes from −1 (the model never draws it) over 0 (as much as in the "
    "natural images) to +1 (only the model draws it). With a margin of 0.2, a gap of −0.5 is known "
    "to lie between −0.7 and −0.3.</p>"
)


class PlanningAid:
    """The accordion "How sure do you want to be?"; it sets the form's pairs, within its limits."""

    def __init__(self, bundle: Bundle, least: int, most: int) -> None:
        self._bundle, self._least, self._most = bundle, least, most
        with gr.Accordion("How sure do you want to be?", open=False, elem_id="planning") as panel:
            gr.HTML(WORDS)
            self.margin = slider(
                0.05, 0.5, value=MARGIN, step=0.01, label="Margin of the gap, ±",
                info="a smaller one needs more pairs", elem_id="eval-margin",
            )  # fmt: skip
            self.table = gr.HTML(
                js_on_load=(Path(__file__).parent / "planning.js").read_text(encoding="utf-8"),
                elem_id="needs",
            )
        self.panel = panel

    def wire(self, pairs: gr.Slider) -> None:
        """Attach the listeners, one of which sets `pairs`."""
        for event in (self.panel.expand, self.margin.release):
            event(self.needs, self.margin, self.table, **NEWEST)
        self.table.use(self._use, None, pairs, **EVERY)

    def needs(self, margin: float) -> str:
        """What the table shows for a margin, as HTML."""
        try:
            return needs_table(pairs_needed(self._bundle, margin), self._least, self._most)
        except BlindspotsError as error:
            return notice("error", "This can’t be planned.", str(error))

    def _use(self, event: gr.EventData) -> int:
        return min(max(int(event.pairs), self._least), self._most)


def needs_table(needs: Sequence[Need], least: int, most: int) -> str:
    """Pairs by how common a concept is, with a button where the form can be set to them."""
    if all(need.pairs is None for need in needs):
        return (
            "<p>This bundle has measured too few concepts on pairs of images to tell: evaluate a "
            "model here first, or take as many pairs as you have time for.</p>"
        )
    rows = "".join(
        f"<tr><th scope='row'>{_shown_in(need)}</th>{_pairs(need, least, most)}</tr>"
        for need in needs
    )
    return (
        "<table><thead><tr><th>concepts seen in</th><th>need pairs</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table><p>1 in 10: of the natural images. Half of such concepts "
        "need fewer pairs, half need more, judging by those measured here.</p>"
    )


def _shown_in(need: Need) -> str:
    rarest = f"1 in {round(1 / need.low)}"
    return f"over {rarest}" if need.high == 1 else f"1 in {round(1 / need.high)} – {rarest}"


def _pairs(need: Need, least: int, most: int) -> str:
    if need.pairs is None:
        return f"<td class='unknown' colspan='2'>too few measured to tell ({need.concepts})</td>"
    words = f"<td><b>{count(need.pairs)}</b></td>"
    if need.pairs > most:
        return f"{words}<td class='unknown'>only {count(most)} here</td>"
    asked = max(need.pairs, least)
    return (
        f'{words}<td><button type="button" data-pairs="{asked}" '
        f'aria-label="Set the pairs to {count(asked)}">Use {count(asked)}</button></td>'
    )
