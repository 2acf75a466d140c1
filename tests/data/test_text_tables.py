"""Tables and captions as people have them: read rightly, or one sentence that names the line."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_fixtures import plain

from blindspots_hub.data import text_tables
from blindspots_hub.data.pairs import PairSource, read_pairs
from blindspots_hub.data.sources import hub
from blindspots_hub.errors import BlindspotsError

CAPTIONS = ["a red boat", "zwei Vögel – im Schnee", "a “quoted” café"]


def images(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f"{i}.png").write_bytes(plain((40 * i, 20, 30)))
    return folder


def table(separator: str = ",", captions: list[str] = CAPTIONS, header: str = "") -> str:
    lines = [header or f"file_name{separator}caption"]
    lines += [f"{i}.png{separator}{caption}" for i, caption in enumerate(captions)]
    return "\n".join(lines) + "\n"


def captions_of(pairs: PairSource) -> list[str]:
    return [caption for _, caption in pairs.ids_and_captions]


def told(source: Path) -> str:
    with pytest.raises(BlindspotsError) as caught:
        read_pairs(source)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_and_encoding(tmp_path: Path, encoding: str, separator: str) -> None:
    folder = images(tmp_path)
    (folder / "metadata.csv").write_bytes(table(separator).encode(encoding))
    assert captions_of(read_pairs(folder)) == CAPTIONS
    lines = [
        json.dumps({"file_name": f"{i}.png", "caption": caption}, ensure_ascii=False)
        for i, caption in enumerate(CAPTIONS)
    ]
    (folder / "pairs.jsonl").write_bytes("\n".join(lines).encode(encoding))
    assert captions_of(read_pairs(folder / "pairs.jsonl")) == CAPTIONS


@pytest.mark.parametrize(
    "content",
    [
        'file_name, caption\n0.png, "a, b"\n',
        ' Caption ;file_name\n"a, b";0.png\n',
        'sep=;\nfile_name;caption\n0.png;"a, b"\n',
        "file_name,caption\r0.png,a, b\r",
        'file_name,caption,\n0.png,"a, b",\n\n',
        "caption\tfile_name\na, b\t0.png\n",
    ],
)
def test_ways_to_write_one_row(tmp_path: Path, content: str) -> None:
    folder = images(tmp_path)
    (folder / "metadata.csv").write_bytes(content.encode())
    assert captions_of(read_pairs(folder)) == ["a, b"]


def test_a_tsv_beside_the_images(tmp_path: Path) -> None:
    folder = images(tmp_path)
    (folder / "metadata.tsv").write_text(table("\t"), encoding="utf-8")
    assert captions_of(read_pairs(folder)) == CAPTIONS


def test_commas_of_a_caption_without_quotes_are_its_own(tmp_path: Path) -> None:
    folder = images(tmp_path)
    captions = [f"A close view, soft light, {caption}" for caption in CAPTIONS]
    (folder / "metadata.csv").write_text(table(captions=captions), encoding="utf-8")
    assert captions_of(read_pairs(folder)) == captions


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("file_name,caption\n0.png,a\n1.png,b,0.93\n", 3, "3 cells, its header 2"),
        ("caption,file_name\na, b,0.png\n", 2, "3 cells, its header 2"),
        ("file_name, caption\n0.png, a, b\n", 2, "3 cells, its header 2"),
        ("file_name,caption\n0.png,first\nsecond half\n", 3, "line break"),
        ('file_name,caption\n0.png,"never closed\n1.png,b\n', 2, "quotes"),
        ('file_name,caption\n0.png,a\n1.png,"a "b" c"\n', 3, "quotes"),
    ],
)
def test_a_row_is_named_and_never_cut(tmp_path: Path, content: str, line: int, what: str) -> None:
    folder = images(tmp_path)
    (folder / "metadata.csv").write_text(content)
    message = told(folder)
    assert f"metadata.csv line {line} " in message
    assert what in message


def test_what_is_in_no_known_encoding_names_the_line(tmp_path: Path) -> None:
    folder = images(tmp_path)
    mixed = table().encode().splitlines(keepends=True)
    mixed[3] = "2.png,un café\n".encode("cp1252")  # the others are UTF-8
    (folder / "metadata.csv").write_bytes(b"".join(mixed))
    assert "metadata.csv is not UTF-8 (line 4): save it as UTF-8" in told(folder)
    for text, encoding in (
        ("красный корабль", "cp1251"),
        ("赤い船", "shift-jis"),
        ("dwa łódki", "cp1250"),
    ):
        content = table(captions=["a", text]).encode(encoding)
        (folder / "metadata.csv").write_bytes(content)
        assert "(line 3)" in told(folder), encoding


def test_lines_beyond_64_kb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = images(tmp_path)
    long = {"file_name": "0.png", "caption": "a", "more": "x" * 300_000}
    (folder / "metadata.jsonl").write_text(json.dumps(long) + "\n")
    assert captions_of(read_pairs(folder)) == ["a"]
    (folder / "metadata.csv").write_text(f"file_name,caption,more\n0.png,a,{'x' * 300_000}\n")
    assert captions_of(read_pairs(folder / "metadata.csv")) == ["a"]
    monkeypatch.setattr(text_tables, "MAX_LINE", 1000)
    for name in ("metadata.jsonl", "metadata.csv"):
        assert "more than 1,000 characters" in told(folder / name)


def test_the_first_json_line_may_lack_a_key(tmp_path: Path) -> None:
    folder = images(tmp_path)
    lines = [{"file_name": "0.png"}, {"file_name": "1.png", "text": "b"}]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    pairs = read_pairs(folder)
    assert captions_of(pairs) == ["b"]
    assert pairs.skipped == {"caption_empty": 1, "image_without_row": 1}
    assert pairs.examples["caption_empty"] == "metadata.jsonl line 1"


def test_names_of_images_as_they_are_written(tmp_path: Path) -> None:
    folder = images(tmp_path / "set")
    (folder / "in").mkdir()
    name = unicodedata.normalize("NFD", "Vögel.png")
    (folder / "in" / name).write_bytes(plain((1, 2, 3)))
    (tmp_path / "secret.png").write_bytes(plain())
    names = ["in\\V\u00f6gel.png", " 0.png ", "./1.png", "..\\secret.png", "2.png/" + "x" * 5000]
    lines = ["file_name,caption", *(f"{one},caption {i}" for i, one in enumerate(names))]
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    pairs = read_pairs(folder)
    assert captions_of(pairs) == ["caption 0", "caption 1", "caption 2"]
    assert pairs.skipped["image_missing"] == 2


def test_links_of_the_hubs_cache_are_followed_and_no_others(tmp_path: Path) -> None:
    repo = tmp_path / "datasets--org--birds"
    snapshot, blobs = repo / "snapshots" / ("0" * 40), repo / "blobs"
    for one in (snapshot, blobs):
        one.mkdir(parents=True)
    (blobs / "abc").write_bytes(plain())
    (tmp_path / "secret.png").write_bytes(plain((9, 9, 9)))
    (snapshot / "0.png").symlink_to("../../blobs/abc")
    (snapshot / "1.png").symlink_to(tmp_path / "secret.png")
    (blobs / "def").write_text(table(captions=["a", "b"]))
    (snapshot / "metadata.csv").symlink_to("../../blobs/def")
    pairs = read_pairs(snapshot)
    assert captions_of(pairs) == ["a"]
    assert pairs.skipped["image_missing"] == 1


def test_captions_beside_images_in_any_encoding(tmp_path: Path) -> None:
    folder = images(tmp_path, 5)
    contents = [
        "“smart” café".encode("cp1252"),
        "“smart” café".encode("utf-16"),
        "“smart” café".encode("utf-8-sig"),
        "赤い船".encode("shift-jis"),
        b"x" * 70_000,
    ]
    for i, content in enumerate(contents):
        (folder / f"{i}.txt").write_bytes(content)
    pairs = read_pairs(folder)
    assert captions_of(pairs) == ["“smart” café"] * 3
    assert pairs.skipped == {"caption_not_text": 1, "caption_too_long": 1}
    assert "3.txt is not UTF-8" in pairs.left_out
    for i in range(3):
        (folder / f"{i}.txt").unlink()
    assert "3.txt is not UTF-8 (line 1): save it as UTF-8" in told(folder)


def test_one_of_several_captions_is_chosen_by_the_seed(tmp_path: Path) -> None:
    contents = [plain((i, 0, 0)) for i in range(20)]
    rows = [
        {"image": one, "caption": ["", *(f"{i} said {n}" for n in range(5))]}
        for i, one in enumerate(contents)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    once, again, other = (
        captions_of(read_pairs(tmp_path / "a.parquet", seed=seed)) for seed in (0, 0, 1)
    )
    assert once == again != other
    assert [text.split()[0] for text in once] == [str(i) for i in range(20)]
    assert len({text.split()[-1] for text in once}) > 1
    every = read_pairs(tmp_path / "a.parquet", all_captions=True)
    assert len(every) == 100
    assert every.skipped == {"caption_empty": 20}


def test_a_hub_dataset_without_pairs_is_not_fetched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    pulled = 0

    def rows():  # type: ignore[no-untyped-def]
        nonlocal pulled
        for i in range(5000):
            pulled += 1
            yield {"image": {"bytes": plain((i % 250, i // 250, 0)), "path": None}, "caption": i}

    stream = datasets.IterableDataset.from_generator(rows)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"train": stream})
    monkeypatch.setattr(hub, "hub_reachable", lambda: True)
    with pytest.raises(BlindspotsError, match=r"first 1,000 rows of org/n.*caption_not_text"):
        read_pairs("org/numbers")
    assert pulled <= 1001


def test_a_mistyped_source_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images(tmp_path / "data" / "photos")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BlindspotsError, match=r"did you mean data/photos\?"):
        read_pairs("data/phots")
