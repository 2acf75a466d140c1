"""Images of a folder, told by their content, and by kind what is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from data_fixtures import encoded, plain
from PIL import Image

from blindspots_hub.data.images import FORMATS, open_image
from blindspots_hub.data.listing import image_listing
from blindspots_hub.data.pairs import match_folders, read_pairs
from blindspots_hub.errors import BlindspotsError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    root.mkdir()
    jpeg = encoded(Image.new("RGB", (24, 16), "red"), "JPEG")
    contents = {
        "a.png": plain(), "b.jfif": jpeg, "c": plain(), "d.heic": jpeg, "e.heic": HEIC,
        "f.HEIC": HEIC, "g": HEIC, "h.jp2": b"\0\0\0\x0cjP  \r\n\x87\n", "notes.txt": b"x",
        ".hidden.heic": HEIC,
    }  # fmt: skip
    for name, content in contents.items():
        (root / name).write_bytes(content)
    for name in ("cats", "dogs"):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "1.png").write_bytes(plain())
    (root / "empty").mkdir()
    return root


def test_files_are_told_by_their_content_and_counted_by_kind(folder: Path) -> None:
    found = image_listing(folder)
    assert [path.name for path in found.images] == ["a.png", "b.jfif", "c", "d.heic"]
    assert found.left_out == {
        "other_format_heic": 2,
        "other_format_jp2": 1,
        "other_format_no_ending": 1,
        "in_subfolder": 2,
    }
    assert all(open_image(path).mode == "RGB" for path in found.images)


def test_both_sides_of_a_comparison_tell_what_they_leave_out(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    shutil.rmtree(other / "cats")
    matched = match_folders(folder, other)
    assert matched.left_out["natural_in_subfolder"] == 2
    assert matched.left_out["generated_in_subfolder"] == 1
    assert matched.left_out["generated_other_format_heic"] == 2


def test_a_source_of_pairs_tells_what_it_leaves_out(folder: Path) -> None:
    for name in ("a", "c", "e"):
        (folder / f"{name}.txt").write_text(f"caption of {name}")
    pairs = read_pairs(folder)
    assert [caption for _, caption in pairs.ids_and_captions] == ["caption of a", "caption of c"]
    assert pairs.skipped["other_format_heic"] == 2
    assert pairs.skipped["in_subfolder"] == 2
    assert "cats, dogs" in pairs.left_out


def test_folders_of_nothing_but_others_say_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.png").write_bytes(plain())
    with pytest.raises(BlindspotsError, match=r"but 1 in folders inside \(in\)"):
        image_listing(tmp_path)
    (tmp_path / "in" / "1.png").unlink()
    (tmp_path / "1.heic").write_bytes(HEIC)
    with pytest.raises(BlindspotsError, match=r"other files \(1 heic\)"):
        image_listing(tmp_path)
    with pytest.raises(BlindspotsError, match="is HEIC, which is not read here"):
        open_image(tmp_path / "1.heic")


@pytest.mark.skipif("AVIF" not in FORMATS, reason="this Pillow decodes no AVIF")
def test_avif_is_read_by_content(tmp_path: Path) -> None:
    avif = encoded(Image.new("RGB", (32, 16), (200, 40, 40)), "AVIF")
    (tmp_path / "1.avif").write_bytes(avif)
    (tmp_path / "2").write_bytes(avif)
    assert [open_image(path).size for path in image_listing(tmp_path).images] == [(32, 16)] * 2
