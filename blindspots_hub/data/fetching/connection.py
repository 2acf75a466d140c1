"""One request over one connection: HTTP/1.1 by h11, to an address that was checked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from blindspots_hub.data.fetching.causes import NoFetch
from blindspots_hub.data.fetching.network import CheckedNetwork
from blindspots_hub.data.fetching.urls import Target

HEADER_BYTES = 64 * 1024
"""Longest status line and headers together."""

_READ = 256 * 1024
_INFORMED = 10
"""Answers of the kind 1xx that are waited through."""

Headers = list[tuple[bytes, bytes]]


@dataclass
class Response:
    """Status and headers of an answer; `body` reads on."""

    status: int
    headers: Headers
    _connection: Connection

    def header(self, name: bytes) -> bytes | None:
        """The first header of this name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    async def body(self) -> AsyncIterator[bytes]:
        """The body piece by piece, as it was sent."""
        while not isinstance(event := await self._connection.event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)


class Connection:
    """A connection for one request; an async context manager.

    Raises `NoFetch` where it cannot be made or the answer is no HTTP.
    """

    def __init__(
        self,
        target: Target,
        network: CheckedNetwork,
        tls: ssl.SSLContext,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        self._target, self._network, self._tls = target, network, tls
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)

    async def __aenter__(self) -> Connection:
        target = self._target
        secure = self._tls if target.scheme == "https" else None
        self._reader, self._writer = await self._network.connect(
            target.host, target.port, secure, self._connect_seconds
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        # At once: what may still come from there is nobody's business.
        self._writer.transport.abort()

    async def get(self, headers: Headers) -> Response:
        """Ask for the target and read the head of the answer."""
        asked = h11.Request(
            method=b"GET",
            target=self._target.path.encode("ascii"),
            headers=[(b"Host", self._target.authority.encode()), *headers],
        )
        sent = (self._http.send(asked) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self._writer.write(sent)
        for _ in range(_INFORMED):
            event = await self.event()
            if isinstance(event, h11.Response):
                return Response(event.status_code, list(event.headers), self)
        raise NoFetch("bad_response", f"more than {_INFORMED} answers of the kind 1xx")

    async def event(self) -> h11.Event:
        """The next part of the answer."""
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._http.receive_data(await self._read())
                elif isinstance(event, h11.Event):
                    return event
                else:  # paused, or closed before an answer was whole
                    raise NoFetch("bad_response", "no answer of HTTP")
        except h11.RemoteProtocolError as error:
            cut = "closed" in str(error) or "complete message" in str(error)
            raise NoFetch(
                "cut_short" if cut else "bad_response", str(error), passing=cut
            ) from error

    async def _read(self) -> bytes:
        # A timer of our own: wait_for would make a task for every piece of every answer.
        late = asyncio.get_running_loop().call_later(
            self._read_seconds, self._reader.set_exception, asyncio.TimeoutError()
        )
        try:
            data = await self._reader.read(_READ)
        finally:
            late.cancel()
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            with contextlib.suppress(AttributeError):
                if self._http.trailing_data[0]:
                    raise NoFetch("bad_response", "no answer of HTTP")
            raise NoFetch("connection_failed", "closed without an answer", passing=True)
        return data
