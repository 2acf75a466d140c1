"""A server that lasts: memory and disk stay bounded, and a full disk ends a run, not the server."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from lasting_fixtures import MODELS, PAIRS, evaluated, form

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.tabs.evaluate_parts import one_at_a_time
from blindspots_hub.serving import disk
from blindspots_hub.serving.disk import check_room, folder_bytes, prune

TESTS = Path(__file__).resolve().parents[1]
WARM = 10
"""Evaluations after which what is kept on purpose (the latest bundles, compiled loops) is there."""


def in_a_process(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A process with this project and the tests to import."""
    found = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", **more}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=1_800, env=environment, check=False
    )


@pytest.mark.slow
def test_a_hundred_evaluations_leave_memory_as_it_was(tmp_path: Path) -> None:
    done = in_a_process(
        sys.executable,
        str(TESTS / "lasting_fixtures.py"),
        str(tmp_path / "evaluations"),
        "100",
        GRADIO_TEMP_DIR=str(tmp_path / "gradio"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    held = [int(line) for line in done.stdout.split()]
    assert len(held) == 100
    warm = statistics.median(held[WARM : WARM + 5])
    assert max(held[WARM:]) < 1.1 * warm, held


# ---- the disk ---------------------------------------------------------------------------------


def written(root: Path, name: str, size: int, age: int) -> Path:
    """A folder of so many bytes that was last changed `age` seconds ago."""
    folder = root / name
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").write_bytes(b"x" * size)
    now = folder.stat().st_mtime
    os.utime(folder, (now - age, now - age))
    return folder


def test_the_oldest_go_until_few_enough_bytes_stay(tmp_path: Path) -> None:
    old, spared, young = (
        written(tmp_path, n, 100, age) for n, age in (("c", 9), ("a", 6), ("b", 3))
    )
    hidden = written(tmp_path, ".models", 500, 99)
    outside = written(tmp_path.with_name(f"{tmp_path.name}-outside"), "x", 100, 99)
    (tmp_path / "link").symlink_to(outside)
    told: list[Path] = []
    assert prune(tmp_path, 300, forget=told.append) == []
    assert prune(tmp_path, 299, forget=told.append) == [old] == told
    assert prune(tmp_path, 0, [spared]) == [young]
    assert spared.is_dir()
    assert hidden.is_dir()
    assert folder_bytes(outside) == 100, "what a link leads to is none of the page's"
    assert prune(tmp_path / "none", 0) == []


def test_too_little_room_is_told_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_room(tmp_path / "not/there/yet", 1_000)
    tab = form(tmp_path / "evaluations")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=700_000_000))
    with pytest.raises(BlindspotsError, match="The disk has 700 MB left, and this needs about 400"):
        check_room(tmp_path, 400_000_000)
    last = list(tab._run(MODELS[0], PAIRS, 0, []))[-1]
    assert "The disk has 700 MB left" in last[tab.status]
    assert last[tab.run].interactive
    assert not list((tmp_path / "evaluations").glob("*"))


@pytest.mark.parametrize("public", [True, False])
def test_a_public_page_keeps_the_latest_evaluations_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    """What went is in nobody's menu any more; on one's own machine nothing goes."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    folder = tmp_path / "evaluations"
    tab = form(folder, public)
    own = evaluated(tab, 0, [])
    (first,) = folder.glob("planted*")
    size = folder_bytes(first)
    monkeypatch.setattr(one_at_a_time, "KEPT", int(1.5 * size))
    own = evaluated(tab, 1, own)
    assert first.is_dir(), "one fitted beside what was about to come"
    own = evaluated(tab, 2, own)
    assert first.is_dir() is not public
    assert len(list(folder.glob("planted*"))) == (2 if public else 3)
    shown = [entry.bundle.root for entry in tab._catalog.entries(own)]
    assert (first in shown) is not public
    if public:
        with pytest.raises(BlindspotsError, match="holds no bundle"):
            tab._catalog.bundle(own[0])
        own = evaluated(tab, 0, own)  # asked for again, it is made again
        assert first.is_dir()


FULL = """
import os, resource, subprocess, sys
from pathlib import Path
from lasting_fixtures import MODELS, PAIRS, form

root, how = Path(sys.argv[1]), sys.argv[2]
evaluations = root / "evaluations"
if how == "mounted":
    evaluations.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", evaluations], check=True)
from blindspots_hub.serving import disk
disk.SPARE = disk.AN_EVALUATION = disk.AN_IMAGE = 0  # what is looked at before cannot foresee all
tab = form(evaluations)
from blindspots_hub.generation.generate import TextToImage
drawn, attempt = [], TextToImage._attempt


def counted(self, pairs, seed):
    drawn.extend(pairs)
    return attempt(self, pairs, seed)


TextToImage._attempt = counted


def run():
    drawn.clear()
    return list(tab._run(MODELS[0], PAIRS, 0, []))[-1]


if how != "mounted":
    # As a quota does it: no file may become larger, whoever writes it.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(how), limits[1]))
told = run()
assert "The disk is full while writing" in told[tab.status], told[tab.status]
assert told[tab.run].interactive
first = len(drawn)
if how == "mounted":
    subprocess.run(["mount", "-o", "remount,size=200m", evaluations], check=True)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
told = run()
assert told[tab.finished], told[tab.status]
from blindspots_hub.artifacts.validate import faults
(bundle,) = evaluations.glob("planted*")
assert faults(bundle) == []
assert first + len(drawn) <= PAIRS + 1, "but for one image under way all was kept"
print(first, "whole")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["20000", "60000", "200000", "1000000", "mounted"])
def test_a_full_disk_ends_the_run_alone_and_loses_nothing(tmp_path: Path, how: str) -> None:
    """A real refusal of the system, met by whichever writer comes to it: images, Arrow, codes."""
    (tmp_path / "full.py").write_text(FULL)
    command = [sys.executable, str(tmp_path / "full.py"), str(tmp_path), how]
    if how == "mounted":
        apart = ["unshare", "--map-root-user", "--user", "--mount"]
        if not shutil.which("unshare") or in_a_process(*apart, "true").returncode:
            pytest.skip("this machine mounts nothing for its users")
        command = [*apart, *command]
    done = in_a_process(*command, GRADIO_TEMP_DIR=str(tmp_path / "gradio"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == "whole"
    if how in ("200000", "1000000"):
        assert done.stdout.split()[0] == str(PAIRS), "a table was what did not fit"
