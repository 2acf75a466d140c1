"""Natural images are measured once for a series of evaluations, whichever folders these are in."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from blindspots_hub.artifacts.layout import NATURAL, energies_path
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.data.images import encode_png
from blindspots_hub.planted.world import world_pairs
from blindspots_hub.runs import encoding
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.evaluate import evaluate

PAIRS = 8


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were encoded, call by call."""
    found: list[int] = []
    encode = encoding.encode

    def seen(space, pixels):  # type: ignore[no-untyped-def]
        found.append(len(pixels))
        return encode(space, pixels)

    monkeypatch.setattr(encoding, "encode", seen)
    return found


def test_checkpoints_in_folders_of_their_own_share_the_natural_side(
    tmp_path: Path, encoded: list[int]
) -> None:
    codes = tmp_path / "codes"
    first = evaluate("planted/alder-1", tmp_path / "a", pairs=PAIRS, natural_codes=codes)
    assert sum(encoded) == 2 * PAIRS
    encoded.clear()
    second = evaluate("planted/alder-2", tmp_path / "b", pairs=PAIRS, natural_codes=codes)
    assert sum(encoded) == PAIRS, "those that the model generated"
    alone = evaluate("planted/alder-2", tmp_path / "c", pairs=PAIRS)
    assert (second.root / "bundle.json").read_bytes() == (alone.root / "bundle.json").read_bytes()
    whole = combine([first, second], tmp_path / "all")
    assert faults(whole.root) == []
    energies = [energies_path(one.root, NATURAL) for one in (first, whole)]
    assert energies[0].stat().st_ino == energies[1].stat().st_ino, "not copied"
    assert list(codes.iterdir())


def test_other_images_of_the_same_names_are_other_images(
    tmp_path: Path, encoded: list[int]
) -> None:
    """What a folder's images are called says nothing of what they are."""
    scenes = [(p.caption.text, p.image.convert("RGB")) for p in world_pairs(PAIRS, seed=3)]
    for folder, turned in (("one", False), ("other", True)):
        (tmp_path / folder).mkdir()
        for number, (caption, image) in enumerate(scenes):
            shown = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if turned else image
            (tmp_path / folder / f"{number}.png").write_bytes(encode_png(shown))
            (tmp_path / folder / f"{number}.txt").write_text(caption)
    found = {}
    for folder in ("one", "other"):
        found[folder] = evaluate(
            "planted/alder-1", tmp_path / f"out-{folder}", pairs=PAIRS,
            pairs_from=str(tmp_path / folder), natural_codes=tmp_path / "codes",
        )  # fmt: skip
    assert sum(encoded) == 4 * PAIRS
    one, other = (found[name].energies(NATURAL).energies for name in ("one", "other"))
    assert one.tolist() != other.tolist()
