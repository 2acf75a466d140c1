"""A bit that flips on the disk is no other result: kept codes carry checksums."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.evaluation import DRAW

MODEL, PAIRS = "planted/cedar", 40
"""More than a shard."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate(MODEL, tmp_path_factory.mktemp("whole") / "b", pairs=PAIRS)


def stopped(out: Path) -> list[Path]:
    """An evaluation that was stopped in its second shard; the shards of codes that it left."""
    work = evaluate.stream(MODEL, out, pairs=PAIRS)
    for event in work:
        if event.stage == DRAW and event.done == 36:
            break
    work.close()
    return sorted(out.rglob("shard-*.safetensors"))


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_in_kept_codes_is_told_and_made_anew(
    whole: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    shards = stopped(tmp_path / "b")
    assert len(shards) >= 2, "of both sides"
    rng = np.random.default_rng(seed)
    for path in shards:
        content = bytearray(path.read_bytes())
        content[int(rng.integers(8, len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "blindspots_hub"):
        again = evaluate(MODEL, tmp_path / "b", pairs=PAIRS)
    assert "is damaged and is made anew" in caplog.text
    kinds = ("models/cedar.parquet", "energies/cedar.safetensors",
             "energies/natural.safetensors", "heatmaps/cedar.safetensors")  # fmt: skip
    for name in (f"deltas/{kind}" for kind in kinds):
        assert (again.root / name).read_bytes() == (whole.root / name).read_bytes()
