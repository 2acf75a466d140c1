"""The Space of a published bundle: its files, its front matter, its publication."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_fixtures import write_publishable
from local_hub import Hub
from space_fixtures import a_lock
from typer.testing import CliRunner

import blindspots_hub
from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub import space
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.space import space_files, space_repo, write_space
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.programs import readme as readme_module
from blindspots_hub.serving import opening
from blindspots_hub.serving.opening import open_first

ROOT = Path(__file__).resolve().parents[2]


def content(files: Any, name: str) -> str:
    found = files[name]
    return found.decode() if isinstance(found, bytes) else found.read_text(encoding="utf-8")


def front(files: Any) -> dict[str, Any]:
    matter: dict[str, Any] = yaml.safe_load(content(files, "README.md").split("---\n")[1])
    return matter


# ---- the files --------------------------------------------------------------------------------


def test_a_space_has_what_it_needs_and_nothing_else() -> None:
    files = space_files(a_lock())
    assert {"app.py", "README.md", "requirements.txt", "LICENSE", LOCK} <= set(files)
    assert {"blindspots_hub/runs/evaluate.py", "blindspots_hub/explorer/page/style.css"} <= set(
        files
    )
    assert "blindspots_hub/planted/bundle/bundle.json" in files, "what stands in without a Hub"
    assert any(name.startswith("model_card/") for name in files)
    tops = {name.split("/")[0] for name in files}
    assert tops == {
        "app.py", "README.md", "requirements.txt", "LICENSE", LOCK, "thumbnail.png",
        *space.FOLDERS,
    }  # fmt: skip
    parts = [part for name in files for part in name.split("/")]
    assert not [part for part in parts if part.startswith(".") or part == "__pycache__"]
    assert len(files) < 1000
    assert Lock.parse(files[LOCK], LOCK) == a_lock()


def test_a_space_shows_the_readme_and_not_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`README.md` of a Space is its card, three lines of it: "?" leads to the README."""
    write_space(space_files(a_lock()), tmp_path / "space")
    monkeypatch.setattr(blindspots_hub, "__file__", str(tmp_path / "space/blindspots_hub/x.py"))
    shown = importlib.reload(readme_module).readme()
    monkeypatch.undo()
    importlib.reload(readme_module)
    ours = (ROOT / "README.md").read_text(encoding="utf-8")
    assert shown == ours.strip() == readme_module.readme()
    assert len(shown.splitlines()) > 100


def test_the_front_matter_is_pinned_to_the_bundle() -> None:
    lock = a_lock()
    matter = front(space_files(lock))
    assert matter["models"] == ["ana/pans-sae", "ana/pans-backbone"]
    assert matter["datasets"] == ["ana/pans-pairs", "ana/pans-generations", "ana/pans-deltas"]
    for line, part in zip(matter["preload_from_hub"], ("sae", "backbone"), strict=True):
        repo, names, commit = line.split(" ")
        assert (repo, commit) == (f"ana/pans-{part}", lock.commits[part])
        assert {"config.json", "model.safetensors"} <= set(names.split(","))
    assert matter["hf_oauth"] is True
    assert matter["hf_oauth_scopes"] == ["contribute-repos"]
    assert matter["sdk"] == "gradio"
    assert matter["python_version"] == "3.12"
    assert matter["suggested_hardware"] == "zero-a10g"
    assert matter["thumbnail"].startswith("https://huggingface.co/spaces/ana/pans/resolve/")
    assert "ana/pans@1.2.0" in content(space_files(lock), "README.md")


def test_a_private_bundle_is_not_preloaded() -> None:
    assert "preload_from_hub" not in front(space_files(a_lock(), private=True))


@pytest.mark.parametrize(("hardware", "torch"), [("zero-a10g", False), ("t4-small", True)])
def test_torch_is_installed_where_the_space_brings_none(hardware: str, torch: bool) -> None:
    files = space_files(a_lock(), hardware=hardware)
    lines = content(files, "requirements.txt").splitlines()
    assert any(line.startswith("torch") for line in lines) is torch
    ours = (ROOT / "spaces/requirements.txt").read_text().splitlines()
    assert lines[: len(ours)] == ours


def test_a_space_may_have_another_name() -> None:
    assert space_repo(a_lock(), "ben/show").id == "ben/show"
    assert space_repo(a_lock(space=True)).id == "ana/pans"
    assert "spaces/ben/show/" in front(space_files(a_lock(), space="ben/show"))["thumbnail"]
    for name in ("show", "ben/..", "b en/show"):
        with pytest.raises(BlindspotsError):
            space_repo(a_lock(), name)


def test_only_a_checkout_makes_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "CHECKOUT", tmp_path)
    with pytest.raises(BlindspotsError, match="from a checkout"):
        space_files(a_lock())


# ---- which bundle opens -----------------------------------------------------------------------


def test_the_embedded_bundle_stands_in(tmp_path: Path) -> None:
    bundle, note = open_first(None, tmp_path, planted.BUNDLE)
    assert (bundle.root, note) == (planted.BUNDLE, "")
    (tmp_path / LOCK).write_bytes(a_lock().to_bytes())
    for asked in (None, "nobody/nothing@1.0.0"):
        bundle, note = open_first(asked, tmp_path, planted.BUNDLE)
        assert bundle.root == planted.BUNDLE
        assert "the embedded example" in note
        assert "cannot be reached" in note
    (tmp_path / LOCK).write_bytes(b"{}")
    assert "is not the lock" in open_first(None, tmp_path, planted.BUNDLE)[1]


def test_what_is_asked_for_and_wrong_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="is not a folder"):
        open_first(str(tmp_path / "none"), tmp_path, planted.BUNDLE)


def test_without_a_hub_the_page_opens_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Hub that takes connections and never answers."""
    import socket
    import time

    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        embedded = load_bundle(planted.BUNDLE)
        found = {Path("embedded"): lambda: embedded}
        monkeypatch.setattr(
            opening,
            "load_bundle",
            lambda source: found.get(source, partial(load_bundle, source))(),
        )
        started = time.monotonic()
        bundle, note = open_first("ana/pans@1.0.0", tmp_path, Path("embedded"))
        took = time.monotonic() - started
    assert bundle is embedded
    assert "cannot be reached" in note
    assert took < 3


# ---- publishing it ----------------------------------------------------------------------------


@pytest.fixture
def published(hub: Hub, tmp_path: Path) -> str:
    """A small bundle on the tests' Hub."""
    push(write_publishable(tmp_path / "bundle"), hub.owner, "1.0.0", name="pans")
    return f"{hub.owner}/pans"


@pytest.fixture
def command() -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli.app, ["deploy-space", *arguments, "--quiet"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_a_space_is_deployed_once(
    published: str, hub: Hub, command: Callable[..., Any], tmp_path: Path
) -> None:
    dry = command(published, "--dry-run")
    assert f"space {published}: new" in dry.output
    assert "Nothing was written." in dry.output
    assert ("space", published) not in hub.server.repos

    first = command(f"{published}@1.0.0")
    assert f"/spaces/{published}" in first.output
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(published, repo_type="space"))
    command(published, "--out", str(tmp_path / "space"))
    for path in (tmp_path / "space").rglob("*"):
        if path.is_file():
            name = path.relative_to(tmp_path / "space")
            assert (folder / name).read_bytes() == path.read_bytes(), name
    again = command(published)
    assert f"space {published}: unchanged, 0 bytes" in again.output


def test_a_deployed_space_opens_its_bundle(published: str, hub: Hub, tmp_path: Path) -> None:
    from blindspots_hub.artifacts.hub.space import lock_of

    write_space(space_files(lock_of(published)), tmp_path / "space")
    bundle, note = open_first(None, tmp_path / "space", planted.BUNDLE)
    assert (bundle.name, bundle.version, note) == ("pans", "1.0.0", "")
    assert not (bundle.root / "pairs").exists(), "the explorer needs deltas only"


def test_what_is_not_published_has_no_space(tmp_path: Path, command: Callable[..., Any]) -> None:
    with pytest.raises(BlindspotsError, match="push the bundle first"):
        command(str(planted.BUNDLE), "--out", str(tmp_path / "space"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/other").touch()
    with pytest.raises(BlindspotsError, match="not an empty folder"):
        write_space(space_files(a_lock()), tmp_path / "full")


def test_a_pulled_bundle_makes_a_space_offline(tmp_path: Path, command: Callable[..., Any]) -> None:
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    (pulled / LOCK).write_bytes(a_lock().to_bytes())
    done = command(str(pulled), "--out", str(tmp_path / "space"))
    assert "shows ana/pans@1.2.0" in done.output
    compiled = subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(tmp_path / "space")], capture_output=True
    )
    assert compiled.returncode == 0
