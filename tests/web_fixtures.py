"""A web of hostile hosts on one loopback port, and the resolver that leads there."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType

import numpy as np
from data_fixtures import encoded
from PIL import Image

from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.many import Web
from blindspots_hub.data.fetching.network import Reach

Pieces = Iterator[bytes | float | None]
"""What a host sends: bytes, a pause in seconds, or None for cutting the connection with a reset."""

Site = Callable[[str, int], bytes | Pieces]
"""From the path and how often it was asked for before, to what is sent; the host is in the path."""


def picture(seed: int, side: int = 48, kind: str = "JPEG") -> bytes:
    """An image like no other of another seed: a few large random squares, and noise."""
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    return encoded(coarse.resize((side, side), Image.Resampling.BICUBIC), kind)


def http(
    body: bytes = b"", status: str = "200 OK", length: int | None = None, **headers: str
) -> bytes:
    """A whole answer; underscores in the names of headers become hyphens."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class LoopbackWeb:
    """Serves `site(path, before)` on one port of this machine, whatever the host is called.

    A robots.txt that the site does not set in `robots` (by name of host) is missing.
    `asked` counts requests by path, but for those of robots.txt; `at_once` is the most that were
    open together, by Host.
    """

    def __init__(self, site: Site, tls: ssl.SSLContext | None = None) -> None:
        self.site, self._tls = site, tls
        self.asked: Counter[str] = Counter()
        self.requests: list[bytes] = []
        self.at_once: Counter[str] = Counter()
        self.robots: dict[str, bytes | Pieces] = {}
        self.robots_asked: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loopback-web", daemon=True)

    def __enter__(self) -> LoopbackWeb:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024, ssl=self._tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = ""
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ", 2)[1].decode("latin-1")
            host = next(
                line.split(b": ")[1].decode()
                for line in request.split(b"\r\n")
                if line.lower().startswith(b"host:")
            )
            self.requests.append(request)
            self._open[host] += 1
            self.at_once[host] = max(self.at_once[host], self._open[host])
            if path == "/robots.txt":
                name = host.partition(":")[0]
                self.robots_asked[name] += 1
                answer = self.robots.get(name, http(status="404 Not Found"))
            else:
                before = self.asked[path]
                self.asked[path] += 1
                answer = self.site(path, before)
            for piece in (answer,) if isinstance(answer, bytes) else answer:
                if piece is None:
                    writer.transport.abort()
                    return
                if isinstance(piece, (int, float)):
                    await asyncio.sleep(piece)
                    continue
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._open[host] -= 1
            writer.close()

    def url(self, path: str, host: str = "a.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def web(self, resolver: Names | None = None, **limits: object) -> Web:
        """How to fetch from here: patient, with short pauses, this port of this machine allowed."""
        usual: dict[str, object] = {
            "connect_seconds": 30.0,
            "read_seconds": 30.0,
            "total_seconds": 60.0,
            "wait_seconds": 0.01,
            "longest_wait": 1.0,
        }
        return Web(
            FetchLimits(**{**usual, **limits}),  # type: ignore[arg-type]
            resolver or Names(),
            Reach([("127.0.0.1", self.port)]),
        )


class Names:
    """A resolver of made-up names: `known` or, ending in .test, this machine; numbers are numbers.

    A name that has a list of lists is answered with each of them in turn.
    """

    def __init__(self, known: dict[str, list[str] | list[list[str]]] | None = None) -> None:
        self._known = known or {}
        self._turn: Counter[str] = Counter()

    async def addresses(self, host: str, port: int) -> list[str]:
        if host in self._known:
            found = self._known[host]
            if found and isinstance(found[0], list):
                self._turn[host] += 1
                return found[min(self._turn[host], len(found)) - 1]  # type: ignore[return-value]
            return found  # type: ignore[return-value]
        if host.endswith(".test"):
            return ["127.0.0.1"]
        if host.replace(".", "").isdigit() or ":" in host:
            return [host]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
