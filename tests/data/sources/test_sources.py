"""Tars, COCO's captions, zips, columns by name: the same pairs as from a folder."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_fixtures import plain
from local_hub import Hub

from blindspots_hub.data.pairs import PairSource, read_pairs
from blindspots_hub.data.sources.rows import OnlyAddresses, SourceOptions, cell
from blindspots_hub.errors import BlindspotsError

COLOURS = [plain((20 * i, 50, 90)) for i in range(4)]


def captions_of(pairs: PairSource) -> list[str]:
    return [caption for _, caption in pairs.ids_and_captions]


def tar_of(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_webdatasets(tmp_path: Path, mode: str) -> None:
    members = [
        ("a/000.jpg", COLOURS[0]), ("a/000.txt", b"first"),
        ("a/000.json", b'{"url": "https://x/0"}'),
        ("a/001.png", COLOURS[1]), ("a/001.json", json.dumps({"caption": "second"}).encode()),
        ("a/002.cls", b"7"), ("a/002.png", COLOURS[2]), ("a/002.txt", "dritt\u00f6".encode()),
        ("a/003.png", COLOURS[3]),
        ("a/004.txt", b"no image"),
        ("a/005.seg.png", COLOURS[3]), ("a/005.txt", b"two dots"),
        ("a/006.png", b"broken"), ("a/006.txt", b"broken"),
    ]  # fmt: skip
    path = tar_of(tmp_path / ("t.tar" if mode == "w" else "t.tar.gz"), members, mode)
    pairs = read_pairs(path)
    assert captions_of(pairs) == ["first", "second", "dritt\u00f6", "two dots"]
    assert next(iter(pairs)).url == "https://x/0"
    assert pairs.skipped == {
        "other_file": 1, "caption_empty": 1, "image_missing": 1, "image_unreadable": 1,
    }  # fmt: skip
    assert ("image_missing", f"{path.name} a/004") in pairs.skipped_rows
    (tmp_path / "shards").mkdir()
    for i in range(2):
        tar_of(tmp_path / "shards" / f"{i}.tar", [("x.png", COLOURS[i]), ("x.txt", b"%d" % i)])
    assert captions_of(read_pairs(tmp_path / "shards")) == ["0", "1"]
    named = SourceOptions(caption_column="alt.text")
    other = tar_of(
        tmp_path / "o.tar", [("x.png", COLOURS[0]), ("x.json", b'{"alt": {"text": "deep"}}')]
    )
    assert captions_of(read_pairs(other, options=named)) == ["deep"]


def test_tars_that_mean_harm(tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "t.tar", [("0.png", COLOURS[0]), ("0.txt", b"a")] * 20)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(BlindspotsError, match="not a whole tar"):
        read_pairs(cut)
    with tarfile.open(tmp_path / "links.tar", "w") as archive:
        for name, kind in (("0.png", tarfile.SYMTYPE), ("1.png", tarfile.CHRTYPE)):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, "/etc/passwd"
            archive.addfile(about)
    with pytest.raises(BlindspotsError, match="no usable pair"):
        read_pairs(tmp_path / "links.tar")
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE):
        about = tarfile.TarInfo("long")
        about.type, about.size = kind, 300_000_000
        (tmp_path / "long.tar").write_bytes(about.tobuf() + bytes(10240))
        with pytest.raises(BlindspotsError, match=r"not a whole tar.*a name in it claims 300 MB"):
            read_pairs(tmp_path / "long.tar")
    (tmp_path / "not.tar").write_bytes(b"nothing")
    with pytest.raises(BlindspotsError, match="not a whole tar"):
        read_pairs(tmp_path / "not.tar")


def coco(folder: Path, **changes: Any) -> Path:
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "coco_url": f"https://x/{i}"}
              for i in range(4)]  # fmt: skip
    for i in range(3):
        (folder / "val2017" / f"{i:012d}.jpg").write_bytes(COLOURS[i])
    notes = [{"image_id": i, "id": 9 * i + j, "caption": f"{i} {j}"}
             for i in range(4) for j in range(5)]  # fmt: skip
    content = {"images": images, "annotations": notes, **changes}
    path = folder / "annotations" / "captions_val2017.json"
    path.write_text(json.dumps(content))
    return path


def test_coco_captions(tmp_path: Path) -> None:
    path = coco(tmp_path / "coco")
    one = read_pairs(path, seed=1)
    assert len(one) == 3
    assert captions_of(one) == captions_of(read_pairs(path, seed=1))
    assert any(captions_of(read_pairs(path, seed=seed)) != captions_of(one) for seed in range(2, 6))
    assert one.skipped == {"image_missing": 1}
    every = read_pairs(path, all_captions=True)
    assert len(every) == 15
    assert next(iter(every)).url == "https://x/0"
    moved = tmp_path / "elsewhere"
    (tmp_path / "coco" / "val2017").rename(moved)
    with pytest.raises(BlindspotsError, match="--images"):
        read_pairs(path)
    assert len(read_pairs(path, options=SourceOptions(images=moved))) == 3


def test_json_that_is_not_cocos_captions_is_told(tmp_path: Path) -> None:
    for i, (changes, told) in enumerate(
        (
            ({"annotations": [{"image_id": 1, "bbox": []}]}, "without captions"),
            ({"images": "x"}, "no COCO captions"),
            ({"annotations": []}, "no COCO captions"),
        )
    ):
        with pytest.raises(BlindspotsError, match=told):
            read_pairs(coco(tmp_path / str(i), **changes))
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(BlindspotsError, match="no JSON"):
        read_pairs(tmp_path / "x.json")


def test_a_zip_of_a_folder(tmp_path: Path) -> None:
    beside = {"set/0.png": COLOURS[0], "set/0.txt": b"one", "set/1.png": COLOURS[1],
              "set/1.txt": b"two", "__MACOSX/set/._0.png": b"x", "set/.DS_Store": b"x"}  # fmt: skip
    pairs = read_pairs(zip_of(tmp_path / "a.zip", beside))
    assert captions_of(pairs) == ["one", "two"]
    assert [pair.image for pair in pairs] == COLOURS[:2]
    listed = {"metadata.csv": b"file_name,text\na/0.png,one\n", "a/0.png": COLOURS[0]}
    assert captions_of(read_pairs(zip_of(tmp_path / "b.zip", listed))) == ["one"]
    inner = io.BytesIO()
    table = {"caption": ["one"], "image": [{"bytes": COLOURS[0], "path": None}]}
    pq.write_table(pa.table(table), inner)
    shards = zip_of(tmp_path / "c.zip", {"data/x.parquet": inner.getvalue()})
    assert captions_of(read_pairs(shards)) == ["one"]


def test_zips_that_mean_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"0.png": COLOURS[0], "0.txt": b"a"}
    evil = {**good, "../out.png": COLOURS[1], "/abs.png": COLOURS[1], "a\\..\\..\\b.png": b""}
    path = zip_of(tmp_path / "evil.zip", evil)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    pairs = read_pairs(path)
    assert captions_of(pairs) == ["a"]
    assert pairs.skipped == {"unsafe_name": 4}
    assert not (tmp_path / "out.png").exists()
    monkeypatch.setattr("blindspots_hub.data.sources.zipped.SPARE", 1_000_000)
    bomb = zip_of(tmp_path / "bomb.zip", {**good, "1.png": bytes(30_000_000)})
    with pytest.raises(BlindspotsError, match="unpacks to more than 20 times"):
        read_pairs(bomb)
    locked = bytearray(zip_of(tmp_path / "locked.zip", good).read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = locked.find(mark)
        while place >= 0:
            struct.pack_into("<H", locked, place + at, 1)
            place = locked.find(mark, place + 1)
    (tmp_path / "locked.zip").write_bytes(bytes(locked))
    with pytest.raises(BlindspotsError, match="password"):
        read_pairs(tmp_path / "locked.zip")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(BlindspotsError, match="not a whole zip"):
        read_pairs(tmp_path / "broken.zip")
    with pytest.raises(BlindspotsError, match=r"empty\.zip holds no images"):
        read_pairs(zip_of(tmp_path / "empty.zip", {"a.txt": b"x"}))


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    table = {
        "caption": ["wrong", "wrong"],
        "alt": [{"en": "one"}, {"en": "two"}],
        "jpg": [{"bytes": content, "path": None} for content in COLOURS[:2]],
    }
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(table), path)
    with pytest.raises(BlindspotsError, match=r"no column image.*--image-column"):
        read_pairs(path)
    options = SourceOptions(image_column="jpg", caption_column="alt.en")
    assert captions_of(read_pairs(path, options=options)) == ["one", "two"]
    with pytest.raises(BlindspotsError, match="no column nothing"):
        read_pairs(path, options=SourceOptions(image_column="nothing"))
    (tmp_path / "t.csv").write_text("Bild;Text 2\n0.png;eins\n")
    (tmp_path / "0.png").write_bytes(COLOURS[0])
    options = SourceOptions(image_column="Bild", caption_column="Text 2")
    assert captions_of(read_pairs(tmp_path / "t.csv", options=options)) == ["eins"]
    assert cell({"a": [{"b": 1}, {"b": 2}]}, "a.b") == [1, 2]
    assert cell({"a.b": 3, "a": {"b": 4}}, "a.b") == 3


def test_a_table_of_addresses_is_told_apart(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["http://x"], "caption": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(OnlyAddresses, match="sample-laion --from"):
        read_pairs(tmp_path / "t.parquet")


def test_hub_data_sets_by_split_configuration_and_column(hub: Hub) -> None:
    from huggingface_hub import HfApi

    def shard(captions: list[str]) -> bytes:
        buffer = io.BytesIO()
        images = [{"bytes": COLOURS[i], "path": None} for i in range(len(captions))]
        pq.write_table(pa.table({"label": captions, "jpg": images}), buffer)
        return buffer.getvalue()

    name = f"{hub.owner}/captioned"
    HfApi().create_repo(name, repo_type="dataset")
    files = {
        "README.md": b"---\nconfigs:\n- config_name: small\n  data_files:\n  - split: train\n"
        b"    path: a.parquet\n  - split: test\n    path: b.parquet\n- config_name: large\n"
        b"  data_files:\n  - split: train\n    path: c.parquet\n---\n",
        "a.parquet": shard(["a"]), "b.parquet": shard(["b1", "b2"]), "c.parquet": shard(["c"]),
    }  # fmt: skip
    for path, content in files.items():
        HfApi().upload_file(
            path_or_fileobj=content, path_in_repo=path, repo_id=name, repo_type="dataset"
        )
    columns: dict[str, Any] = {"image_column": "jpg", "caption_column": "label"}
    test = SourceOptions(split="test", config="small", **columns)
    assert captions_of(read_pairs(name, options=test)) == ["b1", "b2"]
    large = SourceOptions(config="large", **columns)
    assert captions_of(read_pairs(name, options=large)) == ["c"]
    with pytest.raises(BlindspotsError, match=r"several configurations.*--config \(small,large\)"):
        read_pairs(name, options=SourceOptions(**columns))
    with pytest.raises(BlindspotsError, match="no split nope: name one of train, test"):
        read_pairs(name, options=SourceOptions(split="nope", config="small", **columns))
    with pytest.raises(BlindspotsError, match=r"no column caption.*it has label, jpg"):
        read_pairs(name, options=SourceOptions(config="small"))


def test_of_a_hub_data_set_only_the_columns_asked_for_are_read(hub: Hub, tmp_path: Path) -> None:
    """A picture in another column may name a file of this machine, or be none at all."""
    import datasets
    from huggingface_hub import HfApi

    secret = tmp_path / "secret.png"
    secret.write_bytes(COLOURS[0])
    picture = {"bytes": COLOURS[1], "path": None}
    columns = {
        "caption": ["whole", "listed"],
        "image": [[picture], [picture]],
        "other": [{"bytes": None, "path": str(secret)}, {"bytes": b"broken", "path": None}],
    }
    features = datasets.Features(
        {
            "caption": datasets.Value("string"),
            "image": datasets.List(datasets.Image()),
            "other": datasets.Image(),
        }
    )
    name = f"{hub.owner}/other-pictures"
    HfApi().create_repo(name, repo_type="dataset")
    buffer = io.BytesIO()
    table = pa.table(columns, schema=features.arrow_schema)
    pq.write_table(table, buffer)
    HfApi().upload_file(
        path_or_fileobj=buffer.getvalue(),
        path_in_repo="train.parquet",
        repo_id=name,
        repo_type="dataset",
    )
    opened: list[str] = []
    sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
    pairs = read_pairs(name)
    assert captions_of(pairs) == ["whole", "listed"]
    assert [pair.image for pair in pairs] == [COLOURS[1]] * 2
    assert str(secret) not in opened
