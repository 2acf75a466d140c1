"""Several processes under `accelerate launch`: one bundle, the one of a single process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_fixtures import captioned_folder, files, paired_folders
from safetensors.numpy import load_file

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.runs.confounds import REPORT, Alteration, confounds
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.folders import measure_folders
from blindspots_hub.runs.generate import generate
from blindspots_hub.runs.new_bundle import new_bundle
from blindspots_hub.utils.distributed import Processes, barrier, everyones

MODULE = ("-m", "blindspots_hub")


def launched(*program: str) -> subprocess.CompletedProcess[str]:
    """The very command of the documentation, with two processes on this machine's CPU."""
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    command += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    command += ["--dynamo_backend", "no", "--main_process_port", "0"]
    root = str(Path(__file__).parents[2])
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": root}
    with subprocess.Popen(
        [*command, *program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **alone},
        cwd=root,
    ) as process:
        try:
            output, errors = process.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            process.terminate()  # the launcher then ends its processes
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


@pytest.mark.slow
def test_two_processes_evaluate_as_one(tmp_path: Path) -> None:
    run = launched(
        *MODULE, "evaluate", "planted/cedar", "--out", str(tmp_path / "two"), "--pairs", "70"
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("70 pairs measured") == 1, "the first process speaks, the other doesn't"
    assert run.stderr.count("load Cedar: 0%") <= 1
    evaluate("planted/cedar", tmp_path / "one", pairs=70)
    assert files(tmp_path / "two") == files(tmp_path / "one")


@pytest.mark.slow
def test_two_processes_generate_as_one(tmp_path: Path) -> None:
    out = tmp_path / "two"
    run = launched(*MODULE, "generate", "planted/cedar", "--out", str(out), "--pairs", "70")
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("70 images of 70 captions are in") == 1
    generate("planted/cedar", tmp_path / "one", pairs=70)
    assert files(out) == files(tmp_path / "one")


def test_two_processes_measure_as_one(tmp_path: Path) -> None:
    natural, generated = paired_folders(tmp_path, 40)
    out = tmp_path / "two"
    run = launched(*MODULE, "measure", str(natural), str(generated), "--out", str(out), "--quiet")
    assert run.returncode == 0, run.stderr[-3000:]
    measure_folders(natural, generated, tmp_path / "one")
    assert files(out) == files(tmp_path / "one")


@pytest.mark.slow
def test_two_processes_start_as_one(tmp_path: Path) -> None:
    sae, backbone = str(planted.BUNDLE / "sae"), str(planted.BUNDLE / "backbone")
    pairs = captioned_folder(tmp_path / "own", 40)[0].parent
    run = launched(
        *MODULE, "new-bundle", sae, "--backbone", backbone, "--pairs-from", str(pairs),
        "--pairs", "40", "--out", str(tmp_path / "two"), "--quiet",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("concepts fire in 40 natural images") == 1
    new_bundle(sae, str(pairs), tmp_path / "one", pairs=40, backbone=backbone)
    assert files(tmp_path / "two") == files(tmp_path / "one")


@pytest.mark.slow
def test_two_processes_alter_as_one(tmp_path: Path) -> None:
    out = tmp_path / "two"
    run = launched(
        *MODULE, "confounds", "--out", str(out), "--pairs", "40", "--jpeg", "60", "--quiet"
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("JPEG 60: 40 images against themselves") == 1
    confounds(load_bundle(planted.BUNDLE), tmp_path / "one", [Alteration(jpeg=60)], pairs=40)
    assert (out / REPORT).read_bytes() == (tmp_path / "one" / REPORT).read_bytes()
    # The order of a kept file's metadata is safetensors' own; what it holds is the same.
    shards = sorted((tmp_path / "one").rglob("shard-*"))
    assert len(shards) == 4
    for path in shards:
        one, other = load_file(path), load_file(out / path.relative_to(tmp_path / "one"))
        assert {*one} == {*other}
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["new-bundle", "confounds"])
def test_each_process_encodes_its_own_shards_and_one_writes(tmp_path: Path, command: str) -> None:
    """What every process does and writes is told by the process that did it."""
    log, program, out = tmp_path / "log", tmp_path / "program.py", tmp_path / "o"
    program.write_text(
        "import os, sys\n"
        "from blindspots_hub import cli\n"
        "replace = os.replace\n"  # the last step of every file that is written
        "def told(source, target):\n"
        f"    if str(target).startswith({str(out)!r}):\n"
        f"        with open({str(log)!r}, 'a') as lines:\n"
        "            lines.write(os.environ['RANK'] + ' ' + str(target) + '\\n')\n"
        "    replace(source, target)\n"
        "os.replace = told\n"
        "cli.main(sys.argv[1:])\n"
    )
    arguments = {
        "new-bundle": [
            str(planted.BUNDLE / "sae"), "--backbone", str(planted.BUNDLE / "backbone"),
            "--pairs-from", str(planted.BUNDLE),
        ],
        "confounds": ["--jpeg", "60"],
    }[command]  # fmt: skip
    options = ("--pairs", "40", "--out", str(out), "--quiet")
    run = launched(str(program), command, *arguments, *options)
    assert run.returncode == 0, run.stderr[-3000:]
    written = [line.split(" ", 1) for line in log.read_text().splitlines()]
    shards = [(rank, Path(path).stem) for rank, path in written if "/shard-" in path]
    sets = 1 if command == "new-bundle" else 2
    assert sorted(shards) == sorted([("0", "shard-00000"), ("1", "shard-00001")] * sets)
    assert {rank for rank, path in written if "/shard-" not in path} == {"0"}


@pytest.mark.slow
def test_an_error_of_one_process_is_told_and_ends_all(tmp_path: Path) -> None:
    """The second process cannot write its shard; the first must not wait for ever."""
    natural, generated = paired_folders(tmp_path, 40)
    out, program = tmp_path / "b", tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "from blindspots_hub import cli\nfrom blindspots_hub.runs import encoding\n"
        "from blindspots_hub.errors import BlindspotsError\n"
        "def full(*_):\n"
        "    raise BlindspotsError('The disk is full: free some space.')\n"
        "if os.environ['RANK'] == '1':\n"
        "    encoding.CodeStore.write = full\n"
        "cli.main(sys.argv[1:])\n"
    )
    run = launched(
        str(program), "measure", str(natural), str(generated), "--out", str(out), "--quiet"
    )
    assert run.returncode != 0
    assert "blindspots_hub: The disk is full: free some space." in run.stderr
    assert not (out / "bundle.json").exists()
    assert measure_folders(natural, generated, out).model("generated").pairs == 40


def test_a_process_that_vanishes_is_told() -> None:
    class Broken(Processes):
        def wait(self) -> None:
            raise RuntimeError("Connection closed by peer")

        def everyones(self, own: object) -> list[object]:
            raise RuntimeError("Connection closed by peer")

    with pytest.raises(BlindspotsError, match="Another process of this run has ended"):
        barrier(Broken(0, 2))
    with pytest.raises(BlindspotsError, match="Another process of this run has ended"):
        everyones(Broken(0, 2), 1)
    barrier(Processes())
    assert everyones(Processes(), 1) == [1]
