"""A file for libraries that end the process where a disk is full.

Arrow's writers close themselves in a destructor, and what they cannot write there ends the process
without a word. Into this file they can always write: what went wrong is raised when it is closed,
as the `OSError` that it was.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Sink(io.RawIOBase):
    def __init__(self, path: Path) -> None:
        self._handle = open(path, "wb")  # noqa: SIM115 - closed with this
        self._at = 0
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        if self.error is None:
            try:
                self._handle.write(content)
            except OSError as error:
                self.error = error
        self._at += size
        return size

    def flush(self) -> None:
        return None

    def close(self) -> None:
        if not self.closed:
            try:
                self._handle.close()
            except OSError as error:
                self.error = self.error or error
        super().close()


@contextmanager
def sink(path: Path) -> Iterator[io.RawIOBase]:
    """A new file at `path` whose writers never fail; the first `OSError` is raised at the end."""
    file = _Sink(path)
    try:
        yield file
    finally:
        file.close()
    if file.error is not None:
        raise file.error
