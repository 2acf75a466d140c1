"""What holds the house together: requirements, the Space's files, the direction of imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "blindspots_hub"

ROOMS: dict[str, set[str]] = {
    "utils": set(),
    "data": {"utils"},
    "generation": {"utils", "data", "concepts", "serving"},
    "concepts": {"utils", "data"},
    "measure": {"utils", "data", "concepts"},
    "artifacts": {"utils", "measure"},
    "analysis": {"utils", "measure", "artifacts"},
    "report": {"utils", "measure", "artifacts", "analysis"},
    "runs": {
        "utils", "data", "generation", "concepts", "measure", "artifacts", "analysis", "report",
        "serving",
    },
    "explorer": {"utils", "measure", "artifacts", "analysis", "serving"},
}  # fmt: skip
"""Rooms that each room may import from, apart from itself and the plain files beside them."""

KNOW_PLANTED = {
    "commands/benchmarks.py",
    "commands/certainty.py",
    "commands/planted.py",
    "runs/evaluate.py",
    "runs/folders.py",
    "runs/generate.py",
    "serving/estimate.py",
}
"""The callers that offer the planted world; nothing else knows it."""

SPACE_MAY = {"explorer/tabs/evaluate.py"}
"""The one page that runs the pipeline itself."""


def _requirements(path: Path) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return {re.split(r"[<>=~!]", line)[0]: line for line in lines if line}


def test_a_space_installs_all_but_torch() -> None:
    ours, theirs = (
        _requirements(ROOT / "requirements.txt"),
        _requirements(ROOT / "spaces/requirements.txt"),
    )
    assert ours.pop("torch") == "torch==2.13.0"
    assert ours == theirs


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


def test_only_the_callers_know_the_planted_world() -> None:
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("planted/") and name not in KNOW_PLANTED:
            known = [i for i in _imports(path) if i.startswith("blindspots_hub.planted")]
            assert not known, f"{name} imports {known}"
