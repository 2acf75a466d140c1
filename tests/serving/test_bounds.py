"""What a public page bounds: its queue, its visitors, one run's time, files to download."""

from __future__ import annotations

import inspect
import os
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from explorer_fixtures import free_port, page_on
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page import app
from blindspots_hub.explorer.page.app import build_app, serve
from blindspots_hub.explorer.tabs import evaluate as evaluate_tab
from blindspots_hub.explorer.tabs.evaluate_parts import result_files, running
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import zip_bundle
from blindspots_hub.explorer.tabs.evaluate_parts.running import RunningPage, pictures
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.serving.listeners import LISTENERS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = Synthetic(n_concepts=40, pairs=30, models={"a": "A"})
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("bounds") / "b", spec))


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


def test_the_server_is_told_its_bounds(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queue, body, sessions, and no history of runs; files to download go after a day."""
    page = build_app(bundle, tmp_path, [("Known", "known/model")])
    asked: dict[str, Any] = {}
    launch = gr.Blocks.launch

    def noted(self: Any, **options: Any) -> Any:
        asked.update(options)
        assert set(options) <= set(inspect.signature(launch).parameters)
        return launch(self, **options)

    monkeypatch.setattr(app.PageBlocks, "launch", noted)
    serve(page, port=free_port(), block=False)
    try:
        assert page._queue.max_size == app.MOST_WAITING
        assert page.delete_cache == (app.CACHE_SECONDS // 24, app.CACHE_SECONDS)
        assert asked["state_session_capacity"] == app.SESSIONS <= 1_000
        assert asked["max_file_size"] <= 2**20
        assert asked["run_history"] is False
        assert asked["enable_monitoring"] is False
    finally:
        page.close(verbose=False)


def test_a_job_that_nobody_listens_for_is_not_begun(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def run(*asked: Any, **_: Any) -> Iterator[dict[Any, Any]]:
        begun.append(asked[0])
        yield {}

    known = [("Known", "known/model")]
    public = page_on(bundle, tmp_path, known_models=known, site=Deployment(public=True))
    tab: Any = public.tabs["evaluate"]
    monkeypatch.setattr(tab, "_run", run)
    request = types.SimpleNamespace(session_hash="somebody")
    monkeypatch.setattr(LISTENERS, "hears", lambda session: session != "somebody")
    assert list(tab._for_anybody(request, "known/model", 20, 0, [])) == []
    assert list(tab._for_visitor(request, None, "known/model", 20, 0, [])) == []
    assert begun == []
    request.session_hash = "another"
    assert list(tab._for_anybody(request, "known/model", 20, 0, [])) == [{}]


def test_a_run_has_its_time(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(running.time, "monotonic", lambda: next(clock))

    def work() -> Work[Bundle]:
        try:
            for done in range(1_000):
                yield Event("draw and measure", done, 1_000)
        finally:
            closed.append(True)
        return bundle

    with gr.Blocks():
        place = gr.HTML()
    shown = pictures(work(), RunningPage("it"), place, seconds=1_000)
    with pytest.raises(BlindspotsError, match="what is done is kept"):
        list(shown)
    assert closed == [True]


def test_a_result_is_one_file_and_old_files_are_no_fault(
    bundle: Bundle, downloads: Path, tmp_path: Path
) -> None:
    """Zip knows no year before 1980; a bundle that was unpacked somewhere may be of 1970."""
    names = [bundle.root / name for name in bundle.manifest.files]
    for path in names:
        os.utime(path, (0, 0))
    first = zip_bundle(bundle)
    assert first == zip_bundle(bundle)
    assert [path for path in downloads.rglob("*") if path.is_file()] == [first]
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) > len(names)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a date")])
def test_without_room_for_its_file_a_result_stays(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(_: Bundle) -> Path:
        raise error

    monkeypatch.setattr(evaluate_tab, "zip_bundle", full)
    tab: Any = page_on(bundle, tmp_path, known_models=[("K", "known/model")]).tabs["evaluate"]

    def work(*_: Any, **__: Any) -> Work[Bundle]:
        yield Event("draw and measure", 1, 1)
        return bundle

    monkeypatch.setattr(tab.evaluations, "work", work)
    last = list(tab._run("known/model", 20, -5, []))[-1]
    assert last[tab.finished].endswith("/a")
    assert last[tab.run].interactive
    assert "There is no download." in last[tab.status]
    assert not last[tab.download].interactive
    assert result_files.zip_bundle is zip_bundle
