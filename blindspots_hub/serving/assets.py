"""Gradio's scripts and styles from memory, compressed once: an ASGI middleware before its routes.

A page asks for a hundred of them. Gradio reads, compresses and checks each anew for every visitor,
and lets no browser keep one without asking again.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Thread

import anyio.to_thread
import brotli

from blindspots_hub.serving.asgi import App, Receive, Scope, Send, path_read

ROUTE = "/assets/"
KEPT = 256
"""Files that stay in memory: more than a page asks for."""

_NAMED_BY_CONTENT = re.compile(r"[\w.-]+-[\w-]{8}\.(js|css)")
"""Names that end with a hash of what is in them: they never become another file."""

_COMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"br": lambda content: brotli.compress(content, quality=6),  # browsers ask for it over https
    b"gzip": lambda content: gzip.compress(content, 6),
}
"""The ways to compress, the better first; a tenth of a second for the largest file."""


class Assets:
    """Serves the scripts and styles in `folder`; everything else goes on to `app`.

    The files of the names in `first`, which the page asks for as it opens, are compressed before
    anybody asks, in the way that is quick and that every browser takes.
    """

    def __init__(self, app: App, folder: Path, first: Sequence[str] = ()) -> None:
        self.app, self._folder = app, folder
        self._file = lru_cache(maxsize=KEPT)(self._read)
        Thread(target=self._prepare, args=(first,), daemon=True).start()

    def _prepare(self, names: Sequence[str]) -> None:
        for name in names:
            self._file(name, b"gzip")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = await self._found(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        name, way, body = found
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-encoding", way),
            (b"content-length", str(len(body)).encode()),
            (b"vary", b"accept-encoding"),
            (b"cache-control", b"public, max-age=31536000, immutable"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _found(self, scope: Scope) -> tuple[str, bytes, bytes] | None:
        """Name, way of compression and content of the file that a request asks for."""
        name = _name(scope)
        if name is None:
            return None
        told = dict(scope["headers"]).get(b"accept-encoding", b"")
        accepted = {one.partition(b";")[0].strip() for one in told.split(b",")}
        way = next((way for way in _COMPRESS if way in accepted), None)
        if way is None:
            return None
        body = await anyio.to_thread.run_sync(self._file, name, way)
        return None if body is None else (name, way, body)

    def _read(self, name: str, way: bytes) -> bytes | None:
        """A file, compressed in one of the ways; None where there is no such file."""
        try:
            return _COMPRESS[way]((self._folder / name).read_bytes())
        except OSError:
            return None


def _name(scope: Scope) -> str | None:
    """The file that a request asks for, by a name that never is another's; else None."""
    path = path_read(scope)
    if path is None or not path.startswith(ROUTE):
        return None
    name = path.removeprefix(ROUTE)
    return name if _NAMED_BY_CONTENT.fullmatch(name) else None
