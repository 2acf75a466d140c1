"""Answers to the address of a concept's card: an ASGI middleware before Gradio's own routes.

A card is asked for by its address, not as the answer to an event: the page's events carry the state
of all of its components, and take ten times what a card does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread

from blindspots_hub.errors import BlindspotsError

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]
Answer = Callable[[Mapping[str, str]], dict[str, Any]]

ROUTE = "cards"
LONGEST = 4_000
"""Characters of a query that are looked at."""

MOST_NAMES = 40


class CardServer:
    """Serves `answer` of a query as JSON; everything else goes on to `app`.

    What cannot be shown is `{"error": sentence}`. A card may change, as by a new name: it is not
    kept. JSON is no document, so that none of a bundle's texts is ever one.
    """

    def __init__(self, app: App, answer: Answer) -> None:
        self.app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """One request."""
        if not _is_card(scope):
            await self.app(scope, receive, send)
            return
        status, told = await anyio.to_thread.run_sync(self.find, scope["query_string"])
        body = json.dumps(told).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def find(self, query: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer to a query."""
        try:
            if len(query) > LONGEST:
                raise ValueError("a query that no page asks")
            asked = dict(parse_qsl(query.decode("ascii"), max_num_fields=MOST_NAMES))
            return 200, self._answer(asked)
        except BlindspotsError as error:
            return 404, {"error": str(error)}
        except ValueError:
            return 400, {"error": "The page asked for a card in a way that is not its own."}


def _is_card(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    root = str(scope.get("root_path", "")).rstrip("/")
    return str(scope.get("path", "")).removeprefix(root) == f"/{ROUTE}"
