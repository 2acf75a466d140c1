"""The form of a stress test: whom to ask for what, by which prompts, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from blindspots_hub.explorer.page.listening import NEWEST_AT_ONCE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.slider import slider
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationForm
from blindspots_hub.explorer.tabs.stress_parts.stress_runs import GIVEN, SOURCES, WRITTEN

IDLE = notice(
    "idle",
    "Nothing is running.",
    "Prompts that ask for a concept, or that do not ask for an exaggerated one, are drawn by the "
    "model, and by a second one if you like. A run that you stop goes on where it was when you run "
    "it again.",
)

PROMPTS, IMAGES = 20, 2
"""What the form begins with: less than the paper's 50 and 5, and enough for a full fault."""

MOST_PROMPTS, MOST_IMAGES = 50, 5

WIDTH = 400_000
"""Characters of prompts that the form takes."""

USUAL = next(iter(SOURCES))
"""Where prompts come from at first."""


class StressForm:
    """The components; `fields` are what a test is asked by, in the order `_choice` reads them.

    `model` is the menu of models, which stands above, `known` the choices of a second one,
    `sources` the names in `SOURCES` that are offered.
    """

    def __init__(
        self, model: gr.Dropdown, known: Sequence[tuple[str, str]], sources: Sequence[str]
    ) -> None:
        self.model = model
        self.against = gr.Dropdown(
            [("no second model", ""), *known],
            value="",
            label="Against",
            info="a model that draws the concept: the same prompts and seeds",
            allow_custom_value=True,
            elem_id="stress-against",
        )
        self.concepts = gr.Textbox(
            label="Concepts",
            info="numbers; several are judged with one correction",
            max_lines=1,
            max_length=300,
            elem_id="stress-concepts",
        )
        self.source = gr.Radio(
            [(SOURCES[name], name) for name in sources],
            value=USUAL,
            label="Prompts",
            elem_id="stress-source",
        )
        self._prompts_of_ones_own()
        self._language_model()
        with gr.Row():
            with gr.Column(min_width=160) as self.prompts_place:
                self.prompts = slider(
                    2, MOST_PROMPTS, value=PROMPTS, step=1, label="Prompts a concept",
                    elem_id="stress-prompts",
                )  # fmt: skip
            with gr.Column(min_width=160):
                self.images = slider(
                    1, MOST_IMAGES, value=IMAGES, step=1, label="Images a prompt",
                    elem_id="stress-images",
                )  # fmt: skip
        self.seed = gr.Number(0, label="Seed", precision=0, elem_id="stress-seed")
        self.advanced = GenerationForm("stress", self.images)
        self.estimate = gr.HTML(elem_id="stress-estimate")
        with gr.Row():
            self.run = gr.Button("Run", variant="primary", elem_id="stress-run")
            self.cancel = gr.Button("Cancel", interactive=False, elem_id="stress-cancel")
        self.status = gr.HTML(IDLE, elem_id="stress-status")

    def _prompts_of_ones_own(self) -> None:
        self.file = gr.HTML(
            '<label class="prompts-file">Prompts from a file <input type="file" '
            'accept=".txt,.json,text/plain"></label><span role="status"></span>',
            js_on_load=(Path(__file__).parent / "prompts_file.js").read_text(encoding="utf-8"),
            most=WIDTH,
            elem_id="stress-file",
        )
        self.lines = gr.Textbox(
            label="Prompts, one a line",
            info="{label} stands for the concept’s name",
            lines=3,
            max_lines=12,
            max_length=WIDTH,
            visible=False,
            elem_id="stress-lines",
        )

    def _language_model(self) -> None:
        with gr.Row(visible=False) as self.writer_row:
            self.writer = gr.Textbox(
                label="Language model",
                info="hf:OWNER/NAME, https://HOST/v1, or one that is run here",
                max_lines=1,
                max_length=500,
                min_width=160,
                elem_id="stress-writer",
            )
            self.writer_model = gr.Textbox(
                label="Its name on that server",
                max_lines=1,
                max_length=200,
                min_width=120,
                elem_id="stress-writer-model",
            )

    @property
    def fields(self) -> list[gr.components.Component]:
        """What a stress test is asked by."""
        return [
            self.model, self.against, self.concepts, self.source, self.lines, self.prompts,
            self.seed, self.writer, self.writer_model, *self.advanced.fields,
        ]  # fmt: skip

    def wire(self) -> None:
        """What a source of prompts needs is shown while it is chosen, and no longer."""
        self.source.change(
            self._needed, self.source, [self.lines, self.writer_row, self.prompts_place],
            **NEWEST_AT_ONCE,
        )  # fmt: skip

    def _needed(self, source: str) -> Updates:
        return {
            self.lines: gr.Textbox(visible=source == GIVEN),
            self.writer_row: gr.Row(visible=source == WRITTEN),
            self.prompts_place: gr.Column(visible=source != GIVEN),  # one's own are all drawn
        }
