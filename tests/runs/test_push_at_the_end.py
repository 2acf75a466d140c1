"""`evaluate --push`, and the script of a job: published at the end, or told before the work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from local_hub import Hub

from blindspots_hub import cli
from blindspots_hub.artifacts.bundle import load_bundle

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "evaluate_job.py"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--quiet"])
    return int(ended.value.code or 0)


def test_an_evaluation_ends_on_the_hub_and_goes_on_there(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "planted/cedar", "--pairs", "4", "--out", str(tmp_path / "out")]
    command += ["--push", f"{hub.owner}/cedar@1.0.0"]
    assert run(*command) == 0
    assert "cedar@1.0.0 is published" in capsys.readouterr().out
    assert hub.server.repo("dataset", f"{hub.owner}/cedar-deltas").tags.keys() == {"v1.0.0"}
    found = load_bundle(f"{hub.owner}/cedar@1.0.0")
    assert found.model("cedar").pairs == 4
    assert run(*command) == 0, "the same again is nothing new"
    assert "was published already" in capsys.readouterr().out


def test_a_push_that_cannot_be_is_told_before_the_work(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["evaluate", "planted/cedar", "--pairs", "4", "--out", str(tmp_path / "out")]
    for push, told in (
        (f"{hub.owner}/cedar", "names no version"),
        ("somebody-else/cedar@1.0.0", "no member of it"),
        ("no-slash", "does not name a bundle"),
    ):
        assert run(*command, "--push", push) == 2
        assert told in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", hub.server.token(hub.owner, "read"))
    assert run(*command, "--push", f"{hub.owner}/cedar@1.0.0") == 2
    assert "may only read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_jobs_script_states_what_it_needs_and_runs(hub: Hub, tmp_path: Path) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    block = re.search(r"(?m)^# /// script\n(?:#.*\n)+?# ///$", text)
    assert block is not None, "PEP 723"
    assert 'dependencies = ["blindspots-hub"]' in block.group()
    nothing = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert "name --push" in nothing.stderr
    done = subprocess.run(
        [sys.executable, SCRIPT, "planted/cedar", "--pairs", "4", "--quiet", "--push",
         f"{hub.owner}/job@1.0.0"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "job@1.0.0 is published" in done.stdout
