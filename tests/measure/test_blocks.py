"""Tables are the same to the bit, in however many blocks of concepts and images they are made."""

from __future__ import annotations

import numpy as np
import pytest
from energy_worlds import correlated, from_dense

from blindspots_hub.measure import energies, images, sampler
from blindspots_hub.measure.energies import ImageEnergies, concept_blocks
from blindspots_hub.measure.images import (
    clusters,
    duplicates,
    pair_distances,
    pair_mean_delta,
    top_images,
)
from blindspots_hub.measure.null import null_p, null_share
from blindspots_hub.measure.sampler import GenerationEnergies, sampler_share
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measured

RATES, SHIFT = np.linspace(0, 0.6, 37), np.linspace(0, 3, 37)
SETTINGS = MeasureSettings()


def sides() -> tuple[ImageEnergies, ImageEnergies, GenerationEnergies]:
    """120 pairs, a tenth of the natural images copies, two generations of most captions."""
    x, first = correlated(120, RATES, SHIFT, seed=1)
    _, second = correlated(120, RATES, SHIFT, seed=2)
    x[:12] = x[12:24]
    pair = np.sort(np.concatenate([np.arange(120), np.arange(100)]))
    seen = np.concatenate([[False], pair[1:] == pair[:-1]])
    drawn = np.where(seen[:, None], second[pair], first[pair])
    several = GenerationEnergies(from_dense(drawn), pair)
    return from_dense(x), from_dense(first), several


def everything() -> dict[str, object]:
    natural, once, several = sides()
    found: dict[str, object] = {}
    cases = {
        "paired": (once, True, None),
        "unpaired": (once.take(np.arange(70)), False, None),
        "several": (several.mean, True, several),
    }
    for name, (generated, paired, drawn) in cases.items():
        one = measured(natural, generated, SETTINGS, paired, drawn, null_p)
        found[name] = one.columns
        found[f"{name} null p"] = one.null_p
        found[f"{name} null"] = null_share(one, SETTINGS, drawn)
        found[f"{name} selection"] = one.selection
    found["top"] = [rows.tolist() for rows in top_images(natural)]
    found["distances"] = pair_distances(natural, once)
    found["mean delta"] = pair_mean_delta(natural, once, SETTINGS.tau)
    found["duplicates"] = duplicates(natural)
    found["clusters"] = clusters(natural)
    found["share"] = sampler_share(natural, several.energies, several.pair)
    found["of generations"] = several.distances(natural, SETTINGS.tau)
    mean = several.mean
    found["mean"] = (mean.indptr, mean.concepts, mean.energies)
    picked = natural.take(np.array([5, 0, 119, 5]))
    found["taken"] = (picked.indptr, picked.concepts, picked.energies)
    return found


@pytest.mark.parametrize("block", [1, 300, 2_000])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = everything()
    monkeypatch.setattr(energies, "BLOCK", block)
    for module in (energies, images, sampler):
        monkeypatch.setattr(module, "ROWS", 17)
    natural, once, _ = sides()
    assert len(concept_blocks(natural, once)) > 1
    for name, found in everything().items():
        np.testing.assert_equal(found, whole[name], err_msg=name)


def test_blocks_hold_all_concepts_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    natural, _, _ = sides()
    assert concept_blocks(natural) == [(0, 37)]
    monkeypatch.setattr(energies, "BLOCK", 100)
    blocks = concept_blocks(natural)
    assert [first for first, _ in blocks] == [0, *(last for _, last in blocks[:-1])]
    assert blocks[-1][1] == 37
    parts = [natural.between(first, last) for first, last in blocks]
    assert np.array_equal(
        np.hstack([part.matrix.toarray() for part in parts]), natural.matrix.toarray()
    )
    most = max(len(part.concepts) for part in parts)
    assert most <= 100 + natural.fires.max()


def test_nothing_at_all_has_one_block() -> None:
    assert concept_blocks(from_dense(np.zeros((3, 4)))) == [(0, 4)]
    assert [rows.tolist() for rows in top_images(from_dense(np.zeros((0, 2))))] == [[], []]
