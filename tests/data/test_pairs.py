from __future__ import annotations

import gc
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_fixtures import plain
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.data.pairs import (
    MAX_CAPTION,
    CaptionError,
    check_caption,
    choose_pairs,
    match_folders,
    pair_id,
    pair_seed,
    read_pairs,
    reading_pairs,
)
from blindspots_hub.data.sources import hub
from blindspots_hub.data.spool import Spool
from blindspots_hub.errors import BlindspotsError

NAMES = st.lists(st.text("0123456789abcdef", min_size=1, max_size=16), min_size=1, unique=True)


@given(NAMES, st.data(), st.integers(0, 2**31))
def test_choice_is_nested_and_independent_of_order(
    names: list[str], data: st.DataObject, seed: int
) -> None:
    few = data.draw(st.integers(1, len(names)))
    many = data.draw(st.integers(few, len(names)))
    shuffled = data.draw(st.permutations(names))
    chosen = choose_pairs(names, few, seed)
    assert chosen == sorted(chosen)
    assert len(set(chosen)) == few
    assert set(chosen) <= set(choose_pairs(shuffled, many, seed))
    assert chosen == choose_pairs(shuffled, few, seed)


def test_choice_depends_on_the_seed_and_is_bounded() -> None:
    names = [f"{i:016x}" for i in range(100)]
    assert choose_pairs(names, 10, 0) != choose_pairs(names, 10, 1)
    with pytest.raises(BlindspotsError, match="only 100"):
        choose_pairs(names, 101, 0)
    with pytest.raises(BlindspotsError, match="at least 1"):
        choose_pairs(names, 0, 0)


def test_seeds_are_spread_even_over_a_small_subset() -> None:
    names = [f"{i:016x}" for i in range(2000)]
    seeds = [pair_seed(name, 0) / 2**63 for name in choose_pairs(names, 50, 0)]
    assert all(0 <= seed < 1 for seed in seeds)
    assert 0.35 < sum(seeds) / len(seeds) < 0.65
    assert pair_seed(names[0], 0) != pair_seed(names[0], 1)


def test_names_are_stable_and_tell_pairs_apart() -> None:
    digest = hashlib.sha256(b"bytes").hexdigest()
    written = f'{{"caption": "a bird", "image": {{"sha256": "{digest}"}}}}'
    assert pair_id("a bird", b"bytes") == hashlib.sha256(written.encode()).hexdigest()[:16]
    different = {
        pair_id("a bird", b"bytes"),
        pair_id("a bird", "bytes"),
        pair_id("a cat", b"bytes"),
        pair_id("a bird", b"other"),
    }
    assert len(different) == 4


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (None, "caption_empty"),
        (" \n\t", "caption_empty"),
        ("x" * (MAX_CAPTION + 1), "caption_too_long"),
        (3.5, "caption_not_text"),
        (b"bytes", "caption_not_text"),
        ("\ud800", "caption_not_text"),
    ],
)
def test_captions_that_cannot_be_used_have_a_cause(text: object, cause: str) -> None:
    with pytest.raises(CaptionError) as caught:
        check_caption(text)
    assert caught.value.cause == cause


def test_captions_that_can_be_used_are_stripped() -> None:
    assert check_caption(" ein Vögelchen\n") == "ein Vögelchen"
    assert check_caption("x" * MAX_CAPTION) == "x" * MAX_CAPTION


def colours(n: int) -> list[bytes]:
    return [plain((10 * i, 20, 30)) for i in range(n)]


def write_images(folder: Path, n: int, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, content in enumerate(colours(n)):
        (folder / f"{i:03d}{suffix}").write_bytes(content)
    return folder


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("caption", pa.string()), ("image", image), ("url", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def test_folder_with_metadata_csv(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "set", 4)
    (tmp_path / "secret.png").write_bytes(plain())
    (folder / "broken.png").write_bytes(b"no image")
    rows = [
        ("000.png", "a first"),
        ("001.png", "a second"),
        ("000.png", "a first"),
        ("002.png", ""),
        ("003.png", "x" * 3000),
        ("absent.png", "gone"),
        ("../secret.png", "outside"),
        (str(tmp_path / "secret.png"), "outside"),
        ("broken.png", "broken"),
    ]
    lines = ["file_name,Text", *(f"{name},{caption}" for name, caption in rows)]
    (folder / "metadata.csv").write_text("\n".join(lines))
    pairs = read_pairs(folder)
    assert [caption for _, caption in pairs.ids_and_captions] == ["a first", "a second"]
    assert pairs.skipped == {
        "duplicate": 1,
        "caption_empty": 1,
        "caption_too_long": 1,
        "image_missing": 3,
        "image_unreadable": 1,
    }
    for name, caption in pairs.ids_and_captions:
        assert pair_id(caption, pairs.image(name)) == name
    (folder / "000.png").write_bytes(plain((1, 2, 3)))
    with pytest.raises(BlindspotsError, match=r"000\.png has changed"):
        pairs.image(pairs.ids_and_captions[0][0])
    with pytest.raises(BlindspotsError, match="no pair"):
        pairs.image("0" * 16)


def test_every_kind_of_source_gives_the_same_pairs(tmp_path: Path) -> None:
    content = colours(3)
    captions = ["one", "two", "drei Vögel"]
    beside = write_images(tmp_path / "beside", 3)
    listed = write_images(tmp_path / "listed", 3)
    for i, caption in enumerate(captions):
        (beside / f"{i:03d}.txt").write_text(caption, encoding="utf-8")
    records = [
        {"file_name": f"{i:03d}.png", "prompt": caption} for i, caption in enumerate(captions)
    ]
    (listed / "metadata.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    table = write_parquet(
        tmp_path / "pairs.parquet",
        [
            {"caption": caption, "image": {"bytes": image, "path": None}, "url": f"https://x/{i}"}
            for i, (caption, image) in enumerate(zip(captions, content, strict=True))
        ],
    )
    (tmp_path / "shards" / "data").mkdir(parents=True)
    (tmp_path / "shards" / "data" / "train-0.parquet").write_bytes(table.read_bytes())
    expected = tuple(
        (pair_id(caption, image), caption) for caption, image in zip(captions, content, strict=True)
    )
    for source in (beside, listed, listed / "metadata.jsonl", table, tmp_path / "shards"):
        pairs = read_pairs(source)
        assert pairs.ids_and_captions == expected, source
        assert [pair.image for pair in reversed(list(pairs))] == content[::-1]
    assert read_pairs(table).pair(expected[2][0]).url == "https://x/2"
    assert read_pairs(table, limit=2).ids_and_captions == expected[:2]


def test_a_row_without_bytes_reads_no_file_outside(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(plain())
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "mine.png").write_bytes(plain((9, 9, 9)))
    rows = [
        {"caption": "a", "image": {"bytes": None, "path": str(tmp_path / "secret.png")}},
        {"caption": "b", "image": {"bytes": None, "path": "mine.png"}},
    ]
    pairs = read_pairs(write_parquet(tmp_path / "inner" / "pairs.parquet", rows))
    assert [caption for _, caption in pairs.ids_and_captions] == ["b"]
    assert pairs.skipped == {"image_missing": 1}


def test_sources_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    images = write_images(tmp_path / "bare", 2)
    with pytest.raises(BlindspotsError, match="no captions"):
        read_pairs(images)
    (tmp_path / "a.csv").write_text("name,label\nx,y\n")
    with pytest.raises(BlindspotsError, match=r"no column caption.*name, label"):
        read_pairs(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"caption,image\n\xff\xfe,x\n")
    with pytest.raises(BlindspotsError, match="UTF-8"):
        read_pairs(tmp_path / "b.csv")
    (tmp_path / "c.jsonl").write_text('{"caption": "x", "image": "y"}\n[1]\n')
    with pytest.raises(BlindspotsError, match="line 2"):
        read_pairs(tmp_path / "c.jsonl")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BlindspotsError, match="not a readable parquet"):
        read_pairs(tmp_path / "d.parquet")
    (tmp_path / "e.csv").write_text("caption,image\n,none.png\n")
    with pytest.raises(BlindspotsError, match=r"no usable pair \(1 caption_empty"):
        read_pairs(tmp_path / "e.csv")
    with pytest.raises(BlindspotsError, match="does not exist"):
        read_pairs(tmp_path / "nowhere" / "at" / "all")
    (tmp_path / "f.rar").write_bytes(b"x")
    with pytest.raises(BlindspotsError, match="no source of pairs"):
        read_pairs(tmp_path / "f.rar")


def test_reading_shows_its_progress(tmp_path: Path) -> None:
    rows = [
        {"caption": f"number {i}", "image": {"bytes": plain(), "path": None}} for i in range(250)
    ]
    events = list(reading_pairs(write_parquet(tmp_path / "many.parquet", rows)))
    assert [event.done for event in events] == [100, 200, 250]


def test_hub_dataset_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = write_parquet(
        tmp_path / "train.parquet",
        [
            {"caption": f"{i}", "image": {"bytes": content, "path": None}}
            for i, content in enumerate(colours(5))
        ]
        + [{"caption": "local", "image": {"bytes": None, "path": str(tmp_path / "own.png")}}],
    )
    (tmp_path / "own.png").write_bytes(plain((7, 7, 7)))
    true_load = datasets.load_dataset
    asked: dict[str, Any] = {}

    def load(name: str, revision: str | None, streaming: bool) -> Any:
        asked.update(name=name, revision=revision, streaming=streaming)
        loaded = true_load(
            "parquet", data_files=str(table), streaming=True, cache_dir=str(tmp_path / "cache")
        )
        return datasets.IterableDatasetDict(
            {"train": loaded["train"].cast_column("image", datasets.Image())}
        )

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(hub, "hub_reachable", lambda: True)
    pairs = read_pairs("org/birds@v1")
    assert asked == {"name": "org/birds", "revision": "v1", "streaming": True}
    assert [pair.image for pair in pairs] == colours(5)
    assert pairs.skipped == {"image_missing": 1}
    assert len(read_pairs("org/birds", limit=2)) == 2


def test_hub_dataset_without_a_hub_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hub_reachable", lambda: False)
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        read_pairs("org/birds")


def test_folders_are_paired_by_stem(tmp_path: Path) -> None:
    natural = write_images(tmp_path / "natural", 5, ".jpg")
    generated = write_images(tmp_path / "generated", 4)
    (generated / "extra.png").write_bytes(plain())
    matched = match_folders(natural, generated)
    assert matched.paired
    assert [path.name for path in matched.natural] == [f"{i:03d}.jpg" for i in range(4)]
    assert [path.name for path in matched.generated] == [f"{i:03d}.png" for i in range(4)]
    assert (matched.unmatched_natural, matched.unmatched_generated) == (1, 1)


def test_folders_with_few_common_stems_are_not_paired(tmp_path: Path) -> None:
    natural = write_images(tmp_path / "natural", 5)
    generated = tmp_path / "generated"
    generated.mkdir()
    for name in ("000", "001", "x", "y", "z"):
        (generated / f"{name}.png").write_bytes(plain())
    matched = match_folders(natural, generated)
    assert not matched.paired
    assert (len(matched.natural), len(matched.generated)) == (5, 5)


def test_folders_that_cannot_be_compared_are_told(tmp_path: Path) -> None:
    two = write_images(tmp_path / "two", 2)
    with pytest.raises(BlindspotsError, match="single image"):
        match_folders(two, write_images(tmp_path / "one", 1))
    with pytest.raises(BlindspotsError, match="both sides"):
        match_folders(two, tmp_path / "two" / ".." / "two")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BlindspotsError, match="no images"):
        match_folders(tmp_path / "empty", two)
    other = write_images(tmp_path / "other", 2)
    write_images(other, 2, ".jpg")
    with pytest.raises(BlindspotsError, match="same stem"):
        match_folders(two, other)


def test_a_spool_nobody_closes_leaves_no_open_file() -> None:
    """A file that is collected open is a ResourceWarning, which is an error in these tests."""
    spool = Spool()
    spool.add("one", b"content")
    spool.add("two", b"")
    assert (spool.read("one"), spool.read("two")) == (b"content", b"")
    file = spool._file
    del spool
    gc.collect()
    assert file.closed
    closed = Spool()
    closed.close()
    closed.close()
