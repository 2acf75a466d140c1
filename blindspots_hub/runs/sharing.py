"""Work shared by the processes that `accelerate launch` started: where they meet and part."""

from __future__ import annotations

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.distributed import Processes


def barrier(processes: Processes) -> None:
    """Until every process has come this far; `BlindspotsError` where one of them never will."""
    try:
        processes.wait()
    except RuntimeError as error:  # the others are told by a connection that closes
        raise BlindspotsError(
            "Another process of this run has ended before its share was done: it tells why. What "
            "all of them computed is kept, run the same command again to go on from there."
        ) from error


def shutdown() -> None:
    """Leave the other processes, if there are any, once all work is done."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
