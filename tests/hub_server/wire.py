"""HTTP in and out: a request read when it is asked for, an answer, a connection that is cut."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from hub_server.errors import HubError

if TYPE_CHECKING:
    from hub_server.server import HubServer


class Cut(Exception):
    """The connection ends here, in the middle of whatever was under way."""


@dataclass
class Answer:
    """A status, a body and headers; with `cut_after` only so many bytes of the body are sent
    before the connection is closed, or with `reset` torn down."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    reset: bool = False


def answer_json(value: object, status: int = 200, headers: Mapping[str, str] = {}) -> Answer:
    """An answer of JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, json.dumps(value).encode(), {**kind, **headers})


@dataclass(frozen=True)
class Logged:
    """A request as the tests see it: method, path with its query, name of the route that took it
    (`unknown` if none did), whether it carried a token, status answered (0: none), and whose the
    token is where that is known."""

    method: str
    path: str
    route: str
    token: bool
    status: int
    user: str | None = None


class Request:
    """A request; its body is read from the connection when first asked for."""

    def __init__(self, handler: Handler) -> None:
        self.method = handler.command
        self.target = handler.path
        url = urlsplit(handler.path)
        self.path = url.path
        self.query = parse_qs(url.query, keep_blank_values=True)
        self.headers = handler.headers
        self._stream = handler.rfile
        self._received: bytes | None = None

    def get(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.query.get(name, [default])[-1]

    def flag(self, name: str) -> bool:
        """A query parameter that says yes."""
        return self.get(name).lower() in ("1", "true")

    def read(self, limit: int | None = None) -> bytes:
        """The body; or its first `limit` bytes, after which the connection is good for nothing."""
        if self._received is None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                self._received = self._read_chunks(limit)
            else:
                size = int(self.headers.get("Content-Length") or 0)
                self._received = self._stream.read(size if limit is None else min(size, limit))
        return self._received

    def _read_chunks(self, limit: int | None) -> bytes:
        parts: list[bytes] = []
        while limit is None or sum(map(len, parts)) < limit:
            size = int(self._stream.readline().split(b";")[0], 16)
            parts.append(self._stream.read(size))
            self._stream.readline()
            if not size:
                break
        return b"".join(parts)

    def replace_body(self, content: bytes) -> None:
        """What the server takes for the body from here on."""
        self._received = content

    def json(self) -> dict:
        """The body as JSON; an empty one as an empty object."""
        try:
            return json.loads(self.read() or b"{}")
        except ValueError:
            raise HubError(400, "Invalid JSON") from None


class Handler(BaseHTTPRequestHandler):
    """One connection; what it asks is answered by the `HubServer` of the class made for it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    hub: HubServer

    def _serve(self) -> None:
        request = Request(self)
        status = 0
        try:
            route, answer = self.hub.answer(request)
            status = answer.status
            self.hub.log(self._logged(request, route, status))
            request.read()  # what was not asked for would be taken for the next request
            self._send(answer)
        except Cut as cut:
            if not status:
                self.hub.log(self._logged(request, str(cut), 0))
            self._hang_up()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _logged(self, request: Request, route: str, status: int) -> Logged:
        told = request.headers.get("Authorization")
        known = self.hub.accounts.tokens.get((told or "").removeprefix("Bearer "))
        user = None if known is None else known.user
        return Logged(request.method, request.target, route, told is not None, status, user)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut_after])
        self.wfile.flush()
        if answer.reset:
            time.sleep(0.05)  # let what was sent arrive: a reset throws away what waits
            raise Cut
        if answer.cut_after is not None:
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        # No farewell: the peer sees a reset, as when a cable is pulled.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing on the tests' stderr."""
