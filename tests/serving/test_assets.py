"""Gradio's scripts and styles from memory, compressed and named by their content."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import brotli
import pytest

from blindspots_hub.serving.assets import Assets

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index-DphvyggB.js").write_bytes(SCRIPT)
    (tmp_path / "plain.js").write_bytes(SCRIPT)
    return tmp_path


def ask(folder: Path, path: str, accepts: bytes = b"gzip, br", **scope: Any) -> tuple[Any, ...]:
    """Status, headers and body of an answer; "passed on" where the app behind it was asked."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append("passed on")

    async def send(message: Any) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": path, "query_string": b""}
    request |= {"headers": [(b"accept-encoding", accepts)], **scope}
    asyncio.run(Assets(app, folder)(request, None, send))
    return tuple(sent)


def test_a_file_comes_compressed_and_is_kept_by_browsers(folder: Path) -> None:
    for accepts, unpack in ((b"gzip, deflate, br", brotli.decompress), (b"gzip", gzip.decompress)):
        start, body = ask(folder, "/assets/index-DphvyggB.js", accepts)
        headers = dict(start["headers"])
        assert start["status"] == 200
        assert headers[b"content-type"].startswith((b"text/javascript", b"application/javascript"))
        assert b"immutable" in headers[b"cache-control"]
        assert int(headers[b"content-length"]) == len(body["body"])
        assert unpack(body["body"]) == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        "/assets/plain.js",  # a name that may become another file
        "/assets/none-DphvyggB.js",
        "/assets/../index-DphvyggB.js",
        "/assets/a/index-DphvyggB.js",
        "/assets/index-DphvyggB.py",
        "/index-DphvyggB.js",
        "/",
    ],
)
def test_everything_else_is_gradios(folder: Path, path: str) -> None:
    assert ask(folder, path) == ("passed on",)


def test_who_takes_nothing_compressed_and_other_scopes_are_passed_on(folder: Path) -> None:
    script = "/assets/index-DphvyggB.js"
    assert ask(folder, script, b"identity") == ("passed on",)
    assert ask(folder, script, method="HEAD") == ("passed on",)
    assert ask(folder, script, type="websocket") == ("passed on",)
    assert ask(folder, f"/space{script}", root_path="/space")[0]["status"] == 200


def test_a_server_that_starts_is_let_through(folder: Path) -> None:
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    asyncio.run(Assets(app, folder)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]
