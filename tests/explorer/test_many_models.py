"""A card of a bundle of many models compares those beside its own, and reads no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.page.catalog import OPEN, Entry

MODELS = {f"step-{number:02d}": f"Step {number}" for number in range(OPEN + 4)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "b"
    return write_synthetic(folder, Synthetic(n_concepts=30, pairs=40, models=MODELS))


@pytest.mark.parametrize(("place", "first"), [(0, 0), (8, 2), (OPEN + 3, 4)])
def test_a_card_compares_the_models_beside_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: int, first: int
) -> None:
    read: set[str] = set()
    deltas = Bundle.deltas
    monkeypatch.setattr(Bundle, "deltas", lambda self, name: read.add(name) or deltas(self, name))
    bundle = load_bundle(root)
    entries = [Entry(bundle, name) for name in MODELS]
    shown = concept_card(entries[place], "relative", 0, entries)
    assert f"{OPEN} of {len(MODELS)} models, those next to this one in the menu" in shown
    assert read <= set([*MODELS][first : first + OPEN])
    few = concept_card(entries[place], "relative", 0, entries[place : place + 1])
    assert "in the menu" not in few
