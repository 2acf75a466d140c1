"""`train-sae` as users call it: on a store, again after a stop, on several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from training_fixtures import planted_tokens, small, write_store
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.concepts.domain import DOMAIN, Domain
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.tokens.store import TokenStore
from blindspots_hub.concepts.training.train import STAGE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.train_sae import HELD_OUT, TrainerOptions, train_sae
from blindspots_hub.runs.training_log import METRICS, TrainingLog

IMAGES, PER_IMAGE = 100, 20
SETTINGS = ["--concepts", "48", "--centroids", "32", "--batch", "256", "--k", "2"]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stores") / "store"
    write_store(folder, planted_tokens()[0][: IMAGES * PER_IMAGE].reshape(IMAGES, PER_IMAGE, -1))
    return folder


def train(store: Path, out: Path, *more: str) -> str:
    run = CliRunner().invoke(
        cli.app, ["train-sae", str(store), "--out", str(out), *SETTINGS, *more, "--quiet"]
    )
    assert run.exit_code == 0, (run.output, run.exception)
    return run.output


def test_a_store_becomes_a_model(store, tmp_path):
    told = train(store, tmp_path, "--steps", "30", "--sparsity", "batch_topk", "--device", "cpu")
    assert "R²" in told
    config = RASAE.from_pretrained(tmp_path).config
    assert (config.n_concepts, config.k, config.backbone) == (48, 2, "synthetic")
    assert config.token_layout.tokens == PER_IMAGE
    assert config.origin == f"trained on {IMAGES - IMAGES // HELD_OUT} images with blindspots_hub"
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 11, 21, 30]
    names = {"step", "loss", "r2", "l0", "dead_share", "rate", "stability"}
    assert all(set(line) == names for line in lines)
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["config"]["n_centroids"] == 32
    assert record["tokens"]["backbone_fingerprint"] == "f" * 64
    assert not (tmp_path / ".work").exists()
    known = Domain.load(tmp_path)
    assert known.home.images == IMAGES - IMAGES // HELD_OUT
    (tmp_path / DOMAIN).unlink()
    fit = CliRunner().invoke(cli.app, ["fit-domain", str(tmp_path), str(store), "--quiet"])
    assert (fit.exit_code, Domain.load(tmp_path).home.images) == (0, IMAGES)
    assert f"knows {IMAGES} of its images" in fit.output


def test_a_finished_training_is_not_done_again_nor_overwritten(store, tmp_path):
    told = train(store, tmp_path, "--steps", "5")
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert train(store, tmp_path, "--steps", "5") == told
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    run = CliRunner().invoke(
        cli.app, ["train-sae", str(store), "--out", str(tmp_path), *SETTINGS, "--steps", "6"]
    )
    assert isinstance(run.exception, BlindspotsError)
    assert "another RA-SAE" in str(run.exception)


def test_a_stopped_training_goes_on_with_one_log(store, tmp_path):
    config = small(steps=40, batch=128, kmeans_steps=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    drive(train_sae.stream(store, whole, config, seed=0))
    work = train_sae.stream(store, parts, config, seed=0)
    assert next(event for event in work if event.stage == STAGE and event.done == 21)
    work.close()
    with open(parts / METRICS, "a") as lines:  # what a kill may leave: a later step, half a line
        lines.write('{"step": 31, "loss": 0}\n{"step": 3')
    quality = drive(train_sae.stream(store, parts, config, seed=0))
    assert (parts / METRICS).read_text() == (whole / METRICS).read_text()
    assert load_file(parts / "model.safetensors").keys()
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert quality == json.loads((whole / "training.json").read_text())["quality"]


def launched(store: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The very command of the documentation, with two processes on this machine's CPU."""
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    command += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    command += ["--dynamo_backend", "no", "--main_process_port", "0"]
    command += ["-m", "blindspots_hub", "train-sae", str(store), "--out", str(out), *SETTINGS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*command, *more, "--device", "cpu"],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
        cwd=Path(__file__).parents[2],
    )


def test_two_processes_give_the_result_of_one(store, tmp_path):
    # With seed 0 two codes at the edge of a batch's k·B largest lie closer than rounding.
    settings = ["--sparsity", "batch_topk", "--steps", "12", "--seed", "1", "--device", "cpu"]
    train(store, tmp_path / "one", *settings)
    run = launched(store, tmp_path / "two", *settings)
    assert run.returncode == 0, run.stderr[-9000:]
    assert run.stdout.count("R²") == 1  # the first process speaks, the other does not
    assert run.stderr.count("train the RA-SAE: 100%") <= 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, expected in one.items():
        assert np.abs(two[name] - expected).max() <= 1e-5, name
    configs = [RASAE.from_pretrained(tmp_path / name).config for name in ("one", "two")]
    assert configs[1].threshold == pytest.approx(configs[0].threshold, abs=1e-5)
    metrics = [
        [json.loads(line) for line in (tmp_path / name / METRICS).read_text().splitlines()]
        for name in ("one", "two")
    ]
    for first, second in zip(*metrics, strict=True):
        assert second == pytest.approx(first, abs=1e-5)
    assert json.loads((tmp_path / "two" / "training.json").read_text())["processes"] == 2


def test_images_in_folders_become_a_model_and_a_store(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(2 * HELD_OUT):
        folder = tmp_path / "images" / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    kept = ["--keep-tokens", str(tmp_path / "tokens"), "--steps", "3", "--device", "cpu"]
    kept += ["--backbone", str(planted.BUNDLE / "backbone")]
    first = train(tmp_path / "images", tmp_path / "first", *kept)
    store = TokenStore.open(tmp_path / "tokens")
    assert store.n_images == 2 * HELD_OUT
    again = train(tmp_path / "tokens", tmp_path / "again", "--steps", "3", "--device", "cpu")
    assert again.split(":")[1] == first.split(":")[1]
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "again")]
    assert models[0] == models[1]
    for written in (
        "first/config.json",
        "first/README.md",
        "first/training.json",
        "tokens/store.json",
    ):
        assert str(planted.BUNDLE) not in (tmp_path / written).read_text()
    assert RASAE.from_pretrained(tmp_path / "first").config.backbone == "backbone"


@pytest.mark.parametrize(
    ("name", "words"), [("abacus", "no tracker"), ("tensorboard", "not installed")]
)
def test_a_tracker_that_is_not_there_is_told(tmp_path, monkeypatch, name, words):
    monkeypatch.setattr("accelerate.tracking._available_trackers", [])
    with pytest.raises(BlindspotsError, match=words):
        TrainingLog(tmp_path, [name])


def test_metrics_reach_a_tracker(store, tmp_path, monkeypatch):
    from accelerate import tracking
    from accelerate.utils import LoggerType

    noted = []

    class Recording(tracking.TensorBoardTracker):
        def __init__(self, run_name, logging_dir, **_):
            noted.append((run_name, str(logging_dir)))

        def start(self):
            pass

        tracker = property(lambda self: self)

        def store_init_configuration(self, values):
            noted.append(values)

        def log(self, values, step=None, **_):
            noted.append((step, values))

        def finish(self):
            noted.append("finished")

    monkeypatch.setattr("accelerate.tracking._available_trackers", [LoggerType.TENSORBOARD])
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", Recording)
    options = TrainerOptions(device="cpu", log_with=["tensorboard"])
    drive(
        train_sae.stream(store, tmp_path, small(steps=11, kmeans_steps=1), seed=0, options=options)
    )
    assert noted[0] == ("blindspots_hub", str(tmp_path))
    assert noted[1]["n_concepts"] == 48
    assert [step for step, _ in noted[2:-1]] == [1, 11]
    assert "r2" in noted[2][1]
    assert noted[-1] == "finished"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "is not a folder"),
        (["."], "--backbone"),
    ],
)
def test_mistakes_are_told(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    run = CliRunner().invoke(cli.app, ["train-sae", *arguments, "--out", "out"])
    assert isinstance(run.exception, BlindspotsError)
    assert words in str(run.exception)


def test_too_few_images_are_told(tmp_path):
    write_store(tmp_path / "store", planted_tokens()[0][:300].reshape(15, 20, -1))
    with pytest.raises(BlindspotsError, match="15 images that can be read"):
        drive(train_sae.stream(tmp_path / "store", tmp_path / "out", small(steps=2), seed=0))
