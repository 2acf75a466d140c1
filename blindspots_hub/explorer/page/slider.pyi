"""A slider whose field takes any number: what is out of its range is the nearest end."""

from __future__ import annotations

import gradio as gr

from gradio.events import Dependency

class Slider(gr.Slider):
    """Gradio refuses such a number before its field has been left, by an error over the form."""

    is_template = True  # the browser has one slider

    def preprocess(self, payload: float) -> float:
        """The number as a listener gets it."""
        if isinstance(payload, (int, float)) and payload == payload:  # not NaN
            payload = min(max(payload, self.minimum), self.maximum)
        return super().preprocess(payload)
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component