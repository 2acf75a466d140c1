"""GPU work on ZeroGPU: what is asked for, what is kept, what is told; elsewhere nothing changes."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from explorer_fixtures import free_port
from zerogpu_fixtures import (
    ROOT,
    WITHOUT_CUDA,
    DeviceApi,
    device_api,
    environment,
    on_zerogpu,
)

from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.serving import zerogpu
from blindspots_hub.serving.zerogpu import Cost, GpuRefused, Pace, borrows_gpu


@pytest.fixture
def api() -> Iterator[DeviceApi]:
    with device_api() as serving:
        yield serving


EVALUATE = """
import sys
from blindspots_hub.runs import gpu_work
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.serving.zerogpu import GpuRefused
asked = {"pairs": 40, "batch_size": 4}
try:
    evaluate("planted/cedar", sys.argv[1], **asked)
except GpuRefused as error:
    print(error)
    evaluate("planted/cedar", sys.argv[1], **asked)
"""


def _files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_an_evaluation_in_loans_ends_like_one_without(api: DeviceApi, tmp_path: Path) -> None:
    api.refused = 8  # 40 pairs are 2 natural shards, 10 batches, 2 drawn shards: 14 loans
    done = on_zerogpu(api, EVALUATE, str(tmp_path / "loans"))
    assert done.returncode == 0, done.stderr
    assert "GPU time on ZeroGPU Spaces is used up" in done.stdout
    assert "24 of 40 images are drawn and kept: run the same again" in done.stdout
    assert len(api.schedules) == 14 + 1
    assert {path for path, _ in api.asked} == {"/schedule", "/allow", "/release"}
    evaluate("planted/cedar", tmp_path / "plain", pairs=40)
    assert _files(tmp_path / "loans") == _files(tmp_path / "plain")


def test_off_zerogpu_the_function_itself_runs_and_spaces_is_not_asked() -> None:
    def task(number: int) -> int:
        return number + 1

    assert borrows_gpu(lambda number: Cost("task", 1, 1.0))(task) is task
    code = "import sys; from blindspots_hub.runs import gpu_work; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


PAGE = """
import json, os, sys
from pathlib import Path
import app
from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.explorer.page.app import build_app, serve
from blindspots_hub.serving.deployment import Deployment
known = [("Cedar", "planted/cedar")]
bundle = load_bundle(planted.BUNDLE)
page = build_app(bundle, Path(sys.argv[1]), known, Deployment(public=True, zerogpu=True))
serve(page, port=int(sys.argv[2]), block=False)
run = [i for i, fn in page.fns.items() if fn.name == "_for_anybody"][-1]  # Evaluate is the last
print(json.dumps({"run": run}), flush=True)
os.read(0, 1)  # not sys.stdin.read(): it would hold a lock that forked workers need
"""


def _run_on_page(address: str, function: int, token: str) -> str:
    """Press Run as a logged-in visitor's browser does; everything that the page was told."""
    session = {"session_hash": token[-12:]}
    form = ["planted/cedar", 40, 0, None, 1, "", "", "", "usual", "", ""]  # as the page sends it
    asked = {"data": form, "fn_index": function, **session}
    headers = {"x-ip-token": token}
    api = f"{address}/gradio_api/queue"
    httpx.post(f"{api}/join", json=asked, headers=headers).raise_for_status()
    told = []
    with httpx.stream("GET", f"{api}/data", params=session, timeout=120) as answer:
        for line in answer.iter_lines():
            told.append(line)
            if "process_completed" in line:
                break
    return "\n".join(told)


def test_the_page_spends_its_visitors_own_time(api: DeviceApi, tmp_path: Path) -> None:
    """Through Gradio's queue and threads, every loan is asked for in the visitor's name."""
    payload = base64.urlsafe_b64encode(b"{}").decode().rstrip("=")
    visitors = [f"header.{payload}.{name * 12}" for name in "ab"]
    port = free_port()
    command = [sys.executable, "-c", WITHOUT_CUDA + PAGE, str(tmp_path), str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(api), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = next(line for line in process.stdout if line.startswith("{"))
        assert ("/startup-report", {}) in api.asked, "or the Space would not start"
        api.quota = 3
        address, function = f"http://127.0.0.1:{port}", json.loads(found)["run"]
        told = _run_on_page(address, function, visitors[0])
        assert "The evaluation pauses." in told
        assert "30 s left, " in told
        assert "8 of 40 images are drawn and kept" in told
        assert "Continue" in told
        assert {query["token"] for query in api.schedules} == {visitors[0]}
        before = len(api.schedules)
        api.quota = None
        assert "Cedar is evaluated." in _run_on_page(address, function, visitors[1])
        assert {query["token"] for query in api.schedules[before:]} == {visitors[1]}
    finally:
        process.stdin.close()  # it ends, and ends its workers
        process.wait(timeout=30)


# ---- what is asked for ----------------------------------------------------------------------


def test_a_call_asks_for_what_its_work_takes() -> None:
    pace = Pace()
    assert pace.duration(Cost("model", 4, 3.0)) == 10 + 18
    assert pace.duration(Cost("model", 8, 3.0)) == 10 + 36
    assert pace.duration(Cost("model", 1000, 3.0)) == 120
    pace.measured(Cost("model", 4, 3.0), 2.0)
    assert pace.duration(Cost("model", 4, 3.0)) == 10 + 3
    pace.too_short(Cost("model", 4, 3.0))
    assert pace.duration(Cost("model", 4, 3.0)) == 10 + 6
    assert pace.duration(Cost("other", 4, 3.0)) == 10 + 18


TASKS = """
import json, os, signal, sys, time
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving.zerogpu import Cost, borrows_gpu

cost = lambda what, *_: Cost(what, 4, 3.0)
seen = []

@borrows_gpu(cost)
def work(what):
    seen.append(what)
    if what == "sentence":
        raise BlindspotsError("The caption is too long: shorten it.")
    if what == "fault":
        raise ZeroDivisionError("secret detail")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()

told = {}
for what in ("plain", "plain", "sentence", "fault", "killed", "killed"):
    try:
        told.setdefault(what, []).append(work(what))
    except Exception as error:
        told.setdefault(what, []).append(f"{type(error).__name__}: {error}")
print(json.dumps({"told": told, "pid": os.getpid(), "seen": seen}))
"""


def test_calls_run_in_workers_and_their_ends_are_told(api: DeviceApi) -> None:
    done = on_zerogpu(api, TASKS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    told = found["told"]
    assert found["seen"] == [], "globals of a worker do not come back"
    assert told["plain"][0] == told["plain"][1] != found["pid"]
    assert told["sentence"] == ["BlindspotsError: The caption is too long: shorten it."]
    assert told["fault"] == [
        "GpuRefused: The work on the GPU failed (ZeroDivisionError): the Space's log tells why."
    ]
    assert all("took its GPU back too early" in one for one in told["killed"])
    asked = [int(query["durationSeconds"]) for query in api.schedules]
    assert asked[0] == 28
    assert asked[1] == 10, "the measured pace is asked for"
    assert asked[-2:] == [28, 46], "after a call that was ended early, twice its work"


# ---- refusals ---------------------------------------------------------------------------------


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], str]:
    """Call a decorated function on a Space that answers with an error; the sentence it ends in."""

    def refuse(error: Exception) -> str:
        def gpu(duration: Any) -> Any:
            def decorated(*_: Any) -> Any:
                raise error

            return lambda task: decorated

        monkeypatch.setattr(zerogpu, "ON_ZEROGPU", True)
        monkeypatch.setattr(zerogpu, "spaces", SimpleNamespace(GPU=gpu), raising=False)
        work = borrows_gpu(lambda: Cost("work", 1, 1.0))(lambda: None)
        with pytest.raises(GpuRefused) as told:
            work()
        return str(told.value)

    return refuse


@pytest.mark.parametrize(
    ("title", "message", "sentence"),
    [
        (
            "ZeroGPU quota exceeded",
            "You have exceeded your free ZeroGPU quota (28s requested vs. 3s left). Try again in "
            "23:59:00. Authenticate with a Hugging Face token - https://huggingface.co/settings",
            r"used up: .* logged in, .*\(3 s left, 28 s needed, more in 23:59:00\)\.$",
        ),
        (
            "ZeroGPU quota exceeded",
            "Space app has reached its GPU limit. Try re-running outside of examples if it "
            "happened after clicking one",
            r"used up: .* PRO account\.$",
        ),
        (
            "ZeroGPU quota exceeded",
            "No GPU was available after 60s. Try re-running outside of examples",
            "became free within a minute",
        ),
        ("ZeroGPU queue timeout", "No GPU was available after 60s", "became free within a minute"),
        ("ZeroGPU worker error", "GPU task aborted", "the next try asks for more time"),
        ("ZeroGPU illegal duration", "The requested GPU duration (120s) is", "illegal duration"),
        ("ZeroGPU client error", "Expired ZeroGPU proxy token", "Expired ZeroGPU proxy token"),
    ],
)
def test_every_refusal_is_one_sentence(
    refusing: Callable[[Exception], str], title: str, message: str, sentence: str
) -> None:
    told = refusing(gr.Error(message, title=title, print_exception=False))
    assert re.search(sentence, told)
    assert "http" not in told


def test_a_scheduler_that_is_away_is_told(refusing: Callable[[Exception], str]) -> None:
    assert "does not answer" in refusing(httpx.ConnectError("refused"))
    assert "does not answer" in refusing(RuntimeError("ZeroGPU API /schedule error: 500"))


def test_faults_of_the_program_stay_faults(refusing: Callable[[Exception], str]) -> None:
    with pytest.raises(ZeroDivisionError):
        refusing(ZeroDivisionError())
