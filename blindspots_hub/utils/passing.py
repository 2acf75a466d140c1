"""Reading files that may be away for a moment: a network drive, a card, a folder being moved.

What passes by itself is tried again; what does not pass is told, and is never taken for a fact
about the file.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from blindspots_hub.errors import BlindspotsError

T = TypeVar("T")

WAITS = (0.25, 0.75, 2.0)
"""Seconds waited before each new try."""

FACTS = (
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EINVAL,
)
"""Errors that say something about a file and do not pass."""


class PassingFault(BlindspotsError):
    """Something cannot be read now; nothing is known of it, and the run goes on when it can."""


def again(read: Callable[[], T], path: Path, gone_passes: bool = True) -> T:
    """`read()`, tried again where a file cannot be read that may be there in a moment.

    Where `gone_passes` is false, a file that is not there is told at once. Raises the `OSError`
    where it is a fact about the file (it is missing from a folder that is there), `PassingFault`
    where it is one about the disk.
    """
    for wait in (*WAITS, None):
        try:
            return read()
        except OSError as error:
            if error.errno in FACTS or (error.errno == errno.ENOENT and not gone_passes):
                raise
            if wait is None:
                if error.errno == errno.ENOENT and _there(path.parent):
                    raise
                raise PassingFault(
                    f"{path} cannot be read ({error.strerror}), though it could be before: see "
                    "that its disk is there, and run the same again; it goes on from here."
                ) from error
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _there(folder: Path) -> bool:
    """Whether a folder is there and holds anything: an empty one is a disk that is not mounted."""
    try:
        return any(True for _ in folder.iterdir())
    except OSError:
        return False
