"""Work on a CPU side by side: a piece a core, where one piece after the other on all cores waits.

What follows a matrix product here (a few numbers a token, single codes) is too little to share out
among cores each time, so that all but one would wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")
U = TypeVar("U")


def side_by_side(work: Callable[[T], U], pieces: Sequence[T], *, alone: bool = False) -> list[U]:
    """`work` on each piece, as many at once as torch has threads; the results in their order.

    One of several pieces has one of torch's threads, a single piece all of them, or one where it is
    `alone`: then no result depends on how many threads there are. Modes of torch that belong to a
    thread (`no_grad`, autocast) are for `work` to set.
    """
    threads = torch.get_num_threads()
    if threads == 1 or (len(pieces) == 1 and not alone):
        return [work(piece) for piece in pieces]
    return list(_pool(os.getpid(), threads).map(work, pieces))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Waiting threads, for which torch has one thread each; a forked process starts its own."""
    pool = ThreadPoolExecutor(threads, "core", initializer=_take_one_thread)
    started = Barrier(threads)
    list(pool.map(lambda _: started.wait(), range(threads)))
    # The threads of the program that start later take the number that was set last.
    torch.set_num_threads(threads)
    return pool


def _take_one_thread() -> None:
    """Let torch use one thread for what this thread does."""
    torch.get_num_threads()  # the first question sets the program's number, over one set before
    torch.set_num_threads(1)
