"""A training that is stopped or killed goes on, and ends with the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from training_fixtures import planted_tokens, small

from blindspots_hub.concepts.training.checkpoint import FILE, Checkpoints
from blindspots_hub.concepts.training.train import STAGE, train_on_tokens
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive

# Threads left behind by other tests would sum in another order than the killed process did.
pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 60


def config(rule: str):
    return small(sparsity=rule, steps=STEPS, batch=256, kmeans_steps=3, precision="bf16")


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return planted_tokens()[0][:3000]


def undisturbed(tokens: np.ndarray, rule: str) -> tuple[str, list[Event]]:
    events: list[Event] = []
    sae = drive(train_on_tokens(tokens, config(rule), seed=0), events.append)
    return sae.fingerprint, [event for event in events if event.stage == STAGE]


@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_closed_and_resumed_is_bit_identical(tokens, rule, tmp_path):
    expected, told = undisturbed(tokens, rule)
    seen = []
    for _ in range(2):
        work = train_on_tokens(tokens, config(rule), 0, checkpoints=Checkpoints(tmp_path))
        for event in work:
            if event.stage == STAGE:
                seen.append(event)
                if len(seen) % 3 == 0:
                    break
        work.close()
    events: list[Event] = []
    work = train_on_tokens(tokens, config(rule), 0, checkpoints=Checkpoints(tmp_path))
    sae = drive(work, events.append)
    assert sae.fingerprint == expected
    assert seen + events == told  # no stage is done again, and the metrics are the same too
    assert [path.name for path in tmp_path.iterdir()] == [FILE]  # and nothing half written


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from blindspots_hub.concepts.training.checkpoint import Checkpoints
from blindspots_hub.concepts.training.train import train_on_tokens
from test_train_resume import config
folder = Path(sys.argv[1])
for event in train_on_tokens(
    np.load(folder / "tokens.npy"), config("batch_topk"), 0,
    checkpoints=Checkpoints(folder / "work", seconds=0),
):
    print(event.done, flush=True)
"""


def test_killed_and_resumed_is_bit_identical(tokens, tmp_path):
    np.save(tmp_path / "tokens.npy", tokens)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[n]) for n in (0, 2)),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, stdout=subprocess.DEVNULL
    )
    path = tmp_path / "work" / FILE
    deadline = time.monotonic() + 60
    while not (path.exists() and step_of(path) >= 8) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 8 <= step_of(path) < STEPS, "the process was to be killed in the middle"
    events: list[Event] = []
    work = train_on_tokens(tokens, config("batch_topk"), 0, checkpoints=Checkpoints(path.parent))
    sae = drive(work, events.append)
    assert sae.fingerprint == undisturbed(tokens, "batch_topk")[0]
    assert events[0].stage == STAGE


def step_of(path: Path) -> int:
    from safetensors import safe_open

    with safe_open(path, "pt") as content:
        return json.loads(content.metadata()["facts"])["step"]


def stopped(tokens: np.ndarray, folder: Path) -> None:
    work = train_on_tokens(tokens, config("topk"), 0, checkpoints=Checkpoints(folder))
    next(event for event in work if event.stage == STAGE)
    work.close()


@pytest.mark.parametrize("change", ["config", "seed", "tokens"])
def test_another_training_is_refused(tokens, tmp_path, change):
    stopped(tokens, tmp_path)
    before = (tmp_path / FILE).read_bytes()
    settings = config("batch_topk") if change == "config" else config("topk")
    other = tokens[:-1] if change == "tokens" else tokens
    work = train_on_tokens(
        other, settings, int(change == "seed"), checkpoints=Checkpoints(tmp_path)
    )
    with pytest.raises(BlindspotsError, match="another folder, or delete"):
        drive(work)
    assert (tmp_path / FILE).read_bytes() == before


def test_the_state_lies_in_the_file_by_name(tokens, tmp_path):
    stopped(tokens, tmp_path)
    found = load_file(tmp_path / FILE)
    learned = {"encoder.affine", "encoder.gain", "encoder.shift"}
    learned |= {"dictionary.weights", "dictionary.relax", "dictionary.multiplier"}
    moments = {f"{moment}.{name}" for moment in ("exp_avg", "exp_avg_sq") for name in learned}
    assert set(found) == learned | moments | {"dictionary.centroids", "last_fired", "atoms"}


def test_a_damaged_checkpoint_is_told(tokens, tmp_path):
    stopped(tokens, tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-100])
    with pytest.raises(BlindspotsError):
        drive(train_on_tokens(tokens, config("topk"), 0, checkpoints=Checkpoints(tmp_path)))
    save_file({"x": torch.zeros(1)}, tmp_path / FILE)
    with pytest.raises(BlindspotsError, match="another folder"):
        drive(train_on_tokens(tokens, config("topk"), 0, checkpoints=Checkpoints(tmp_path)))
