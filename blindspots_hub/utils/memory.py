"""Batches that do not fit the memory: halved, tried again, and remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from blindspots_hub.errors import BlindspotsError

T = TypeVar("T")
U = TypeVar("U")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of a GPU or of the machine, did not suffice."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in str(error) or "can't allocate memory" in str(error))
    )


def device_failed(error: BaseException) -> bool:
    """Whether an error is a GPU's own, of its driver or libraries: nothing about the input."""
    text = str(error)
    return (
        isinstance(error, RuntimeError)
        and not out_of_memory(error)
        and any(name in text for name in ("CUDA", "cuDNN", "CUDNN", "CUBLAS", "HIP error", "NCCL"))
    )


def release(error: BaseException) -> None:
    """Let go of the tensors that filled the memory: the error's traceback holds them."""
    import torch

    error.__traceback__ = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class AdaptiveBatch:
    """How many things fit the memory at once, found by trying.

    Starts at `at_once`; whenever memory runs out it is halved, for good. Where not even one thing
    fits, `BlindspotsError` with the sentence `too_large`.
    """

    def __init__(self, at_once: int, too_large: str) -> None:
        self.at_once = at_once
        self._too_large = too_large

    def map(self, things: Sequence[T], work: Callable[[Sequence[T]], list[U]]) -> list[U]:
        """`work` on all things, as many at once as fit; a result each, in their order."""
        results: list[U] = []
        while len(results) < len(things):
            part = things[len(results) : len(results) + self.at_once]
            try:
                results += work(part)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                release(error)
                if len(part) == 1:
                    raise BlindspotsError(self._too_large) from None
                self.at_once = len(part) // 2
        return results
