"""The processes that work together: one, or those that `accelerate launch` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from blindspots_hub.errors import BlindspotsError

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)
"""How long a process waits for the others: their shares of the images may take hours."""


@dataclass(frozen=True)
class Processes:
    """This process among `count` equal ones, each with its own share of every batch.

    With one process every method leaves its tensor as it is.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @classmethod
    def launched(cls, device: str) -> Processes:
        """Join the processes that `accelerate launch` (or torchrun) started; else be alone."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        from accelerate import PartialState

        state = PartialState(cpu=device == "cpu", timeout=_PATIENCE)
        return cls(state.process_index, state.num_processes, str(state.device))

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and shows progress."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Which of `n` things in a row are this process's."""
        return slice(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def total(self, n: int) -> int:
        """Σ of `n` over the processes."""
        if self.count == 1:
            return n
        counted = torch.tensor(n, device=self.device)
        distributed.all_reduce(counted)
        return int(counted)

    def sum_(self, *tensors: torch.Tensor) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)

    def least(self, value: torch.Tensor) -> torch.Tensor:
        """The least of `value` over the processes."""
        if self.count > 1:
            distributed.all_reduce(value, distributed.ReduceOp.MIN)
        return value

    def any(self, mask: torch.Tensor) -> torch.Tensor:
        """Where `mask` (bool) is true in any process."""
        if self.count == 1:
            return mask
        counts = mask.to(torch.int32)
        distributed.all_reduce(counts)
        return counts > 0

    def same_(self, *tensors: torch.Tensor) -> None:
        """Replace each tensor by the first process's."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    def gathered(self, values: torch.Tensor, size: int) -> torch.Tensor:
        """`values` (at most `size` of each process) of all processes in one row."""
        if self.count == 1:
            return values
        padded = values.new_full((size,), -torch.inf)
        padded[: len(values)] = values
        every = [torch.empty_like(padded) for _ in range(self.count)]
        distributed.all_gather(every, padded)
        together = torch.cat(every)
        return together[together > -torch.inf]

    def everyones(self, own: T) -> list[T]:
        """What every process has, by their numbers: `own` of each (pickled), in all of them."""
        if self.count == 1:
            return [own]
        every: list[Any] = [None] * self.count
        distributed.all_gather_object(every, own)
        return every

    def wait(self) -> None:
        """Until every process has come this far."""
        if self.count > 1:
            distributed.barrier()

    def leave(self) -> None:
        """End the group of processes; the last call."""
        if self.count > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


ALONE = Processes()
"""The only process of its run."""


def barrier(processes: Processes) -> None:
    """Until every process has come this far; `BlindspotsError` where one of them never will."""
    with _told():
        processes.wait()


def everyones(processes: Processes, own: T) -> list[T]:
    """`Processes.everyones`; `BlindspotsError` where one of them has ended."""
    with _told():
        return processes.everyones(own)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the others are told by a connection that closes
        raise BlindspotsError(
            "Another process of this run has ended before its share was done: it tells why. What "
            "all of them computed is kept, run the same command again to go on from there."
        ) from error


def shutdown() -> None:
    """Leave the other processes, if there are any, once all work is done."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
