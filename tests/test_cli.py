"""The command line as a newcomer meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.data.images import encode_png
from blindspots_hub.planted.world import world_pairs


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blindspots_hub", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize("command", ["evaluate", "measure", "validate", "train-sae", "benchmark"])
def test_help_names_every_command_and_explains_it(command: str) -> None:
    overview = CliRunner().invoke(cli.app, ["--help"]).output
    assert command in overview
    explained = CliRunner().invoke(cli.app, [command, "--help"])
    assert explained.exit_code == 0
    assert "Usage" in explained.output


def test_help_is_quick() -> None:
    """Help must not wait for torch."""
    code = (
        "import sys; from blindspots_hub import cli\n"
        "assert 'torch' not in sys.modules and 'gradio' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_evaluate_then_validate(tmp_path: Path) -> None:
    out = tmp_path / "b"
    run = _run("evaluate", "planted/willow", "--pairs", "20", "--out", str(out), "--quiet")
    assert run.returncode == 0, run.stderr
    assert "Willow" in run.stdout
    assert "20 pairs measured; left out: none." in run.stdout
    assert list(load_bundle(out).models) == ["willow"]
    checked = CliRunner().invoke(cli.app, ["validate", str(out)])
    assert checked.exit_code == 0
    (out / "deltas/concepts.parquet").write_bytes(b"")
    checked = CliRunner().invoke(cli.app, ["validate", str(out)])
    assert checked.exit_code == 1
    assert "deltas/concepts.parquet has 0 bytes" in checked.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["evaluate", "planted/elm", "--out", "x"], "No model is called 'planted/elm'"),
        (["evaluate", "planted/cedar", "--out", "x", "--bundle", "nothing"], "is not a folder"),
        (["evaluate", "planted/cedar", "--pairs", "20", "--out", "a" * 300], "no usable path"),
        (["measure", "nothing", "neither", "--out", "x"], "is not a folder"),
        (["train-sae", "nothing", "--backbone", "b", "--out", "x"], "is not a folder"),
        (["evaluate", "nobody/nothing", "--out", "x", "--pairs", "2"], "cannot be reached"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], told: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blindspots_hub", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert run.returncode == 2
    sentences = [line for line in run.stderr.splitlines() if line.startswith("blindspots_hub:")]
    assert len(sentences) == 1
    assert told in sentences[0]
    assert "Traceback" not in run.stderr


def test_train_sae_on_own_images(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for pair in world_pairs(48, seed=3):
        (folder / f"{pair.index}.png").write_bytes(encode_png(pair.image))
    arguments = ["train-sae", str(folder), "--backbone", str(planted.BUNDLE / "backbone")]
    arguments += ["--out", str(tmp_path / "sae"), "--concepts", "64", "--steps", "60"]
    arguments += ["--batch", "512", "--sparsity", "batch_topk", "--quiet"]
    run = CliRunner().invoke(cli.app, arguments)
    assert run.exit_code == 0, run.output
    assert "R²" in run.output
    sae = RASAE.from_pretrained(tmp_path / "sae")
    assert sae.config.n_concepts == 64
    assert sae.config.threshold is not None
    card = (tmp_path / "sae" / "README.md").read_text()
    assert "batch top-k, k = 5" in card
    assert "{{" not in card
