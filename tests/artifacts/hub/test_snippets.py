"""Every snippet that a card prints runs exactly as printed, on what a push has published."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import Reference

_PARTS = ("pairs", "generations", "deltas", "sae", "backbone")

FENCED = re.compile(r"^```(python|shell)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

RUNNER = """
import runpy, sys
for path in sys.argv[1:]:
    print("==", path, flush=True)
    runpy.run_path(path, run_name="__main__")
"""
"""Runs files one after the other, each as a program of its own; what they import is shared."""


class Cards:
    """The cards of a published version as the Hub serves them, and a place to try them."""

    def __init__(self, published: Reference, folder: Path) -> None:
        self.folder = folder
        self.text = {repo.part: _card(repo.kind, repo.id) for repo in published.repos(_PARTS)}
        python = Path(sys.executable).parent
        self.environment = os.environ | {
            "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(planted.__file__).parents[2]),
            "HF_DATASETS_CACHE": str(folder / "datasets"),
        }
        Image.effect_noise((160, 120), 64).convert("RGB").save(folder / "image.png")

    def snippets(self, language: str) -> dict[str, str]:
        """Snippets in `language`, each with the part whose card prints it first."""
        found: dict[str, str] = {}
        for part, card in self.text.items():
            for kind, snippet in FENCED.findall(card):
                if kind == language:
                    found.setdefault(snippet, part)
        return found

    def python(self, snippets: list[str]) -> str:
        """What the snippets print, run in one process."""
        paths = []
        for number, snippet in enumerate(snippets):
            paths.append(self.folder / f"snippet_{number:02d}.py")
            paths[-1].write_text(snippet, encoding="utf-8")
        return self.run([sys.executable, "-c", RUNNER, *map(str, paths)])

    def run(self, command: list[str] | str) -> str:
        """What a command prints; fails with all that it said where it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            shell=isinstance(command, str),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _card(kind: str, repo: str) -> str:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(repo, "README.md", repo_type=kind, revision="v1.0.0")
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture
def published(hub: Any, tmp_path: Path) -> Cards:
    push(planted.BUNDLE, hub.owner, "1.0.0", name="small_world")
    folder = tmp_path / "somewhere"
    folder.mkdir()
    return Cards(Reference.parse(f"{hub.owner}/small_world@1.0.0"), folder)


def test_python_snippets_run_as_printed(published: Cards) -> None:
    snippets = list(published.snippets("python"))
    assert len(snippets) == 3 + 3 + 4 + 3 + 3 + 1
    printed = published.python(snippets).split("== ")[1:]
    for snippet, output in zip(snippets, printed, strict=True):
        assert len(output.splitlines()) > 1, f"{snippet} prints nothing"
    whole = "".join(printed)
    assert whole.count("size=112x112") == 1 + 3  # images are decoded, also while streaming
    for told in ("(1000, 512)", "(512, 192)", "dinov2_with_registers 192", "relative_state"):
        assert told in whole


def test_command_lines_run_as_printed(published: Cards) -> None:
    snippets = published.snippets("shell")
    assert len(snippets) == len(_PARTS) + 1
    for snippet, part in snippets.items():
        published.run(snippet)
        if snippet.startswith("hf download"):
            same_files(published.folder / f"small_world-{part}", planted.BUNDLE / part)
    pulled = load_bundle(published.folder / "small_world", _PARTS)
    assert (pulled.name, pulled.version) == ("small_world", "1.0.0")


def same_files(folder: Path, theirs: Path) -> None:
    """Fails unless `folder` holds every file of `theirs`, but for the card."""
    names = {p.relative_to(theirs) for p in theirs.rglob("*") if p.is_file()} - {Path("README.md")}
    for name in names:
        assert (folder / name).read_bytes() == (theirs / name).read_bytes()
