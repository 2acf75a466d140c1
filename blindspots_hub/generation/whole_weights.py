"""Networks that lack some of their weights are refused: libraries would fill them with noise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blindspots_hub.generation.foreign import check_loaded

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def every_weight(source: str) -> Iterator[None]:
    """Whatever network diffusers and transformers load meanwhile has all its weights.

    transformers leaves what a file lacks random, and tells it in a log; pipelines ask for no more.
    Raises `BlindspotsError` with the first name that is missing; `source` is what the user named.
    """
    from diffusers import ModelMixin
    from transformers import PreTrainedModel

    with _ONE_AT_A_TIME:
        before = {cls: cls.__dict__["from_pretrained"] for cls in (ModelMixin, PreTrainedModel)}
        for cls, own in before.items():
            cls.from_pretrained = classmethod(_checked(own.__func__, source))
        try:
            yield
        finally:
            for cls, own in before.items():
                cls.from_pretrained = own


def _checked(own: Any, source: str) -> Any:
    def from_pretrained(cls: type, *args: Any, **options: Any) -> Any:
        wanted = options.pop("output_loading_info", False)
        network, told = own(cls, *args, output_loading_info=True, **options)
        check_loaded(told, f"{source}, in its {cls.__name__},")
        return (network, told) if wanted else network

    return from_pretrained
