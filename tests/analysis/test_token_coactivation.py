"""Co-activation over tokens, against the square of the codes themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from findings_fixtures import write_rich
from synthetic_bundle import Synthetic

from blindspots_hub.analysis.base import NotAnswerable
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.measure.token_codes import half


def test_over_tokens_it_is_the_square_of_their_codes(tmp_path: Path) -> None:
    spec = Synthetic(pairs=90, n_concepts=40)
    bundle = load_bundle(write_rich(tmp_path / "bundle", spec))
    model = next(iter(bundle.models))
    answer = analysis("token_coactivation").answer(bundle, [model])
    found = answer.table

    natural, own = bundle.token_codes(NATURAL), bundle.token_codes(model)
    assert natural is not None
    assert own is not None
    sides = {}
    for name, codes, side in (("one", natural, 0), ("other", natural, 1), ("ours", own, 1)):
        ids = bundle.image_ids(NATURAL if codes is natural else model)
        sides[name] = np.flatnonzero([half(ids[row]) == side for row in codes.row])
    images = min(map(len, sides.values()))
    squares = {}
    for name, codes in (("one", natural), ("other", natural), ("ours", own)):
        z = codes.take(sides[name][:images]).matrix.toarray()
        assert len(z) == images * 4
        squares[name] = z.T @ z / len(z)
        np.fill_diagonal(squares[name], 0)
    one, other, ours = (squares[name] > 0 for name in ("one", "other", "ours"))
    assert found["unshared"][0][0] == (ours & ~one).sum() / ours.sum()
    assert found["unshared_null"][0][0] == (other & ~one).sum() / other.sum()
    assert "tokens of other captions" in answer.sentence


def test_few_images_are_told(tmp_path: Path) -> None:
    bundle = load_bundle(write_rich(tmp_path / "bundle", Synthetic(pairs=15, n_concepts=40)))
    with pytest.raises(NotAnswerable, match="needs the codes of 10 images of each half, not"):
        analysis("token_coactivation").answer(bundle, [next(iter(bundle.models))])
