"""What stands before the page: who may ask, from where, and how much at once.

A browser sends a visitor's cookies with whatever request another site makes, and a name that
somebody else owns can be made to lead to 127.0.0.1. So a request that changes something must come
from the page itself, by a name that this server is known by; and no request is larger than the page
ever makes one.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from blindspots_hub.serving.asgi import App, Message, Receive, Scope, Send
from blindspots_hub.serving.listeners import LISTENERS

_log = logging.getLogger(__name__)

MOST_BODY = 1024**2
"""Bytes of a request: the page's own are some kilobytes, and it takes no files."""

OWN_BODY = 12 * 1024**2
"""The same of events that do not wait, on one's own machine: a file of names may be taken in."""

_AT_ONCE = "/run/predict"

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHARED = ".gradio.live"
"""Names that Gradio lends where the page is shared through it."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_UPLOADS = ("/upload", "/upload_progress")
_EMBEDDERS = "https://huggingface.co https://*.hf.space"

# Gradio's page runs functions that it makes from text, and styles that stand in it.
_CONTENT = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https://huggingface.co "
    "https://cdn-avatars.huggingface.co; font-src 'self' data:; connect-src 'self' data: blob:; "
    "media-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self' https://huggingface.co; frame-ancestors "
)


_POLICY = b"content-security-policy"

_NO_DOCUMENT = (
    b"application/json", b"text/event-stream", b"image/webp", b"image/png", b"image/jpeg",
)  # fmt: skip
"""Answers that a browser, told not to guess, runs nothing of: most of what a click is answered with
would be the policy."""


@dataclass(frozen=True)
class Door:
    """By which names the page is known, and where it may be framed.

    `hosts` are names beside those of the own machine; where `addresses` is true any address in
    numbers is one too (no name can be bent to lead there), where `shared` the names that Gradio
    lends. On a `public` page a proxy stands before it, whose word for the name counts.
    """

    hosts: frozenset[str] = frozenset()
    addresses: bool = False
    shared: bool = False
    public: bool = False

    @classmethod
    def of(cls, bound: str, environment: Mapping[str, str], hosts: Collection[str] = ()) -> Door:
        """The door of a page that is bound to an address, by what its environment tells.

        `BLINDSPOTS_HOSTS` holds names, separated by commas.
        """
        import socket

        named = {*hosts, *environment.get("BLINDSPOTS_HOSTS", "").split(",")}
        named.add(environment.get("SPACE_HOST", ""))
        everywhere = bound in ("0.0.0.0", "::", "")
        named.add(socket.gethostname() if everywhere else bound)
        return cls(
            frozenset(name.strip().lower() for name in named if name.strip()),
            everywhere,
            environment.get("GRADIO_SHARE", "").lower() in ("1", "true"),
            "SPACE_ID" in environment,
        )

    def knows(self, host: str) -> bool:
        """Whether the page is known by the name in a request's Host."""
        name = _name(host)
        if name in LOOPBACK or name in self.hosts:
            return True
        if self.shared and name.endswith(SHARED):
            return True
        return (self.addresses or self.public) and _is_address(name)

    def is_own(self, origin: str, host: str) -> bool:
        """Whether a request's Origin is the page that its Host names."""
        if origin == "null":
            return False
        found = urlsplit(origin)
        if found.scheme not in ("http", "https") or not found.netloc:
            return False
        return _place(found.netloc) == _place(host) or (
            (found.hostname or "") in self.hosts and found.scheme == "https"
        )

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer says to the browser."""
        framed = f"'self' {_EMBEDDERS}" if self.public else "'self'"
        return [
            (_POLICY, (_CONTENT + framed).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),  # links hold ids that only their makers know
        ]


class Guard:
    """The ASGI middleware: refuses, bounds, and adds headers."""

    def __init__(self, app: App, door: Door, most_body: int = MOST_BODY) -> None:
        self.app, self.door, self.most_body = app, door, most_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send, scope, *refusal, self.door.headers)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        await self._pass(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and sentence where a request is refused."""
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        host, path = headers.get("host", ""), str(scope.get("path", ""))
        if self.door.public:
            host = headers.get("x-forwarded-host", host)
        if (changes or not self.door.public) and not self.door.knows(host):
            return 421, (
                "This page is not known by that name: open it as localhost, or start it with "
                "--allow-host NAME."
            )
        origin = headers.get("origin")
        inside = path.startswith("/gradio_api/")
        if origin is not None and (changes or inside) and not self.door.is_own(origin, host):
            return 403, "Requests of another site are not answered."
        if changes and origin is None:
            if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
                return 403, "Requests of another site are not answered."
            referer = headers.get("referer")
            if referer and not self.door.is_own(referer, host):
                return 403, "Requests of another site are not answered."
        if changes and path.endswith(_UPLOADS):
            return 403, "This page takes no files."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most(scope):
            return 413, _too_large(self._most(scope))
        return None

    def _most(self, scope: Scope) -> int:
        """Bytes that a request may have."""
        event = str(scope.get("path", "")).endswith(_AT_ONCE)
        return self.most_body if event else min(self.most_body, MOST_BODY)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, started, most = 0, False, self._most(scope)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise _TooLarge
            return message

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if received > most:  # the app took it for a body that breaks off
                    message["status"] = 413
                told = message.get("headers", ())
                own = {name for name, _ in self.door.headers}
                kept = [(n, v) for n, v in told if n.lower() not in own]
                kind = dict(kept).get(b"content-type", b"").partition(b";")[0]
                added = [
                    h for h in self.door.headers if h[0] != _POLICY or kind not in _NO_DOCUMENT
                ]
                message["headers"] = [*kept, *added]
            await send(message)

        session = _session(scope)
        try:
            with LISTENERS.listening(session):
                await self.app(scope, counted, dressed)
        except _TooLarge:
            told = 413, _too_large(most)
            if not started:
                await _answer(send, scope, *told, self.door.headers)
        except Exception as error:
            # A request that the page never makes; one line is enough to find it.
            shown = str(scope.get("path", ""))[:100]
            _log.warning("%s %r failed: %s", scope["method"], shown, type(error).__name__)
            _log.debug("what failed", exc_info=True)
            if not started:
                told = 500, "This request cannot be answered."
                await _answer(send, scope, *told, self.door.headers)


def _too_large(most: int) -> str:
    return f"A request has at most {most:,} bytes."


class _TooLarge(Exception):
    """A body that grew beyond the limit while it arrived."""


def _session(scope: Scope) -> str | None:
    """The session whose answers a request waits for; None for other requests."""
    if not str(scope.get("path", "")).endswith("/queue/data"):
        return None
    found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash")
    return found[0] if found else None


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    return (urlsplit(f"//{host}").hostname or "").rstrip(".") if _is_plain(host) else ""


def _is_plain(host: str) -> bool:
    return bool(host) and not set("/@\\?# ") & set(host) and host.count("[") < 2


def _place(netloc: str) -> str:
    """Name and port, a usual port left out."""
    plain = netloc.rpartition("@")[2].lower()
    for usual in (":80", ":443"):
        plain = plain.removesuffix(usual)
    return plain


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _answer(
    send: Send, scope: Scope, status: int, sentence: str, headers: list[tuple[bytes, bytes]]
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = sentence.encode()
    told = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    told.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*told, *headers]})
    await send({"type": "http.response.body", "body": body})
