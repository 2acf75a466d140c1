"""The assembled Space in an environment of its own: installed, started, answering, evaluating."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from explorer_fixtures import Watched, browser, free_port, playwright
from local_hub import Hub
from space_fixtures import clean_environment

from blindspots_hub import planted
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.space import lock_of, space_files, write_space

pytestmark = pytest.mark.browser


@pytest.fixture
def served(hub: Hub, tmp_path: Path) -> Iterator[str]:
    """The Space of the planted bundle, published on the tests' Hub, started as a Space is."""
    push(planted.BUNDLE, hub.owner, "1.0.0", name="planted")
    folder = tmp_path / "space"
    write_space(space_files(lock_of(f"{hub.owner}/planted")), folder)
    python = clean_environment(tmp_path / "environment", folder / "requirements.txt")
    port = free_port()
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "space-cache"),
        "SPACE_ID": f"{hub.owner}/planted",
        "GRADIO_SERVER_PORT": str(port),
        "PYTHONNOUSERSITE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    environment.pop("PYTHONPATH", None)
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [python, "-u", "app.py"], cwd=folder, env=environment, stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while True:
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
            try:
                if httpx.get(address).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def test_an_assembled_space_starts_and_evaluates(served: str) -> None:
    with playwright() as driver, browser(driver) as opened:
        visit = Watched(opened.new_page()).open(served)
        page = visit.page
        assert "planted" in page.locator(".bundle").inner_text()
        assert page.locator(".site-note").count() == 0, "the published bundle, not the stand-in"
        page.get_by_role("tab", name="Evaluate my model").click()
        assert "this machine" not in page.locator("#form").inner_text()
        page.locator("#eval-pairs input[type=number]").fill("40")
        page.locator("#eval-pairs input[type=number]").blur()
        page.locator("#run").click()
        page.locator("#explore-it").wait_for(timeout=600_000)
        command = page.locator("#push-command textarea").input_value()
        assert "push alder-1-40-pairs --namespace" in command
        assert visit.faults == []
        assert visit.outside == []
