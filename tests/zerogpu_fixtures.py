"""ZeroGPU on a machine without one: the real `spaces` package against a device API of our own.

Real are the decorator, its scheduling calls over HTTP, the forked workers, the pickling and the
errors. Not real: the GPU. `spaces` is imported while torch cannot be, so that it neither patches
CUDA nor moves weights to it, and workers compute on the CPU.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]

WITHOUT_CUDA = """
import sys
sys.modules["torch"] = None
import spaces
del sys.modules["torch"]
"""


@dataclass
class DeviceApi:
    """What the scheduler was asked, and what it answers.

    `quota` counts the loans that are left, None without end; the one of number `refused` is refused
    anyway; `left` and `wait` are seconds as a refusal tells them. From the second loan on the GPU
    is said to have the last loan's worker still.
    """

    address: str = ""
    quota: int | None = None
    refused: int | None = None
    left: int = 30
    wait: int = 3600
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def schedules(self) -> list[dict[str, str]]:
        """The parameters of every request for a GPU."""
        return [query for path, query in self.asked if path == "/schedule"]

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Status and body for one request."""
        self.asked.append((path, query))
        if path != "/schedule":
            return 200, {}
        if self.quota == 0 or self.refused == len(self.schedules):
            return 429, {"left": self.left, "wait": self.wait}
        if self.quota is not None:
            self.quota -= 1
        idle = len(self.schedules) > 1
        loan = {"idle": idle, "nvidiaIndex": 0, "nvidiaUUID": "MIG-0", "allowToken": "allow"}
        return 200, loan


@contextmanager
def device_api() -> Iterator[DeviceApi]:
    """A device API on the loopback."""
    api = DeviceApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            url = urlsplit(self.path)
            status, answer = api.answer(url.path, dict(parse_qsl(url.query)))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def environment(api: DeviceApi, **more: str) -> dict[str, str]:
    """The environment of a ZeroGPU Space whose device API is `api`."""
    return {
        **os.environ,
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": api.address,
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def on_zerogpu(api: DeviceApi, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that takes itself for a ZeroGPU Space."""
    if importlib.util.find_spec("spaces.zero") is None:
        pytest.fail("These tests need the package `spaces`: pip install -e '.[dev]'.")
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_CUDA + script, *arguments],
        cwd=ROOT,
        env=environment(api),
        capture_output=True,
        text=True,
        timeout=300,
    )
