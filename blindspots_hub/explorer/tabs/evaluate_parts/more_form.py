"""What an evaluation can be asked for besides: more models in a row, and pairs of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from blindspots_hub.errors import BlindspotsError

MOST_MODELS = 8
"""Models of one run of the form; the command takes any number."""

LONGEST = 500
"""Characters of a model's name, and of where pairs are."""


@dataclass(frozen=True)
class More:
    """Models that follow the first on the same pairs, and where these come from.

    `pairs_from` is "" where they are those of the page's bundle.
    """

    models: tuple[str, ...] = ()
    pairs_from: str = ""

    @classmethod
    def read(cls, models: Any = (), pairs_from: Any = "") -> More:
        """What the fields of `MoreForm` hold; `BlindspotsError` for more models than it takes."""
        named = [str(one).strip()[:LONGEST] for one in models or () if str(one).strip()]
        if len(named) > MOST_MODELS - 1:
            raise BlindspotsError(
                f"{len(named) + 1} models are named: the page evaluates {MOST_MODELS} in a row, "
                "the command any number."
            )
        return cls(tuple(dict.fromkeys(named)), str(pairs_from or "").strip()[:LONGEST])

    def after(self, first: str) -> list[str]:
        """All models in the order in which they are evaluated, none of them twice."""
        return list(dict.fromkeys((first, *self.models)))


NO_MORE = More()
"""One model, on the bundle's own pairs."""


class MoreForm:
    """The accordion; `known` are the models that its menu offers."""

    def __init__(self, known: Sequence[tuple[str, str]]) -> None:
        with gr.Accordion("More models, pairs of your own", open=False, elem_id="eval-more"):
            self.models = gr.Dropdown(
                list(known),
                value=[],
                multiselect=True,
                allow_custom_value=True,
                label="Then",
                info="evaluated in a row on the same pairs, into the same bundle, to be compared",
                elem_id="eval-then",
            )
            self.pairs_from = gr.Textbox(
                label="Pairs from",
                placeholder="the bundle’s own",
                info="a folder of captioned images, a table, or a data set of the Hub: what "
                "--pairs-from takes; concepts stay those of the bundle",
                max_lines=1,
                max_length=LONGEST,
                elem_id="eval-pairs-from",
            )

    @property
    def fields(self) -> list[gr.components.Component]:
        """In the order in which `More.read` takes them."""
        return [self.models, self.pairs_from]
