"""The advanced settings of forms that draw: steps, guidance, size and more of a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import gradio as gr

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.slider import slider
from blindspots_hub.generation.settings import GenerationSettings
from blindspots_hub.utils.dtypes import DTYPES, DType

T = TypeVar("T", int, float)

USUAL_DTYPE = "usual"
"""The choice that leaves the number format to the weights and the device."""

MOST_WORDS, MOST_NAME = 1_000, 80
"""Characters of a negative prompt, and of a scheduler's name."""

MOST_SEEDS = 5
"""Images a caption that the form offers; the command takes any number."""


@dataclass(frozen=True)
class GenerationChoice:
    """How each caption is drawn: how many times, and settings in the place of the model's own.

    None keeps the model's own; `size` is the side in pixels, `scheduler` the name of one of
    diffusers'.
    """

    num_images_per_prompt: int = 1
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    size: int | None = None
    dtype: DType | None = None
    negative_prompt: str | None = None
    scheduler: str | None = None

    @classmethod
    def read(
        cls,
        num_images_per_prompt: float = 1,
        num_inference_steps: str | None = None,
        guidance_scale: str | None = None,
        size: str | None = None,
        dtype: str | None = None,
        negative_prompt: str | None = None,
        scheduler: str | None = None,
    ) -> GenerationChoice:
        """What the fields of `GenerationForm` hold; what none is, or no pipeline takes, is
        a `BlindspotsError`."""
        steps = _read("Steps", num_inference_steps, int, "30")
        guidance = _read("Guidance", guidance_scale, float, "7.5")
        side = _read("Size", size, int, "512")
        _check(side, steps, guidance)
        return cls(
            int(num_images_per_prompt),
            steps,
            guidance,
            side,
            _dtype(dtype),
            _text("Negative prompt", negative_prompt, MOST_WORDS),
            _text("Scheduler", scheduler, MOST_NAME),
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
            self.scheduler or "",
            f"without “{self.negative_prompt}”" if self.negative_prompt else "",
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


LABELS = {"height": "Size", "num_inference_steps": "Steps", "guidance_scale": "Guidance"}
"""What the form calls settings of a pipeline."""


def _check(side: int | None, steps: int | None, guidance: float | None) -> None:
    """`BlindspotsError` in the form's words for what no pipeline takes."""
    try:
        GenerationSettings(side, side, steps, guidance)
    except BlindspotsError as error:
        told = str(error)
        for name, label in LABELS.items():
            told = told.replace(name, label)
        raise BlindspotsError(told) from error


def _text(field: str, text: str | None, most: int) -> str | None:
    words = " ".join((text or "").split())
    if len(words) > most:
        raise BlindspotsError(f"{field} has {len(words):,} characters: {most} at most.")
    return words or None


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
    """The accordion "Advanced" of the form `of`; `GenerationChoice.read` reads its `fields`.

    `images` is the field of images a prompt where the form has one of its own already.
    """

    def __init__(self, of: str = "eval", images: gr.Slider | None = None) -> None:
        with gr.Accordion("Advanced", open=False, elem_id=f"{of}-advanced"):
            self.num_images_per_prompt = images or slider(
                1,
                MOST_SEEDS,
                value=USUAL.num_images_per_prompt,
                step=1,
                precision=0,
                label="Images a caption",
                info="2 and more tell the sampler’s luck from what the model cannot draw, and "
                "take so much longer",
                elem_id=f"{of}-seeds",
            )
            with gr.Row():  # texts: a field for numbers shows 0 where there is none
                self.num_inference_steps = _empty("Steps", f"{of}-steps")
                self.guidance_scale = _empty("Guidance", f"{of}-guidance")
                self.size = _empty("Size, pixels", f"{of}-size")
            self.negative_prompt = gr.Textbox(
                label="Negative prompt",
                placeholder="none",
                max_lines=3,
                max_length=MOST_WORDS,
                elem_id=f"{of}-negative",
            )
            self.scheduler = gr.Textbox(
                label="Scheduler",
                placeholder="usual",
                info="one of diffusers’, such as DPMSolverMultistep",
                max_lines=1,
                max_length=MOST_NAME,
                elem_id=f"{of}-scheduler",
            )
            self.dtype = gr.Dropdown(
                [USUAL_DTYPE, *DTYPES],
                value=USUAL_DTYPE,
                label="Number format",
                info="the weights’ own on a GPU; float32 where its images are black",
                elem_id=f"{of}-dtype",
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
            self.negative_prompt,
            self.scheduler,
        ]


def _empty(label: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(
        label=label, placeholder="usual", max_lines=1, max_length=20, min_width=90, elem_id=elem_id
    )
