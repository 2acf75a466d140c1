"""Answers that have an address: cards, and the points and colours of the map."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.addressed import LONGEST, Addressed, AnswerServer
from blindspots_hub.explorer.page.catalog import Catalog


def answer(query: Mapping[str, str]) -> dict[str, Any]:
    if query.get("concept") == "none":
        raise BlindspotsError("There is no such concept.")
    return {"said": dict(query)}


PASSED = {"type": "http.response.body", "body": b"passed on"}
ANSWERS = {"cards": Addressed(answer), "map_places": Addressed(answer, kept=True)}


def ask(path: str, query: str = "", **scope: Any) -> list[Any]:
    """What is sent for a request; `PASSED` comes from the app behind."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send(PASSED)

    async def send(message: Any) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    server = AnswerServer(app, ANSWERS)
    asyncio.run(server({**request, "headers": [], **scope}, None, send))
    return sent


def told(path: str, query: str = "", **scope: Any) -> tuple[int, dict[bytes, bytes], Any]:
    start, body = ask(path, query, **scope)
    return start["status"], dict(start["headers"]), json.loads(body["body"])


def test_an_address_answers_its_query() -> None:
    status, headers, found = told("/cards", urlencode({"concept": 3, "model": "ä & b"}))
    assert (status, found) == (200, {"said": {"concept": "3", "model": "ä & b"}})
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store", "a concept may be named anew"
    assert b"immutable" in told("/map_places", "key=a")[1][b"cache-control"]
    assert told("/space/cards", "concept=3", root_path="/space")[0] == 200


def test_what_is_not_there_is_one_sentence_and_never_kept() -> None:
    status, headers, found = told("/map_places", "concept=none")
    assert (status, found) == (404, {"error": "There is no such concept."})
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("query", ["a=" + "x" * LONGEST, "&".join(["a=1"] * 99), "a=\u00e4"])
def test_queries_that_no_page_asks_are_refused(query: str) -> None:
    status, _, found = told("/cards", query)
    assert status == 400
    assert "reload" in found["error"]


def test_all_else_is_passed_on() -> None:
    for path, scope in (("/", {}), ("/card", {}), ("/cards/1", {}), ("/cards", {"method": "POST"})):
        start, rest = ask(path, **scope)  # type: ignore[arg-type]
        assert (start["headers"], rest) == ([(b"a", b"b")], PASSED)


def test_a_stranger_is_told_no_path_of_the_server() -> None:
    def damaged(query: Any) -> Any:
        raise BlindspotsError("/srv/bundles/x/deltas.parquet is damaged: fetch it again.")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    hosted = Catalog(load_bundle(planted.BUNDLE), hosted=True)
    server = AnswerServer(app, {"cards": Addressed(damaged)}, hosted.said)
    scope = {"type": "http", "method": "GET", "path": "/cards", "query_string": b"", "headers": []}
    asyncio.run(server(scope, None, send))
    assert json.loads(sent[1]["body"]) == {"error": "… is damaged: fetch it again."}
