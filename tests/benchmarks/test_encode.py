from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blindspots_hub.benchmarks import encode
from blindspots_hub.benchmarks.encode import measure_encode
from blindspots_hub.benchmarks.synthetic import published_like
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive


def test_the_report_judges_speed_memory_and_agreement(monkeypatch):
    peaks = {"ours": 10, "plain": 100}
    monkeypatch.setattr(encode, "_peak", lambda folder, way: peaks[way])
    report = drive(measure_encode(tokens=262, d=32, n=600, repeats=1))
    rows = {row.name: row for row in report}
    times = rows["ms an image, medians"].detail
    for rule in ("topk", "batch_topk"):
        unlike = rows[f"encode, {rule}: fires unlike the plain way's"]
        assert unlike.verdict == "held"
        assert 4 < unlike.detail["codes_a_token"] < 11
        assert unlike.detail["largest_relative_difference"] < 1e-5
        assert rows[f"encode, {rule}: peak memory over the plain way's"].value == 0.1
        assert rows[f"encode, {rule}: times the plain way's speed"].value > 0
        assert times[rule] > 0


def test_peak_memory_is_that_of_the_dense_codes(tmp_path):
    like = published_like(images=8, d=16, n_concepts=4000)
    like.model("topk").save_pretrained(tmp_path)
    np.save(tmp_path / "tokens.npy", like.tokens.numpy())
    dense = like.tokens.shape[0] * 4000 * 4
    assert dense < encode._peak(tmp_path, "plain") < 4 * dense
    with pytest.raises(BlindspotsError, match="could not be measured"):
        encode._peak(Path(tmp_path / "nowhere"), "ours")
