"""Loops for which neither numpy nor torch has a fast operation, as machine code by numba.

They hold no lock of Python's. Modules of such loops are imported where one is called, not at the
top of what a page needs at its start: numba takes a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """`loop` compiled at its first call, and kept on disk for other processes where that can be."""
    return _compiled(loop, fastmath=False)


def reordering(loop: Callable[..., Any]) -> Callable[..., Any]:
    """`compiled`, with sums in an order that is the processor's own: they round as it likes.

    For bounds that allow for rounding, and for a training, which rounds as the machine's products
    do; never for what has to be the same on any machine.
    """
    return _compiled(loop, fastmath={"reassoc", "nsz"})


def _compiled(loop: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return numba.njit(nogil=True, cache=True, **options)(loop)
    except RuntimeError:  # neither beside the source nor in the user's cache may be written
        return numba.njit(nogil=True, **options)(loop)
