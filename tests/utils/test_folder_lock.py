"""One run a folder, over processes too; what a killed one held is free."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.folder_lock import FolderInUse, only_one_run

HOLDS = """
import sys, time
from pathlib import Path
from blindspots_hub.utils.folder_lock import only_one_run
with only_one_run(Path(sys.argv[1]), "evaluate Alder"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    with only_one_run(folder, "evaluate Alder"):
        with pytest.raises(FolderInUse, match=r"in use by another run \(evaluate Alder, process"):
            with only_one_run(folder, "another"):
                pass
        with only_one_run(tmp_path / "new" / "other", "beside"):
            pass
    with only_one_run(folder, "again"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(out)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FolderInUse, match=rf"process {process.pid} on"), only_one_run(out, "b"):
            pass
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / ".out.lock").exists()
    with only_one_run(out, "b"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_names_that_no_lock_can_have(tmp_path: Path) -> None:
    with only_one_run(tmp_path / ("a" * 254), "long"):
        pass
    with pytest.raises(BlindspotsError, match="no usable path"):
        with only_one_run(tmp_path / ("a" * 300) / "b", "too long"):
            pass


def test_changes_wait_for_each_other(tmp_path: Path) -> None:
    """What is read and written in turn loses nothing, over threads and processes."""
    path = tmp_path / "count"
    path.write_text("0")
    add = f"""
import time
from pathlib import Path
from blindspots_hub.utils.folder_lock import in_turn

path = Path({str(path)!r})
for _ in range(20):
    with in_turn(path.parent), in_turn(path.parent / "."):
        before = int(path.read_text())
        time.sleep(0.001)
        path.write_text(str(before + 1))
"""
    other = subprocess.Popen([sys.executable, "-c", add])
    threads = [threading.Thread(target=exec, args=(add, {})) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    assert path.read_text() == "80"
    assert [one.name for one in tmp_path.iterdir()] == ["count"]
