"""Sources as they lie on people's disks: nothing is lost without a word, nothing is a traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import tarfile
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_fixtures import plain

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.data.matching import match_folders
from blindspots_hub.data.pairs import PairSource, read_pairs
from blindspots_hub.data.sources import zipped
from blindspots_hub.data.sources.rows import SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted import BUNDLE
from blindspots_hub.progress import drive
from blindspots_hub.runs.sources import OwnPairs, open_pairs, write_skipped

COLOURS = [plain((40 * i, 10, 200 - 30 * i)) for i in range(6)]


def captions(source: PairSource) -> list[str]:
    return [caption for _, caption in source.ids_and_captions]


def sentence(source: Path, **options: Any) -> str:
    with pytest.raises(BlindspotsError) as caught:
        read_pairs(source, options=SourceOptions(**options))
    return str(caught.value)


def table(path: Path, images: list[Any], **columns: Any) -> Path:
    pq.write_table(pa.table({"image": images, **columns}), path)
    return path


def tar_of(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def zip_of(path: Path, members: list[tuple[str, bytes]], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


PAIR = [("0.png", COLOURS[0]), ("0.txt", b"zero")]


@pytest.mark.parametrize("head", ["file_name,caption,caption", "file_name,file_name,caption"])
def test_of_two_columns_of_one_name_none_is_chosen(tmp_path: Path, head: str) -> None:
    (tmp_path / "0.png").write_bytes(COLOURS[0])
    (tmp_path / "metadata.csv").write_text(f"{head}\n0.png,0.png,x\n")
    assert "several columns" in sentence(tmp_path)
    two = [pa.array(COLOURS[:1]), pa.array(["a"]), pa.array(["b"])]
    twice = pa.Table.from_arrays(two, names=["image", "caption", "caption"])
    pq.write_table(twice, tmp_path / "t.parquet")
    assert "several columns caption" in sentence(tmp_path / "t.parquet")


def test_text_of_parquet_that_is_no_utf8_or_kept_as_bytes(tmp_path: Path) -> None:
    offsets, letters = pa.array([0, 4, 6], pa.int32()).buffers()[1], pa.py_buffer(b"caf\xe9ok")
    broken = pa.StringArray.from_buffers(2, offsets, letters)
    found = read_pairs(table(tmp_path / "a.parquet", COLOURS[:2], caption=broken))
    assert captions(found) == ["ok"]
    assert found.skipped == {"caption_not_text": 1}
    found = read_pairs(table(tmp_path / "b.parquet", COLOURS[:2], caption=[b"a cat", b"\xff"]))
    assert (captions(found), found.skipped) == (["a cat"], {"caption_not_text": 1})


def test_a_column_with_a_dot_in_its_name_and_lists_of_one_image(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"images": [[c] for c in COLOURS[:2]], "text.en": ["a", "b"]}), path)
    options = SourceOptions(image_column="images", caption_column="text.en")
    assert captions(read_pairs(path, options=options)) == ["a", "b"]


def test_what_is_no_table_is_told_shortly(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(f"column {i} {'y' * 99}" for i in range(90)) + "\n1\n")
    assert len(sentence(tmp_path / "x.csv")) < 1300


def test_metadata_in_capitals_and_a_sidecar_with_other_accents(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(COLOURS[0])
    (tmp_path / "Metadata.CSV").write_text("file_name,caption\n0.png,a\n")
    assert captions(read_pairs(tmp_path)) == ["a"]
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / unicodedata.normalize("NFD", "été.png")).write_bytes(COLOURS[1])
    (beside / unicodedata.normalize("NFC", "été.txt")).write_text("summer")
    assert captions(read_pairs(beside)) == ["summer"]


def test_two_folders_are_paired_however_accents_are_composed(tmp_path: Path) -> None:
    names = ("é1.png", "é2.png")
    for side in ("natural", "generated"):
        (tmp_path / side).mkdir()
    for name in names:
        (tmp_path / "natural" / unicodedata.normalize("NFC", name)).write_bytes(COLOURS[0])
        (tmp_path / "generated" / unicodedata.normalize("NFD", name)).write_bytes(COLOURS[0])
    assert match_folders(tmp_path / "natural", tmp_path / "generated").paired


def test_links_that_lead_nowhere_are_counted(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(COLOURS[0])
    (tmp_path / "0.txt").write_text("zero")
    os.symlink("gone.png", tmp_path / "1.png")
    assert read_pairs(tmp_path).skipped == {"broken_link": 1}
    (tmp_path / "only").mkdir()
    os.symlink("gone.png", tmp_path / "only" / "1.png")
    assert "links that lead nowhere" in sentence(tmp_path / "only")


def test_a_copied_data_set_of_the_hub_with_a_picture_beside_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "folder.png").mkdir()
    for split in ("train", "test"):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        table(path, COLOURS[:2], caption=[f"{split} 0", f"{split} 1"])
    (tmp_path / "thumbnail.png").write_bytes(COLOURS[5])
    found = read_pairs(tmp_path)
    assert len(found) == 4
    assert found.skipped == {"image_without_caption": 1}
    found = read_pairs(tmp_path, options=SourceOptions(split="test"))
    assert captions(found) == ["test 0", "test 1"]
    assert "no split nosuch" in sentence(tmp_path, split="nosuch")
    assert "no configuration nosuch" in sentence(tmp_path, config="nosuch")


def test_options_that_a_source_has_no_use_for_are_told(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(COLOURS[0])
    (tmp_path / "0.txt").write_text("zero")
    assert "leave --split out" in sentence(tmp_path, split="test")
    assert "--images belongs to COCO" in sentence(tmp_path, images=tmp_path)
    bundle = load_bundle(BUNDLE)
    for source in (None, BUNDLE):
        with pytest.raises(BlindspotsError, match="--caption-column says how"):
            drive(open_pairs(source, bundle, options=SourceOptions(caption_column="x")))


def test_images_of_a_tar_that_share_a_name(tmp_path: Path) -> None:
    dotted = [(f"a.v{i}.png", COLOURS[i]) for i in range(3)]
    texts = [(f"a.v{i}.txt", b"v%d" % i) for i in range(3)]
    found = read_pairs(tar_of(tmp_path / "a.tar", [*dotted, *texts]))
    assert (captions(found), found.skipped) == (["v0", "v1", "v2"], {})
    other = [("0.jpg", COLOURS[0]), ("0.seg.png", COLOURS[1]), ("0.txt", b"zero")]
    found = read_pairs(tar_of(tmp_path / "b.tar", other))
    assert (captions(found), found.skipped) == (["zero"], {"second_image": 1})
    twice = read_pairs(tar_of(tmp_path / "c.tar", [*PAIR, ("0.webp", COLOURS[2])]))
    assert (captions(twice), twice.skipped) == (["zero"], {"second_image": 1})


def test_tars_that_end_early_or_are_damaged_inside(tmp_path: Path) -> None:
    members = [
        (f"{i}.{end}", c) for i in range(6) for end, c in (("png", COLOURS[i]), ("txt", b"c"))
    ]
    path = tar_of(tmp_path / "a.tar", members)
    with tarfile.open(path) as archive:
        third = archive.getmembers()[6].offset
    whole = path.read_bytes()
    path.write_bytes(whole[:third])  # between two members, where nothing but the end is missing
    assert read_pairs(path).skipped == {"end_of_tar": 1}
    path.write_bytes(whole[: third + 50] + b"\xff" * 200 + whole[third + 250 :])
    assert "not a whole tar" in sentence(path)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        about = tarfile.TarInfo("0.png")
        about.size = len(COLOURS[0])
        told = {"major": "1", "minor": "0", "name": "z", "realsize": "x"}
        about.pax_headers = {f"GNU.sparse.{key}": value for key, value in told.items()}
        archive.addfile(about, io.BytesIO(COLOURS[0]))
    assert "not a whole tar" in sentence(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_zips_whose_content_is_damaged(tmp_path: Path, kind: int) -> None:
    path = zip_of(tmp_path / "a.zip", [("0.png", os.urandom(4000)), *PAIR[1:]], kind)
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(200) + content[260:])
    assert "not a whole zip" in sentence(path)


def test_zips_with_names_that_cannot_be(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", [("é.png", COLOURS[0])])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xc3\xff"))
    assert "not a whole zip" in sentence(path)
    deep = "/".join(["d" * 200] * 30)
    odd = [("a", b"x"), ("a/b.png", COLOURS[1]), (f"{deep}/c.png", COLOURS[2]), PAIR[0]]
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "b.zip", [*PAIR, *odd])
    found = read_pairs(path)
    assert captions(found) == ["zero"]
    assert found.skipped["unsafe_name"] == 3


def test_a_zip_that_finds_no_room_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipped, "_copy", full)
    assert "set TMPDIR" in sentence(zip_of(tmp_path / "a.zip", PAIR))


def test_a_zip_of_folders_in_folders_with_a_readme_beside(tmp_path: Path) -> None:
    inside = [(f"set/images/{name}", content) for name, content in PAIR]
    found = read_pairs(zip_of(tmp_path / "a.zip", [("set/README.md", b"x"), *inside]))
    assert captions(found) == ["zero"]


def coco(folder: Path, images: list[Any], annotations: list[Any]) -> Path:
    for i in range(3):
        (folder / f"{i}.png").write_bytes(COLOURS[i])
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_coco_whose_first_image_is_missing_and_ids_are_text(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.png" if i else "gone.png"} for i in range(3)]
    told = [{"image_id": str(i), "caption": f"c{i}"} for i in range(3)]
    found = read_pairs(coco(tmp_path, images, told))
    assert (captions(found), found.skipped) == (["c1", "c2"], {"image_missing": 1})


def test_what_of_coco_is_no_pair_is_counted(tmp_path: Path) -> None:
    images = [*({"id": i, "file_name": f"{i}.png"} for i in range(3)), None]
    told = [{"image_id": 0, "caption": "zero"}, {"image_id": 77, "caption": "of none"}]
    found = read_pairs(coco(tmp_path, images, told))
    assert captions(found) == ["zero"]
    assert found.skipped == {"caption_empty": 2, "caption_without_image": 1, "no_record": 1}
    twice = [{"id": 1, "file_name": f"{i}.png"} for i in range(2)]
    path = coco(tmp_path, twice, [{"image_id": 1, "caption": "whose?"}])
    assert "two images of the id 1" in sentence(path)
    assert "is no folder" in sentence(path, images=tmp_path / "nowhere")
    half = [{"id": "\ud83d", "file_name": "\ud83d.png"}, {"id": 1, "file_name": "1.png"}]
    told = [{"image_id": "\ud83d", "caption": "x"}, {"image_id": 1, "caption": "one"}]
    assert captions(read_pairs(coco(tmp_path, half, told))) == ["one"]


def test_the_list_of_what_was_skipped_is_utf8_and_no_formula(tmp_path: Path) -> None:
    for name in ("=1+2.png", "ü.png", "a.png"):
        (tmp_path / name).write_bytes(COLOURS[0])
    (tmp_path / "a.txt").write_text("a")
    write_skipped(OwnPairs(read_pairs(tmp_path)), tmp_path / "skipped.csv")
    lines = (tmp_path / "skipped.csv").read_bytes().decode("utf-8").splitlines()
    assert [line.partition(",")[2][:3] for line in lines[1:]] == ["'=1", "ü.p"]
