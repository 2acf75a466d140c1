"""SIGKILL at random moments, twenty times: what was finished stays, and the end is the same.

The killed process is forked from a server that has imported everything, so that twenty of them cost
seconds; what is killed is a whole `measure` all the same.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest
from engine_fixtures import files, paired_folders

from blindspots_hub.artifacts.layout import MANIFEST
from blindspots_hub.runs.request import WORK

IMAGES, SHARD = 12, 2

PRELOADED = [
    "blindspots_hub.runs.folders",
    "blindspots_hub.runs.generate",
    "transformers.models.dinov2_with_registers.modeling_dinov2_with_registers",
]


def _measure(natural: Path, generated: Path, out: Path, told: Path) -> None:
    """What is killed: `measure` in small shards, telling in a file how many it has finished."""
    from blindspots_hub.runs import encoding
    from blindspots_hub.runs.folders import measure_folders

    encoding.SHARD = SHARD
    done = dict.fromkeys(("natural", "generated"), 0)
    for event in measure_folders.stream(natural, generated, out):
        if event.stage.startswith("encode"):
            done[event.stage.split()[1]] = event.done // SHARD
            told.write_text(str(sum(done.values())))


def _shards(out: Path) -> dict[Path, tuple[int, int]]:
    """Every shard that is there, with what tells it from one that was written again.

    A process that has finished may be removing them meanwhile.
    """
    found = {}
    for folder, _, names in os.walk(out / WORK):  # unlike rglob it lives with folders that go
        for name in names:
            if name.startswith("shard-") and name.endswith(".safetensors"):
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    seen = path.stat()
                    found[path] = (seen.st_ino, seen.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@pytest.mark.parametrize("wanted", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_lose_a_shard_each_at_most(
    server: ForkServerContext, tmp_path: Path, wanted: int
) -> None:
    folders = paired_folders(tmp_path, IMAGES)

    def start(out: Path) -> ForkServerProcess:
        told = out.with_suffix(".told")
        told.write_text("0")
        process = server.Process(target=_measure, args=(*folders, out, told))
        process.start()
        return process

    undisturbed = tmp_path / "undisturbed"
    first = start(undisturbed)  # starts the server too
    first.join()
    assert first.exitcode == 0
    started = time.monotonic()
    again = start(tmp_path / "again")
    again.join()
    usual = time.monotonic() - started
    expected = files(undisturbed)
    assert files(tmp_path / "again") == expected

    dice, kills, rounds, halfway = random.Random(wanted), 0, 0, 0
    while kills < wanted:
        out, rounds = tmp_path / f"killed-{rounds}", rounds + 1
        kept: dict[Path, tuple[int, int]] = {}
        while True:
            process = start(out)
            if kills % 2 and kills < wanted:  # at any time at all
                process.join(dice.uniform(0, usual))
                process.kill()
            elif kills < wanted:  # while it encodes
                shards = len(kept) + dice.randint(0, 2)
                while process.is_alive() and len(_shards(out)) <= shards:
                    process.join(0.002)
                process.join(dice.uniform(0, 0.03))
                process.kill()
            process.join()
            if process.exitcode == 0:  # it was done before it was killed, or nobody killed it
                break
            kills += 1
            found = _shards(out)
            if (out / MANIFEST).is_file():  # whole: what was in progress goes
                continue
            assert kept.items() <= found.items(), "shards that were there were made again"
            assert len(found) >= int(out.with_suffix(".told").read_text() or 0)
            halfway += 0 < len(found) < 2 * IMAGES // SHARD
            kept = found
        assert files(out) == expected
    assert halfway >= wanted // 4, "hardly a kill came while it encoded"


def _generate(out: Path) -> None:
    """What is killed: `generate` in small shards."""
    from blindspots_hub.runs import encoding
    from blindspots_hub.runs.generate import generate

    encoding.SHARD = SHARD
    generate("planted/cedar", out, pairs=IMAGES)


@pytest.mark.parametrize("wanted", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_of_generating_change_nothing(
    server: ForkServerContext, tmp_path: Path, wanted: int
) -> None:
    def start(out: Path) -> ForkServerProcess:
        process = server.Process(target=_generate, args=(out,))
        process.start()
        return process

    def images(out: Path) -> set[Path]:
        return {path for path in out.rglob("*") if path.suffix in (".png", ".parquet")}

    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0
    expected = files(tmp_path / "whole")
    assert sum(name.endswith(".parquet") for name in expected) == IMAGES // SHARD
    dice, kills, rounds, halfway = random.Random(wanted), 0, 0, 0
    while kills < wanted:
        out, rounds = tmp_path / f"killed-{rounds}", rounds + 1
        while True:
            process = start(out)
            if kills < wanted:
                before = len(images(out))
                while process.is_alive() and len(images(out)) <= before:
                    process.join(0.002)
                process.join(dice.uniform(0, 0.05))
                process.kill()
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
            halfway += bool(images(out))
        assert files(out) == expected
    assert halfway >= wanted // 2, "hardly a kill came while it generated"


def test_a_kill_between_image_and_record_costs_that_image(tmp_path: Path) -> None:
    """An image without its record is drawn again, to the same bytes."""
    from blindspots_hub.runs.evaluate import evaluate

    out = tmp_path / "b"
    work = evaluate.stream("planted/cedar", out, pairs=12)
    for event in work:
        if event.stage == "draw and measure" and event.done == 10:
            break
    work.close()
    images = sorted((out / "images").rglob("*.png"))
    victim = images[4]
    content = victim.read_bytes()
    victim.with_suffix(".json").unlink()
    before = {path: path.stat().st_ino for path in images}
    work = evaluate.stream("planted/cedar", out, pairs=12)
    for event in work:
        if event.stage == "draw and measure" and event.done == 11:
            break
    work.close()
    changed = [path for path in images if path.stat().st_ino != before[path]]
    assert changed == [victim]
    assert victim.read_bytes() == content
    assert os.path.exists(victim.with_suffix(".json"))
