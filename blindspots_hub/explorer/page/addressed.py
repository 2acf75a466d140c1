"""Answers that have an address: an ASGI middleware before Gradio's own routes.

A concept's card and the map's points are asked for by their addresses, not as answers to events:
the page's events carry the state of all of its components, and take ten times what a card does. And
what has an address can be asked for before the page's scripts have run, and be kept by a browser.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving.asgi import App, Receive, Scope, Send, path_read

LONGEST = 4_000
"""Characters of a query that are looked at."""

MOST_NAMES = 40
"""Names in a query."""


@dataclass(frozen=True)
class Addressed:
    """What an address answers: `answer` of its query, as JSON.

    `kept`: one query has one answer for ever, and a browser keeps it.
    """

    answer: Callable[[Mapping[str, str]], Mapping[str, Any]]
    kept: bool = False


class AnswerServer:
    """Serves `answers` by their names; everything else goes on to `app`.

    What cannot be shown is `{"error": sentence}`. JSON is no document: none of a bundle's texts
    ever is one.
    """

    def __init__(
        self,
        app: App,
        answers: Mapping[str, Addressed],
        said: Callable[[BlindspotsError], str] = str,
    ) -> None:
        """`said` is what a visitor reads of an error."""
        self.app, self._answers, self._said = app, answers, said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = path_read(scope)
        name = None if path is None else path.removeprefix("/")
        if name is None or name not in self._answers:
            await self.app(scope, receive, send)
        else:
            await self._send(send, self._answers[name], scope["query_string"])

    async def _send(self, send: Send, asked: Addressed, query: bytes) -> None:
        status, told = await anyio.to_thread.run_sync(_found, asked, query, self._said)
        body = json.dumps(told).encode()
        kept = asked.kept and status == 200
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"private, max-age=31536000, immutable" if kept else b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _found(
    asked: Addressed, query: bytes, said: Callable[[BlindspotsError], str]
) -> tuple[int, Mapping[str, Any]]:
    """Status and JSON of the answer to a query."""
    try:
        if len(query) > LONGEST:
            raise ValueError("a query that no page asks")
        return 200, asked.answer(dict(parse_qsl(query.decode("ascii"), max_num_fields=MOST_NAMES)))
    except BlindspotsError as error:
        return 404, {"error": said(error)}
    except ValueError:
        return 400, {"error": "The page asked in a way that is not its own: reload it."}
