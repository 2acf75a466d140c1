"""Noisy captions and memorised pairs, held against the truth of the planted world."""

from __future__ import annotations

import numpy as np
import pytest
from planted_fixtures import embedded_evidence

from blindspots_hub import planted
from blindspots_hub.analysis.caption_noise import noise, noisy
from blindspots_hub.analysis.notable_pairs import pairs
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.planted.benchmark.evidence import Evidence


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return embedded_evidence()


def test_rules_of_text_find_noisy_captions_and_leave_the_others(evidence: Evidence) -> None:
    captions = [pair.caption for pair in evidence.pairs.pairs]
    found = noisy([one.text for one in captions])
    truth = np.array([one.noisy for one in captions])
    assert found[truth].mean() >= 0.9
    assert found[~truth].mean() <= 0.02


@pytest.mark.parametrize(
    ("caption", "why"),
    [
        ("IMG_2041.jpg", "file name"),
        ("https://example.org/a", "link"),
        ("Steel Bottle 500ml - FREE SHIPPING", "shop title"),
        ("0012 / 44-1", "no words"),
        ("", "no words"),
        ("my favourite photo, taken in the garden", "names no thing"),
        ("a photo of a dog in the grass", None),
        ("Dog", None),
        ("two old chairs near a window", None),
        ("Ein Hund im Garten", None),
        ("女の子", None),
    ],
)
def test_reasons(caption: str, why: str | None) -> None:
    assert noise(caption) == why


@pytest.mark.parametrize("model", ["alder-1", "willow"])
def test_kinds_of_pairs_are_those_that_were_planted(evidence: Evidence, model: str) -> None:
    bundle = load_bundle(planted.BUNDLE)
    found = pairs(bundle, model)
    truth = np.array([scene.memorised for scene in evidence.scenes[model]])
    assert truth[found.memorised].mean() >= 0.9  # what is called memorised is
    assert truth[found.memorised].sum() >= 0.6 * truth.sum()
    assert not truth[found.trivial].any()
    caption = np.array([pair.caption.noisy for pair in evidence.pairs.pairs])
    top = found.incongruent
    # The share that the analysis tells is the true one to a few points, and above that of all.
    assert found.noisy[top].mean() == pytest.approx(caption[top].mean(), abs=0.05)
    assert found.noisy[top].mean() > 1.5 * found.noisy.mean()
