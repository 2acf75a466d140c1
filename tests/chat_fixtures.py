"""A server of the chat-completions protocol on this machine, as well behaved as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Reply:
    """What is sent back; `words` become a chat completion unless `body` is said."""

    words: str | None = "yes"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    refusal: str | None = None
    finish: str = "stop"


Answering = Callable[[dict[str, Any], int], Reply]
"""From the request's JSON and how many came before it, to the reply."""


@dataclass
class Asked:
    """A request that came in."""

    path: str
    headers: dict[str, str]
    json: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The words of the last message."""
        content = self.json["messages"][-1]["content"]
        return content if isinstance(content, str) else content[0]["text"]

    @property
    def images(self) -> list[str]:
        """Its images, as data URLs."""
        content = self.json["messages"][-1]["content"]
        parts = [] if isinstance(content, str) else content[1:]
        return [part["image_url"]["url"] for part in parts]


class ChatServer:
    """Serves `answer` on 127.0.0.1; `asked` are the requests in order.

    Tokens it counts: a quarter of the prompt's characters and 85 an image; of the answer likewise.
    """

    def __init__(self, answer: Answering | None = None) -> None:
        self.answer: Answering = answer or (lambda request, before: Reply())
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                one = Asked(
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(content),
                )
                with chat._lock:
                    before = len(chat.asked)
                    chat.asked.append(one)
                reply = chat.answer(one.json, before)
                body = chat._body(one, reply) if reply.body is None else reply.body
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return  # whoever asked has heard enough

            def log_message(self, *about: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def tokens(self) -> int:
        """Prompt tokens of all that was asked, as the server counts them."""
        return sum(map(_tokens, self.asked))

    def _body(self, asked: Asked, reply: Reply) -> bytes:
        message = {"role": "assistant", "content": reply.words}
        if reply.refusal:
            message["refusal"] = reply.refusal
        prompt, answer = _tokens(asked), len(reply.words or "") // 4 + 1
        usage = {"prompt_tokens": prompt, "completion_tokens": answer}
        told = {
            "id": "x", "object": "chat.completion", "created": 0,
            "model": asked.json.get("model", ""), "system_fingerprint": "",
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
            "usage": {**usage, "total_tokens": prompt + answer},
        }  # fmt: skip
        return json.dumps(told).encode()

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _tokens(asked: Asked) -> int:
    return len(asked.prompt) // 4 + 85 * len(asked.images)


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A chat server; nothing else is reached, and no key is set."""
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("BLINDSPOTS_API_KEY", "OPENAI_API_KEY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with ChatServer() as server:
        yield server
