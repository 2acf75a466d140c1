"""A Space whose owner's token lies in its environment: it serves nobody but the owner's own push.

The app itself runs in a process of its own, as a Space starts it, and asks a Hub on loopback that
notes who asks for what.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from data_fixtures import save_stable_diffusion
from explorer_fixtures import free_port, page_on
from huggingface_hub import HfApi
from local_hub import Hub

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.serving.deployment import Deployment

ROOT = Path(__file__).resolve().parents[2]
PAIRS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("model") / "sd")


@pytest.fixture
def private(hub: Hub, model: Path) -> str:
    """A model of the owner's that nobody else may see."""
    name = f"{hub.owner}/secret"
    api = HfApi(token=hub.token)
    api.create_repo(name, private=True)
    api.upload_folder(repo_id=name, folder_path=model)
    return name


@pytest.fixture
def space(hub: Hub, tmp_path: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """`python app.py` on a Space whose secret HF_TOKEN is the owner's; its address, its log."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "SPACE_ID": f"{hub.owner}/space",
        "HF_TOKEN": hub.token,
        "GRADIO_SERVER_PORT": str(port),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GRADIO_TEMP_DIR": str(tmp_path / "gradio"),
    }
    path = tmp_path / "log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", str(ROOT / "app.py")], env=environment, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 180
            address = f"http://127.0.0.1:{port}"
            while True:
                assert process.poll() is None, path.read_text()[-3000:]
                assert time.monotonic() < deadline, path.read_text()[-3000:]
                try:
                    if httpx.get(address, timeout=10).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield address, path.read_text
        finally:
            process.terminate()
            process.wait(timeout=30)


def asked_for(address: str, model: str) -> list[Any]:
    """What a program that strangers run is answered when it asks for an evaluation."""
    from gradio_client import Client

    client = Client(address, verbose=False)
    job = client.submit(model, PAIRS, 0, api_name="/evaluate")
    job.result(timeout=300)
    return job.outputs()


@pytest.mark.slow
def test_a_stranger_gets_nothing_that_the_owners_token_opens(
    hub: Hub, private: str, space: tuple[str, Callable[[], str]]
) -> None:
    address, log = space
    with hub.recorded() as asked:
        with pytest.raises(Exception, match=r"secret.*(not found|cannot be fetched|no model)"):
            asked_for(address, private)
    assert asked, "the Hub was asked"
    assert {one.user for one in asked} == {None}
    assert not any(one.token for one in asked)
    assert {one.status for one in asked if private in one.path} <= {401, 404}
    HfApi(token=hub.token).update_repo_settings(private, private=False)
    with hub.recorded() as asked:
        steps = asked_for(address, private)
    assert steps[-1]["finished"], "what everybody may see is evaluated"
    assert any(one.path.endswith(".safetensors") for one in asked)
    assert {one.user for one in asked} == {None}
    HfApi(token=hub.token).update_repo_settings(private, private=True)
    with pytest.raises(Exception, match="secret"):
        asked_for(address, private)  # which lies on the Space's disk now
    assert hub.token not in log()


def test_a_visitors_own_token_opens_what_is_theirs_and_nobody_elses(
    hub: Hub, model: Path, private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    visitor = f"{hub.owner}-visitor"
    token = hub.server.add_user(visitor)
    theirs = f"{visitor}/mine"
    HfApi(token=token).create_repo(theirs, private=True)
    HfApi(token=token).upload_folder(repo_id=theirs, folder_path=model)
    site = Deployment(public=True)
    page = page_on(load_bundle(planted.BUNDLE), tmp_path / "evaluations", site=site)
    tab: Any = page.tabs["evaluate"]

    def run(spec: str, token: str | None) -> dict[Any, Any]:
        return list(tab._run(spec, PAIRS, 0, [], token=token))[-1]

    with hub.recorded() as asked:
        told = run(theirs, token)
    assert told[tab.finished], told[tab.status]
    # Where large files lie nobody is asked who they are: the address was given to the visitor.
    assert {visitor} <= {one.user for one in asked} <= {visitor, None}
    for spec, whose in ((theirs, None), (private, token), (private, None)):
        with hub.recorded() as asked:
            told = run(spec, whose)
        assert not told.get(tab.finished)
        assert spec in told[tab.status]
        assert hub.token not in str(told)
        assert token not in str(told)
        assert {one.user for one in asked} <= ({visitor, None} if whose else {None})
