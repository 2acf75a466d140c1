"""The sentence of a stress test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stress_fixtures import LEVEL, PROMPTS, drawn

from blindspots_hub.stress.prompts import Prompts
from blindspots_hub.stress.rates import Shown
from blindspots_hub.stress.result import ConceptTest, sentence
from blindspots_hub.stress.verdict import CONFIRMED, EXAGGERATED, Verdict


@pytest.mark.parametrize(
    ("fold", "said"),
    [
        ((117.3, 99.7, 1234.0), "(117 times, 100 to 1,234; p"),
        ((3e-5, 0.0, 0.012), "(0.000030 times, 0 to 0.012; p"),
        ((float("nan"), 2.5, float("inf")), "(2.5 to ∞ times; p"),
    ],
)
def test_fold_changes_are_told_without_a_power_of_ten(fold: tuple[float, ...], said: str) -> None:
    test = ConceptTest(
        3,
        "palm tree",
        Prompts({f"id{i}": f"prompt {i}" for i in range(PROMPTS)}, "given"),
        LEVEL,
        drawn("a", "A", PROMPTS),
        None,
        Shown(np.ones(40, np.int64), np.ones(40, np.int64)),
        EXAGGERATED,
    )
    verdict = replace(Verdict(CONFIRMED, "natural", *fold), p=0.001, p_holm=0.001)
    assert said in sentence(test, verdict, 1)
