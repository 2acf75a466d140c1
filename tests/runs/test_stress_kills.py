"""SIGKILL of stress tests at several moments: what was drawn stays, and the tables are the same."""

from __future__ import annotations

import multiprocessing
import random
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from blindspots_hub.artifacts.layout import table_path
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS
from blindspots_hub.runs.pace import WORK

PRELOADED = [
    "blindspots_hub.runs.stress",
    "transformers.models.dinov2_with_registers.modeling_dinov2_with_registers",
]
CAR, PROMPTS, SHARD = 174, 6, 2


def _stress(place: Path) -> None:
    """What is killed: a whole stress test of two models in small shards."""
    from blindspots_hub import planted
    from blindspots_hub.runs import encoding
    from blindspots_hub.runs.stress import stress_test
    from blindspots_hub.stress.prompt_sources import PromptSource

    encoding.SHARD = SHARD
    stress_test(
        planted.BUNDLE, "planted/alder-1", concepts=[CAR], against="planted/cedar",
        prompts=PromptSource.given([f"a car, number {n}" for n in range(PROMPTS)]),
        num_images_per_prompt=1, work_dir=place,
    )  # fmt: skip


def _files(place: Path) -> int:
    """Images and shards of codes that are there."""
    return sum(path.suffix in (".png", ".parquet", ".safetensors") for path in
               (place / WORK).rglob("*"))  # fmt: skip


def _tables(place: Path) -> list[bytes]:
    return [table_path(place, spec).read_bytes() for spec in (STRESS_TESTS, STRESS_IMAGES)]


@pytest.mark.parametrize("wanted", [4, pytest.param(15, marks=pytest.mark.slow)])
def test_kills_change_nothing(tmp_path: Path, wanted: int) -> None:
    server: ForkServerContext = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)

    def start(place: Path) -> ForkServerProcess:
        process = server.Process(target=_stress, args=(place,))
        process.start()
        return process

    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0
    expected, all_files = _tables(tmp_path / "whole"), _files(tmp_path / "whole")
    dice, kills, rounds, halfway = random.Random(wanted), 0, 0, 0
    while kills < wanted:
        place, rounds = tmp_path / f"killed-{rounds}", rounds + 1
        while True:
            process = start(place)
            if kills < wanted:
                more = _files(place) + dice.randint(1, 5)
                while process.is_alive() and _files(place) < more:
                    process.join(0.002)
                process.join(dice.uniform(0, 0.1))
                process.kill()
            process.join()
            if process.exitcode == 0:
                break
            assert process.exitcode == -9
            kills += 1
            halfway += 0 < _files(place) < all_files
        assert _tables(place) == expected
    assert halfway >= wanted // 2, "hardly a kill came while it drew"
