"""The door of the page: a real server, and requests that are not the page's."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer_fixtures import free_port, served
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.app import build_app, serve
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import SLOT
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.serving.guard import MOST_BODY, Door
from blindspots_hub.serving.listeners import Listeners

JOIN = "/gradio_api/queue/join"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("door")
    return write_synthetic(folder / "b", Synthetic(n_concepts=40, pairs=30, models={"a": "A"}))


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root, root.parent / "evaluations") as found:
        yield found.removeprefix("http://")


def ask(
    address: str, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with contextlib.suppress(BrokenPipeError):  # refused before all of a large body is sent
            connection.request(method, path, body or None, named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read(100_000)
    finally:
        connection.close()


def join(address: str, body: dict[str, Any] | None = None, **headers: str) -> int:
    asked = json.dumps(body or {"data": [], "fn_index": 10**6, "session_hash": "s"}).encode()
    return ask(address, "POST", JOIN, asked, Content_Type="application/json", **headers)[0]


def test_the_page_itself_and_programs_are_answered(address: str) -> None:
    status, headers, body = ask(address, "GET", "/")
    assert status == 200
    assert b"blindspots" in body
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert join(address) not in (403, 421), "a client that is no browser"
    assert join(address, Origin=f"http://{address}") not in (403, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1.evil.example"},
        {"Origin": "file://"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://evil.example/page"},
    ],
)
def test_other_sites_change_nothing(address: str, headers: dict[str, str]) -> None:
    for path in (JOIN, "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/component_server"):
        status = ask(
            address, "POST", path, b"{}", **{"Content-Type": "application/json"}, **headers
        )[0]
        assert status == 403, path
    status = ask(address, "POST", JOIN, b"{}", Content_Type="text/plain", **headers)[0]
    assert status == 403, "a form needs no permission"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "a b", "@127.0.0.1"]
)
def test_names_that_lead_here_are_not_ours(address: str, host: str) -> None:
    """DNS rebinding: the browser believes that this machine is evil.example."""
    assert ask(address, "POST", JOIN, b"{}", Host=host, Origin=f"http://{host}")[0] in (400, 421)
    assert ask(address, "GET", "/config", Host=host)[0] in (400, 421)


def test_bodies_are_bounded_and_files_are_not_taken(address: str) -> None:
    large = b'{"data": ["' + b"x" * MOST_BODY + b'"]}'
    began = time.monotonic()
    assert ask(address, "POST", JOIN, large, Content_Type="application/json")[0] == 413
    assert time.monotonic() - began < 10
    assert ask(address, "POST", "/gradio_api/upload", b"x")[0] == 403
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall(
            f"POST {JOIN} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/json\r\n\r\n".encode()
        )
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            for _ in range(2 * MOST_BODY // 0x10000):
                wire.sendall(piece)
        except OSError:
            pass  # it has heard enough
        assert b"413" in wire.recv(1000)


def test_forged_requests_are_one_line_each(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    for body in (
        {"data": [], "fn_index": 10**6, "session_hash": "forged"},
        {"data": [1, 2, 3], "fn_index": 0, "session_hash": "forged"},
        {"data": "text", "fn_index": 1, "session_hash": "forged"},
        {"data": [[]] * 50, "fn_index": 2, "session_hash": {"a": 1}},
        {"fn_index": -1},
        {"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}], "fn_index": 3},
    ):
        join(address, body)
        ask(address, "POST", "/gradio_api/run/predict", json.dumps(body).encode())
    time.sleep(1)
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


def test_a_taken_port_is_a_sentence(root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        page = build_app(load_bundle(root), tmp_path, [])
        with pytest.raises(BlindspotsError, match=f"port {port}.*--port"):
            serve(page, port=port, block=False)


def test_by_which_names_a_page_is_known() -> None:
    own = Door.of("127.0.0.1", {})
    assert own.knows("localhost:7860")
    assert own.knows("[::1]:7860")
    assert not own.knows("192.168.1.5:7860")
    everywhere = Door.of("0.0.0.0", {"BLINDSPOTS_HOSTS": "box.lan, lab.example"}, ["more.example"])
    assert everywhere.knows("192.168.1.5:7860")
    assert everywhere.knows("box.lan")
    assert everywhere.knows("LAB.example:80")
    assert everywhere.knows("more.example")
    assert not everywhere.knows("evil.example")
    space = Door.of("0.0.0.0", {"SPACE_ID": "me/space", "SPACE_HOST": "me-space.hf.space"})
    assert space.knows("me-space.hf.space")
    assert space.is_own("https://me-space.hf.space", "10.0.0.1:7860")
    assert not space.is_own("https://evil.hf.space", "me-space.hf.space")
    assert b"https://huggingface.co" in dict(space.headers)[b"content-security-policy"]
    assert not own.knows("x.gradio.live")
    assert Door.of("127.0.0.1", {"GRADIO_SHARE": "True"}).knows("x.gradio.live")


def test_login_is_never_played(root: Path, tmp_path: Path) -> None:
    """Off a Space Gradio's login makes anybody the owner of the machine's token."""
    assert not Deployment.of({"OAUTH_CLIENT_ID": "x"}).login
    page = build_app(load_bundle(root), tmp_path, [], Deployment(public=True, login=True))
    port = free_port()
    serve(page, port=port, block=False)
    try:
        assert ask(f"127.0.0.1:{port}", "GET", "/login/huggingface")[0] == 404
    finally:
        page.close(verbose=False)


def test_one_evaluation_a_visitor_waits(root: Path, tmp_path: Path) -> None:
    page = build_app(load_bundle(root), tmp_path, [("Known", "known/model")])
    port = free_port()
    serve(page, port=port, block=False)
    try:
        address = f"127.0.0.1:{port}"
        index = next(i for i, fn in page.fns.items() if fn.concurrency_id == SLOT)
        queue = page._queue
        queue.create_event_queue_for_fn(page.fns[index])
        queue.event_queue_per_concurrency_id[SLOT].current_concurrency = 1  # somebody is first
        data = [None] * len(page.fns[index].inputs)
        told = []
        for session in ("a", "a", "b", "c", "d"):
            asked = {"data": data, "fn_index": index, "session_hash": session}
            told.append(join(address, asked))
        assert told[0] == 200
        assert told[1] >= 400, "a second one of one session"
        assert told[2:4] == [200, 200]
        assert told[4] >= 400, "a fourth one of one address"
    finally:
        page.close(verbose=False)


def test_who_listens() -> None:
    listeners = Listeners()
    assert not listeners.hears("a", 0.1)
    with listeners.listening("a"), listeners.listening(None):
        assert listeners.hears("a", 0)
    assert not listeners.hears("a", 0)
