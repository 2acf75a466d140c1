"""A slider whose field takes any number: what is out of its range is the nearest end."""

from __future__ import annotations

from typing import Any

import gradio as gr


def slider(*args: Any, **kwargs: Any) -> gr.Slider:
    """A `gr.Slider` of these arguments.

    Gradio refuses a number out of range before its field has been left, by an error over the form.
    No subclass: Gradio writes a file beside the module of every class of a component.
    """
    made = gr.Slider(*args, **kwargs)
    read = made.preprocess

    def nearest(payload: float) -> float:
        if isinstance(payload, (int, float)) and payload == payload:  # not NaN
            payload = min(max(payload, made.minimum), made.maximum)
        return read(payload)

    made.preprocess = nearest
    return made
