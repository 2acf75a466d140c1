"""The form's advanced settings: images a caption, and the pipeline's steps, guidance and size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import gradio as gr

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.dtypes import DTYPES, DType

T = TypeVar("T", int, float)

USUAL_DTYPE = "usual"
"""The choice that leaves the number format to the weights and the device."""

MOST_SEEDS = 5
"""Images a caption that the form offers; the command takes any number."""


@dataclass(frozen=True)
class GenerationChoice:
    """How each caption is drawn: how many times, and settings in the place of the model's own.

    None keeps the model's own; `size` is the side in pixels.
    """

    num_images_per_prompt: int = 1
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    size: int | None = None
    dtype: DType | None = None

    @classmethod
    def read(
        cls,
        num_images_per_prompt: float = 1,
        num_inference_steps: str | None = None,
        guidance_scale: str | None = None,
        size: str | None = None,
        dtype: str | None = None,
    ) -> GenerationChoice:
        """What the fields of `GenerationForm` hold; what is no number is a `BlindspotsError`."""
        return cls(
            int(num_images_per_prompt),
            _read("Steps", num_inference_steps, int, "30"),
            _read("Guidance", guidance_scale, float, "7.5"),
            _read("Size", size, int, "512"),
            _dtype(dtype),
        )

    @property
    def words(self) -> str:
        """What differs from the usual, for a title: "2 images a caption, 30 steps"."""
        said = [
            f"{self.num_images_per_prompt} images a caption"
            if self.num_images_per_prompt != 1
            else "",
            f"{self.num_inference_steps} steps" if self.num_inference_steps is not None else "",
            f"guidance {self.guidance_scale:g}" if self.guidance_scale is not None else "",
            f"{self.size} px" if self.size is not None else "",
            self.dtype or "",
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


def _dtype(chosen: str | None) -> DType | None:
    if not chosen or chosen == USUAL_DTYPE:
        return None
    known: dict[str, DType] = {name: name for name in DTYPES}
    if chosen not in known:
        raise BlindspotsError(f"{chosen[:20]!r} is no number format: use {', '.join(known)}.")
    return known[chosen]


USUAL = GenerationChoice()
"""Once a caption, as the model is usually run."""


class GenerationForm:
    """The accordion "Advanced"; `GenerationChoice.read` reads its `fields`."""

    def __init__(self) -> None:
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            self.num_images_per_prompt = gr.Slider(
                1,
                MOST_SEEDS,
                value=USUAL.num_images_per_prompt,
                step=1,
                precision=0,
                label="Images a caption",
                info="2 and more tell the sampler’s luck from what the model cannot draw, and "
                "take so much longer",
                elem_id="eval-seeds",
            )
            with gr.Row():  # texts: a field for numbers shows 0 where there is none
                self.num_inference_steps = _empty("Steps", "eval-steps")
                self.guidance_scale = _empty("Guidance", "eval-guidance")
                self.size = _empty("Size, pixels", "eval-size")
            self.dtype = gr.Dropdown(
                [USUAL_DTYPE, *DTYPES],
                value=USUAL_DTYPE,
                label="Number format",
                info="the weights’ own on a GPU; float32 where its images are black",
                elem_id="eval-dtype",
            )

    @property
    def fields(self) -> list[gr.components.Component]:
        """In the order in which `GenerationChoice.read` takes them."""
        return [
            self.num_images_per_prompt,
            self.num_inference_steps,
            self.guidance_scale,
            self.size,
            self.dtype,
        ]


def _empty(label: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(
        label=label, placeholder="usual", max_lines=1, max_length=20, min_width=90, elem_id=elem_id
    )
