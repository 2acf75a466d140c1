"""Memory that was freed, given back to the system: a server lives for weeks."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Return what Python, Arrow and the C library hold and nobody uses."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # another C library than glibc
        return
