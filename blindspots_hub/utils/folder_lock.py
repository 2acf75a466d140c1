"""One run, or one change, at a time in a folder: locks that a process loses when it dies."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import told_by_the_system

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LONGEST = 200
"""Characters of a folder's name that its lock is named by; longer ones are hashed."""


class FolderInUse(BlindspotsError):
    """Another run writes to the folder."""


@contextmanager
def only_one_run(folder: Path, what: str) -> Iterator[None]:
    """Keep other runs out of `folder` while the block lasts; `what` tells them what is going on.

    The lock is a file beside the folder, which may be renamed or not be there yet: `.NAME.lock`.
    The system holds it for the process, so that one of a process that was killed is free. Raises
    `FolderInUse` where another run has it. Where no such file can be written, or the file system
    knows no locks, the block runs without.
    """
    path = _path(folder)
    made = not os.path.exists(path.parent)
    handle = _taken(path, folder)
    if handle is None:
        yield
        return
    try:
        about = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M"),
            "what": what,
        }
        handle.truncate(0)
        handle.write(json.dumps(about).encode())
        handle.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()  # which lets go of the lock
        if made:
            with suppress(OSError):  # something was written beside
                path.parent.rmdir()


_CHANGED = threading.local()
"""`folders`: those that this thread is changing."""


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process changes `folder`, and let none while the block lasts.

    For short changes of what is there, such as a table read, added to and written. Within the block
    the same thread may ask again. Where the system knows no locks of folders, nobody waits.
    """
    mine: set[str] = _CHANGED.__dict__.setdefault("folders", set())
    key = os.path.realpath(folder)
    handle = None if key in mine or sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    if handle is None:
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        mine.add(key)
        yield
    finally:
        mine.discard(key)
        os.close(handle)


def _path(folder: Path) -> Path:
    folder = Path(os.path.abspath(folder))
    name = folder.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    beside = folder.parent
    if os.path.isdir(beside) and not os.access(beside, os.W_OK):
        beside = folder  # as the folder that is mounted into a container
    return beside / f".{name or 'root'}.lock"


def _taken(path: Path, folder: Path) -> IO[bytes] | None:
    """The lock's open file, locked; None where there can be none."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = open(path, "a+b")  # noqa: SIM115 (lives as long as the lock)
        except OSError as error:
            refused = told_by_the_system(error, folder)
            if refused is not None and not isinstance(error, PermissionError):
                raise refused from error
            return None
        try:
            _lock(handle)
        except BlockingIOError:
            handle.seek(0)
            told = _told(handle.read())
            handle.close()
            raise FolderInUse(
                f"{folder} is in use by another run{told}: wait until that has ended, or choose "
                "another folder."
            ) from None
        except OSError:  # a file system without locks
            handle.close()
            return None
        # Whoever had it before may have removed the file between our opening and locking it.
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle.fileno()), os.stat(path)):
                return handle
        handle.close()


def _lock(handle: IO[bytes]) -> None:
    """Lock the file, or `BlockingIOError` where another process (or run) has."""
    if sys.platform == "win32":
        try:
            handle.seek(1 << 20)  # beyond what is written, which stays readable
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            raise BlockingIOError from None
    else:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _told(content: bytes) -> str:
    try:
        about = json.loads(content)
        return (
            f" ({about['what']}, process {about['process']} on {about['host']}, since "
            f"{about['since']})"
        )
    except (ValueError, KeyError, TypeError):  # it has it since this moment
        return ""
