"""What holds the house together: requirements, the Space's files, the direction of imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "blindspots_hub"

ROOMS: dict[str, set[str]] = {
    "utils": set(),
    "data": {"utils"},
    "generation": {"utils", "data", "concepts", "serving"},
    "concepts": {"utils", "data"},
    "measure": {"utils", "data", "concepts"},
    "artifacts": {"utils", "concepts", "measure"},
    "analysis": {"utils", "measure", "artifacts", "naming"},
    "report": {"utils", "measure", "artifacts", "analysis"},
    "naming": {"utils", "data", "generation", "concepts", "measure", "artifacts"},
    "stress": {"utils", "data", "measure", "artifacts"},
    "runs": {
        "utils", "data", "generation", "concepts", "measure", "artifacts", "analysis", "report",
        "naming", "serving", "stress",
    },
    "explorer": {"utils", "measure", "artifacts", "analysis", "report", "serving"},
}  # fmt: skip
"""Rooms that each room may import from, apart from itself and the plain files beside them."""

KNOW_PLANTED = {
    "commands/benchmarks.py",
    "commands/certainty.py",
    "commands/planted.py",
    "runs/evaluate.py",
    "runs/folders.py",
    "runs/generate.py",
    "runs/stress.py",
    "serving/estimate.py",
}
"""The callers that offer the planted world; nothing else knows it."""

SPACE_MAY = {
    "explorer/tabs/evaluate_parts/evaluations.py",
    "explorer/tabs/evaluate_parts/generation_form.py",
    "explorer/tabs/stress_parts/stress_runs.py",
}
"""The parts of the page that run the pipeline themselves, and the form of its settings."""


def _requirements(path: Path) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return {re.split(r"[<>=~!]", line)[0]: line for line in lines if line}


def test_a_space_installs_all_but_torch() -> None:
    """Each package at one version, which is one that requirements.txt allows."""
    ours, theirs = (
        _requirements(ROOT / "requirements.txt"),
        _requirements(ROOT / "spaces/requirements.txt"),
    )
    assert ours.pop("torch") == "torch==2.13.0"
    assert all("==" in line for line in theirs.values())
    assert "torch" not in theirs
    for name, line in ours.items():
        assert Requirement(line).specifier.contains(theirs[name].partition("==")[2]), name


def test_minima_leave_out_what_is_known_to_be_unsafe() -> None:
    """Pillow's decoders before 12.3; a diffusers that loads the index of another folder."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in ("requirements.txt", "pyproject.toml"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert "pillow>=12.3" in text
        assert "diffusers>=0.40" in text
    assert "pip-audit" in project


def test_an_audit_that_could_not_be_made_says_so(tmp_path: Path) -> None:
    """Without pip-audit, or without a network, it is neither clean nor a finding."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/audit"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin", "PYTHONPATH": "", "HTTPS_PROXY": "http://127.0.0.1:9"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 3
    assert "NOT RUN" in done.stderr
    assert done.stdout == ""


def test_the_space_names_the_gradio_that_is_required() -> None:
    front = yaml.safe_load((ROOT / "spaces/README.md").read_text(encoding="utf-8").split("---")[1])
    lowest = re.search(r">=([\d.]+)", _requirements(ROOT / "requirements.txt")["gradio"])
    assert lowest is not None
    assert front["sdk_version"].startswith(lowest.group(1))
    assert (ROOT / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60
    assert not (ROOT / "spaces/__init__.py").exists(), "it would shadow the package `spaces`"


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blindspots_hub"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("blindspots_hub")}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_left(room: str) -> None:
    allowed = ROOMS[room] | {room}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    for path in sorted((PACKAGE / room).rglob("*.py")):
        name_of_file = path.relative_to(PACKAGE).as_posix()
        if name_of_file in SPACE_MAY:
            continue
        known = {"planted"} if name_of_file in KNOW_PLANTED else set()
        for name in _imports(path):
            other = f"{name}.".split(".")[1]
            assert other not in rooms - allowed - known, f"{path.name} imports {name}"


@pytest.mark.parametrize("room", ["card", "map"])
def test_what_tabs_are_made_of_imports_no_tab(room: str) -> None:
    for path in sorted((PACKAGE / "explorer" / room).rglob("*.py")):
        tabs = [name for name in _imports(path) if name.startswith("blindspots_hub.explorer.tabs")]
        assert not tabs, f"{path.name} imports {tabs}"


def test_the_readme_names_the_rooms_of_the_explorer() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith("| `explorer/` |"))
    for room in (PACKAGE / "explorer").iterdir():
        if room.is_dir() and (room / "__init__.py").is_file():
            assert f"`{room.name}/`" in row


def test_only_the_callers_know_the_planted_world() -> None:
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("planted/") and name not in KNOW_PLANTED:
            known = [i for i in _imports(path) if i.startswith("blindspots_hub.planted")]
            assert not known, f"{name} imports {known}"
