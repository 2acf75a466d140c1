"""Which metric sees which fault: one strong fault, few pairs."""

from __future__ import annotations

import numpy as np
import pytest

from blindspots_hub.planted.benchmark.sensitivity import CHANGED, Sight, _beyond, sensitivity, text
from blindspots_hub.progress import drive


def test_deviations_by_hand() -> None:
    null = [{"MIND": 1.0, "recall": 0.9}, {"MIND": 3.0, "recall": 0.7}]
    found = _beyond({"MIND": 5.0, "recall": 0.5}, null)
    assert found["MIND"] == pytest.approx(3 / np.sqrt(2 * 1.5))
    assert found["recall"] == pytest.approx(0.3 / np.sqrt(0.02 * 1.5))
    assert _beyond({"MIND": 1.0}, [{"MIND": 1.0}, {"MIND": 1.0}])["MIND"] == 0


def test_a_table_marks_what_is_seen() -> None:
    told = text([Sight("suppress", "pan", 0.5, {"MIND": 2.5, "recall": -0.1})])
    assert "| suppress pan | 0.5 | **2.5** | -0.1 |" in told


def test_one_strong_fault_is_seen_by_a_distance(one_thread: None) -> None:
    (found,) = drive(sensitivity(90, 3, [("exaggerate", "background=wood")], [1.0], 3))
    assert found.beyond["Fréchet distance"] > 2
    assert found.beyond["MIND"] > 2
    assert found.beyond[CHANGED] >= 0
