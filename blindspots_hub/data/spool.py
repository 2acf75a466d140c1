"""Files by name in one unnamed temporary file; memory holds only where each lies."""

from __future__ import annotations

import tempfile
import threading
import weakref

from blindspots_hub.errors import BlindspotsError


class Spool:
    """Keeps contents on disk as long as anything refers to it, or until `close`."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the spool)
        # Nobody is asked to close a spool: it goes with whatever was read into it.
        self._closing = weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._end = 0

    def add(self, name: str, content: bytes) -> None:
        """Keep `content`; raises `BlindspotsError` where the disk is full."""
        try:
            with self._lock:
                self._file.seek(self._end)
                self._file.write(content)
                self._file.flush()
        except OSError as error:
            raise BlindspotsError(
                f"The images cannot be kept in {tempfile.gettempdir()} ({error.strerror}): free "
                "some space there, or set TMPDIR to a folder that has it."
            ) from error
        self._places[name] = (self._end, len(content))
        self._end += len(content)

    def read(self, name: str) -> bytes:
        """What was kept under `name`."""
        start, length = self._places[name]
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)

    def close(self) -> None:
        """Give the disk's space back."""
        self._closing()
