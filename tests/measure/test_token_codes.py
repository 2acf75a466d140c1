"""Codes of single tokens: which images, what is kept of them, and what a damaged file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blindspots_hub.artifacts.sparse_checks import token_code_faults
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.token_codes import TokenCodes, half, sampled


def _codes(row: int) -> SparseCodes:
    """Two tokens: `row` concepts on the first, concept 9 with the code `row` + 1 on the second."""
    return SparseCodes(
        np.array([0, row, row + 1], np.int64),
        np.array([*range(row), 9], np.int32),
        np.array([0.5] * row + [row + 1], np.float32),
        10,
    )


def _kept(images: int = 6) -> TokenCodes:
    return TokenCodes.of([f"{row:04d}" for row in range(images)], _codes, 10)


def test_the_same_pairs_of_every_source_and_halves_by_id() -> None:
    ids = [f"{n:05d}" for n in range(3000)]
    rows = sampled(ids, 500)
    assert len(rows) == 500
    assert (np.diff(rows) > 0).all()
    fewer = [one for one in ids if int(one) % 3]
    chosen = {ids[row] for row in rows}
    again = {fewer[row] for row in sampled(fewer, 500)}
    assert {one for one in chosen if one in set(fewer)} <= again
    assert 0.4 < np.mean([half(one) for one in ids]) < 0.6


def test_tokens_of_chosen_images_row_by_row() -> None:
    codes = _kept()
    assert codes.tokens == 2
    dense = codes.take(np.array([4, 1])).matrix.toarray()
    expected = np.zeros((4, 10))
    expected[0, :4], expected[1, 9], expected[2, :1], expected[3, 9] = 0.5, 5, 0.5, 2
    np.testing.assert_array_equal(dense, expected)


def test_codes_of_one_concept_in_one_image() -> None:
    codes = _kept()
    for row in range(6):
        for concept in (0, 3, 9):
            dense = codes.take(np.array([row])).matrix.toarray()[:, concept]
            np.testing.assert_array_equal(codes.of_image(row, concept), dense)
    assert codes.of_image(6, 9) is None
    assert TokenCodes.of([], _codes, 10).of_image(0, 9) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    codes = _kept()
    codes.save(tmp_path / "codes.safetensors")
    again = TokenCodes.load(tmp_path / "codes.safetensors")
    for name in ("row", "fires", "concepts", "values"):
        np.testing.assert_array_equal(getattr(again, name), getattr(codes, name))
        assert getattr(again, name).dtype == getattr(codes, name).dtype
    assert list(token_code_faults(tmp_path / "codes.safetensors", "codes", 10, 6)) == []


def test_sources_are_joined_at_their_new_rows() -> None:
    one, two = _kept(), _kept()
    both = TokenCodes.joined([(one, {0: 5, 3: 1}), (two, {2: 3})])
    assert both is not None
    assert both.row.tolist() == [1, 3, 5]
    whole = both.take(np.arange(3)).matrix.toarray()
    for place, row in enumerate((3, 2, 0)):
        np.testing.assert_array_equal(
            whole[2 * place : 2 * place + 2], one.take(np.array([row])).matrix.toarray()
        )
    assert TokenCodes.joined([(one, {})]) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": np.ones(3, np.float16)}, "lengths disagree"),
        ({"row": np.arange(5, -1, -1, dtype=np.int32)}, "not in their order"),
        ({"row": np.arange(10, 16, dtype=np.int32)}, "images that are none of the 6"),
        ({"concepts": np.full(21, 10, np.int32)}, "concept that is none of the 10"),
        ({"values": np.full(21, np.nan, np.float16)}, "no positive number"),
    ],
)
def test_damage_is_told(tmp_path: Path, change: dict[str, np.ndarray], told: str) -> None:
    path = tmp_path / "codes.safetensors"
    kept = vars(_kept()) | change
    TokenCodes(**kept).save(path)
    assert any(told in fault for fault in token_code_faults(path, "codes", 10, 6))
    if "lengths" in told:
        with pytest.raises(BlindspotsError, match="lengths disagree"):
            TokenCodes.load(path)
    path.write_bytes(b"no tensors")
    assert list(token_code_faults(path, "codes", 10, 6))
    with pytest.raises(BlindspotsError, match="is not a file of token codes"):
        TokenCodes.load(path)
