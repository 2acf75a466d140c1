"""How captions are drawn, where somebody wants it otherwise than usual: the form's second page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import gradio as gr

from blindspots_hub.errors import BlindspotsError

T = TypeVar("T", int, float)

MOST_SEEDS = 5
"""Drawings a caption that the form offers; the command takes any number."""


@dataclass(frozen=True)
class Drawing:
    """How each caption is drawn: how many times, and settings in the place of the model's own.

    None keeps the model's own; `size` is the side in pixels.
    """

    seeds: int = 1
    steps: int | None = None
    guidance: float | None = None
    size: int | None = None

    @classmethod
    def read(
        cls,
        seeds: float = 1,
        steps: str | None = None,
        guidance: str | None = None,
        size: str | None = None,
    ) -> Drawing:
        """What the fields of `DrawingForm` hold; what is no number is a `BlindspotsError`."""
        return cls(
            int(seeds),
            _read("Steps", steps, int, "30"),
            _read("Guidance", guidance, float, "7.5"),
            _read("Size", size, int, "512"),
        )

    @property
    def words(self) -> str:
        """What differs from the usual, for a title: "2 drawings a caption, 30 steps"."""
        said = [
            f"{self.seeds} drawings a caption" if self.seeds != 1 else "",
            f"{self.steps} steps" if self.steps is not None else "",
            f"guidance {self.guidance:g}" if self.guidance is not None else "",
            f"{self.size} px" if self.size is not None else "",
        ]
        return ", ".join(part for part in said if part)


def _read(field: str, text: str | None, number: Callable[[str], T], example: str) -> T | None:
    if not text or not text.strip():
        return None
    try:
        return number(text)
    except ValueError as error:
        raise BlindspotsError(
            f"{field} {text.strip()[:20]!r} is no number such as {example}: leave it empty for the "
            "model’s own."
        ) from error


USUAL = Drawing()
"""Once a caption, as the model is usually run."""


class DrawingForm:
    """The accordion "Advanced"; `Drawing.read` reads its `fields`."""

    def __init__(self) -> None:
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            self.seeds = gr.Slider(
                1,
                MOST_SEEDS,
                value=USUAL.seeds,
                step=1,
                precision=0,
                label="Drawings a caption",
                info="2 and more tell the sampler’s luck from what the model cannot draw, and "
                "take so much longer",
                elem_id="eval-seeds",
            )
            with gr.Row():  # texts: a field for numbers shows 0 where there is none
                self.steps = _empty("Steps", "eval-steps")
                self.guidance = _empty("Guidance", "eval-guidance")
                self.size = _empty("Size, pixels", "eval-size")

    @property
    def fields(self) -> list[gr.components.Component]:
        """In the order in which `Drawing.read` takes them."""
        return [self.seeds, self.steps, self.guidance, self.size]


def _empty(label: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(
        label=label, placeholder="usual", max_lines=1, max_length=20, min_width=90, elem_id=elem_id
    )
