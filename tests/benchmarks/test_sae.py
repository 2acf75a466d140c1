"""`benchmark sae`: what its report says, and that it runs where overcomplete cannot be had."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.benchmarks import overcomplete, sae, sae_quality, sae_training
from blindspots_hub.benchmarks.harness import (
    Machine,
    Report,
    Row,
    at_least,
    at_most,
    in_turns,
    this_machine,
    unmeasured,
)
from blindspots_hub.benchmarks.overcomplete import NotInstalled, Overcomplete, Stopped
from blindspots_hub.benchmarks.sae_quality import QualityShape, quality_rows
from blindspots_hub.benchmarks.sae_training import StepShape, our_step
from blindspots_hub.progress import Event, Work, drive

MACHINE = Machine("a CPU", 2, "2.13", 1, True, None)
STEP = StepShape(d=8, n_concepts=64, n_centroids=16, batch=32)
QUALITY = QualityShape(images=12, held_out=4, n_concepts=16, steps=12, batch=32, seeds=2)
TINY = replace(sae.QUICK, step=STEP, quality=QUALITY, repeats=1)


def tokens_of(images: int) -> Work[np.ndarray]:
    yield Event("tokens", 1, 1)
    return np.random.default_rng(0).normal(size=(images, 20, 8)).astype(np.float32)


def encoded(tokens: int, d: int, n: int, repeats: int) -> Work[list[Row]]:
    """Stands for `measure_encode`, which has tests of its own."""
    yield Event("encode", 1, 1)
    assert (d, n, repeats) == (STEP.d, STEP.n_concepts, 1)
    return [at_least("encode: speed", 2.0, 3, " ×")]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(cache: Path) -> Path:
        raise NotInstalled("overcomplete could not be installed (no network)")

    monkeypatch.setattr(sae_training, "environment", none)
    monkeypatch.setattr(sae_quality, "environment", none)
    monkeypatch.setattr(sae, "measure_encode", encoded)


# the report


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (at_least("a", 4.0, 4, " ×"), "held"),
        (at_least("a", 3.99, 4, " ×"), "missed"),
        (at_least("a", 3.99, 4, " ×", judged=False), "not judged"),
        (at_least("a", float("nan"), 4, " ×"), "missed"),
        (at_most("a", 1.7, 1.7, " ×"), "held"),
        (at_most("a", 1.71, 1.7, " ×"), "missed"),
        (unmeasured("a", "no CUDA device", "≥ 1"), "not judged"),
    ],
)
def test_a_row_is_held_missed_or_not_judged(row: Row, verdict: str) -> None:
    assert row.verdict == verdict
    assert Report(MACHINE, [row], quick=False).held == (verdict != "missed")


def test_the_report_names_the_machine_its_goals_and_what_is_missing() -> None:
    rows = [
        at_least("rate", 5.0, 4, " ×", seconds={"ours": 1}),
        at_most("time", 2.0, 1.7, " ×"),
        unmeasured("CUDA", "no CUDA device", "≥ 1"),
    ]
    report = Report(MACHINE, rows, quick=False)
    text = report.text()
    assert "a CPU, 2 cores, bf16 instructions; torch 2.13, 1 threads; no CUDA device" in text
    assert "| rate | 5 × | ≥ 4 × | held |" in text
    assert "| time | 2 × | ≤ 1.7 × | missed |" in text
    assert "| CUDA | no CUDA device | ≥ 1 | not judged |" in text
    assert "1 of 2 criteria that could be measured held." in text
    assert "Quick" not in text
    assert "Quick" in replace(report, quick=True).text()
    content = json.loads(json.dumps(report.to_json()))
    assert content["held"] is False
    assert content["rows"][0]["detail"] == {"seconds": {"ours": 1}}


def test_this_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.torch == torch.__version__


def test_contestants_run_in_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def told(turn: int) -> float:
        order.append(f"a{turn}")
        return [100.0, 1.0, 3.0, 2.0][turn]

    def timed(turn: int) -> None:
        order.append(f"b{turn}")

    seconds = drive(in_turns({"a": told, "b": timed}, 3, "x"))
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]
    assert seconds["a"] == 2.0
    assert 0 <= seconds["b"] < 1


# the environment


def _fake_pip(calls: list[list[str]]) -> object:
    """Stands for `venv`, `pip` and the question for the packages' folder."""

    def call(command: list[str]) -> str:
        calls.append(command)
        if "venv" in command:
            (Path(command[-1]) / "packages").mkdir(parents=True)
        return f"{Path(calls[0][-1]) / 'packages'}\n" if "-c" in command else ""

    return call


def test_the_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(overcomplete, "_call", _fake_pip(calls))
    python = overcomplete.environment(tmp_path)
    home = python.parents[1]
    installed = calls[1]
    assert "--no-deps" in installed
    assert set(overcomplete.PINS) <= set(installed)
    assert str(Path(torch.__file__).parents[1]) in (home / "packages/running.pth").read_text()
    made = len(calls)
    assert overcomplete.environment(tmp_path) == python
    assert [c for c in calls[made:] if "-c" not in c] == []
    # A kill in the middle leaves no mark of completion: made anew.
    (home / "complete.json").unlink()
    (home / "half").touch()
    overcomplete.environment(tmp_path)
    assert not (home / "half").exists()


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "pip", stderr="much\nERROR: no matching distribution\n\n"),
        subprocess.TimeoutExpired("pip", 600),
        PermissionError("not yours"),
    ],
)
def test_an_environment_that_cannot_be_made_says_why(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(command: list[str]) -> str:
        raise error

    monkeypatch.setattr(overcomplete, "_call", call)
    with pytest.raises(NotInstalled, match=r"no matching distribution|600 seconds|not yours"):
        overcomplete.environment(tmp_path)


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The running Python has torch, but no overcomplete."""
    tokens, centroids = tmp_path / "tokens.npy", tmp_path / "centroids.npy"
    np.save(tokens, np.zeros((4, 2), np.float32))
    np.save(centroids, np.zeros((4, 2), np.float32))
    with Overcomplete(Path(sys.executable), tmp_path) as theirs:
        with pytest.raises(Stopped, match="overcomplete is not installed"):
            theirs.order("build", tokens=str(tokens), centroids=str(centroids))
        with pytest.raises(Stopped):
            theirs.order("step", start=0)
    assert theirs._process.poll() is not None


# end to end, small


def test_our_step_is_that_of_training() -> None:
    tokens = sae_training.tokens_for(STEP, 2, seed=0)
    step = our_step(STEP, torch.from_numpy(tokens[:16]))
    used = step(torch.from_numpy(tokens[32:]))
    assert 1 <= used <= STEP.n_concepts


def test_the_benchmark_runs_where_overcomplete_is_missing(missing: None, tmp_path: Path) -> None:
    report = drive(sae.running(TINY, tmp_path, tokens_of))
    told = {row.name: row for row in report.rows}
    assert [row.measured for name, row in told.items() if "overcomplete" in name] == [
        "overcomplete could not be installed (no network)"
    ] * 3
    floors = [row for name, row in told.items() if "three GEMMs" in name]
    assert floors[0].value is not None
    assert floors[0].value > 0
    assert 1 <= floors[0].detail["atoms_used"][0] <= STEP.n_concepts
    assert any("CUDA" in name for name in told)
    # Quick judges nothing; at full size the same speed is missed.
    assert told["encode: speed"].verdict == "not judged"
    assert report.held
    full = drive(sae.running(replace(TINY, judged=True), tmp_path, tokens_of))
    assert {row.name: row for row in full.rows}["encode: speed"].verdict == "missed"
    assert not full.held


def _quality_of(
    ours: dict[str, float], theirs: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> list[Row]:
    def trained(*arguments: object) -> Iterator[Event]:
        yield Event("train", 1, 1)
        return theirs

    monkeypatch.setattr(sae_quality, "environment", lambda cache: Path("python"))
    monkeypatch.setattr(sae_quality, "_theirs", trained)
    monkeypatch.setattr(sae_quality, "reconstruction_quality", lambda sae, tokens: ours)
    return drive(quality_rows(tokens_of, QUALITY, Path("cache"), judged=True))


@pytest.mark.parametrize(
    ("r2", "dead", "verdicts"),
    [
        (0.7, 0.1, ["held", "held"]),
        (0.6951, 0.09, ["held", "held"]),
        (0.694, 0.1, ["missed", "held"]),
        (0.8, 0.11, ["held", "missed"]),
    ],
)
def test_quality_is_held_against_overcompletes(
    r2: float, dead: float, verdicts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"r2": 0.7, "l0": 5.0, "dead_share": 0.1}
    rows = _quality_of({"r2": r2, "l0": 5.0, "dead_share": dead}, theirs, monkeypatch)
    assert [row.verdict for row in rows] == verdicts
    assert rows[0].detail["means"]["overcomplete"]["r2"] == pytest.approx(0.7)


@pytest.mark.parametrize("held", [True, False])
def test_the_command_writes_and_exits_by_its_report(
    held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running(sizes: sae.Sizes, cache: Path, tokens: object) -> Work[Report]:
        assert (sizes.repeats, cache) == (2, tmp_path)
        yield Event("x", 1, 1)
        return Report(MACHINE, [at_least("rate", 5.0 if held else 3.0, 4, " ×")], quick=False)

    monkeypatch.setattr(sae, "running", running)
    out = tmp_path / "report.json"
    options = ["--repeats", "2", "--cache", str(tmp_path), "--out", str(out), "-q"]
    run = CliRunner().invoke(cli.app, ["benchmark", "sae", *options])
    assert run.exit_code == (0 if held else 1), run.output
    assert "| rate |" in run.output
    assert json.loads(out.read_text())["held"] is held


@pytest.mark.network
def test_overcomplete_runs_in_an_environment_of_its_own(tmp_path: Path) -> None:
    report = drive(sae.running(TINY, tmp_path, tokens_of))
    values = [row.value for row in report.rows if "overcomplete" in row.name]
    assert len(values) == 3
    assert None not in values
