"""Pictures of a table are read by row group, and only those that are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blindspots_hub.artifacts import picture_index, picture_table
from blindspots_hub.artifacts.column_checks import RULES
from blindspots_hub.artifacts.picture_table import PictureTable
from blindspots_hub.artifacts.schema import THUMBNAILS
from blindspots_hub.artifacts.writer import PICTURES_A_GROUP, image_cell, write_table
from blindspots_hub.errors import BlindspotsError

ROWS = 700


def picture_of(row: int) -> bytes:
    return b"RIFF" + row.to_bytes(4, "little") * 20


def columns() -> dict[str, list[object]]:
    return {
        "source": ["natural" if row % 2 else "plain" for row in range(ROWS)],
        "pair_id": [f"{row // 2:04d}" for row in range(ROWS)],
        "caption": [f"caption {row // 2}" if row else "" for row in range(ROWS)],
        "image": [
            image_cell(None if row == 9 else picture_of(row), "x.webp") for row in range(ROWS)
        ],
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("table")
    write_table(root, THUMBNAILS, columns())
    return root / THUMBNAILS.path


def opened(path: Path) -> PictureTable:
    return PictureTable(path, ("source", "pair_id"), 2**20, captions="caption")


def test_thumbnails_are_written_in_small_row_groups(path: Path) -> None:
    described = pq.read_metadata(path)
    sizes = [described.row_group(group).num_rows for group in range(described.num_row_groups)]
    assert max(sizes) == PICTURES_A_GROUP
    assert sum(sizes) == ROWS


def test_every_picture_and_caption_is_found_by_its_key(path: Path) -> None:
    table = opened(path)
    for row in (0, 1, 255, 256, 511, 512, 699):
        key = ("natural" if row % 2 else "plain", f"{row // 2:04d}")
        assert key in table
        assert table.image(*key) == picture_of(row)
        assert table.caption(*key) == (f"caption {row // 2}" if row else "")
    assert table.image("natural", "0004") is None, "a row without an image"
    assert table.image("natural", "absent") is None
    assert ("other", "0000") not in table
    assert table.caption("natural", "absent") == ""


def test_of_a_sorted_table_only_the_row_groups_that_may_hold_a_key_are_read(path: Path) -> None:
    table = opened(path)
    assert ("natural", "0300") in table
    assert ("natural", "absent") not in table
    assert ("absent", "0300") not in table
    assert list(table._index._kept) == [2]


def test_an_unsorted_table_and_one_without_statistics_are_found_through(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(ROWS)
    mixed = {name: [values[row] for row in order] for name, values in columns().items()}
    for number, told in enumerate((True, False)):
        path = tmp_path / f"{number}.parquet"
        whole = pa.table(mixed, THUMBNAILS.schema)
        pq.write_table(whole, path, row_group_size=100, write_statistics=told)
        table = opened(path)
        for row in (0, 255, 256, 699):
            key = ("natural" if row % 2 else "plain", f"{row // 2:04d}")
            assert table.image(*key) == picture_of(row)
        assert ("natural", "absent") not in table


def test_keys_of_all_row_groups_do_not_stay_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_index, "GROUPS_KEPT", 1)
    table = opened(path)
    for row in (0, 300, 699, 0):
        assert ("natural" if row % 2 else "plain", f"{row // 2:04d}") in table
    assert len(table._index._kept) == 1


def test_a_file_is_vouched_for_before_a_picture_of_it_is_given(path: Path) -> None:
    asked: list[Path] = []
    keys = ("source", "pair_id")
    table = PictureTable(path, keys, 2**20, captions="caption", sound=asked.append)
    assert ("plain", "0000") in table
    assert asked == [], "that there is one is no content"
    assert table.image("plain", "0000") == picture_of(0)
    assert table.caption("natural", "0001") == "caption 1"
    assert asked == [path, path]


def test_keys_that_break_the_rules_are_told(tmp_path: Path) -> None:
    long = {name: values[:3] for name, values in columns().items()}
    long["pair_id"] = ["a", "b" * 500, "c"]
    whole = tmp_path / "long.parquet"
    pq.write_table(pa.table(long, THUMBNAILS.schema), whole)
    table = PictureTable(whole, ("source", "pair_id"), 2**20, rules=RULES[THUMBNAILS.path])
    with pytest.raises(BlindspotsError, match="'pair_id' holds a text of more than 120"):
        table.image("plain", "a")


def test_a_table_of_one_large_row_group_is_read_some_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "one.parquet"
    pq.write_table(pa.table(columns(), THUMBNAILS.schema), whole)
    monkeypatch.setattr(picture_table, "LARGEST_GROUP", 0)
    monkeypatch.setattr(picture_table, "KEPT_BYTES", 0)
    table = opened(whole)
    for row in (699, 0, 300, 301):
        assert table.image("natural" if row % 2 else "plain", f"{row // 2:04d}") == picture_of(row)
    assert len(table._kept) == 1


def test_each_row_group_is_unpacked_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = opened(path)
    read, unpack = [], table._unpacked
    monkeypatch.setattr(table, "_unpacked", lambda g, spool: read.append(g) or unpack(g, spool))
    for row in [*range(0, ROWS, 10), *range(0, ROWS, 10)]:
        assert table.image("plain", f"{row // 2:04d}") == picture_of(row)
    assert sorted(read) == [0, 1, 2]
    assert table._kept == {}, "nothing stays in memory"


def test_without_room_on_the_disk_what_stays_in_memory_is_bounded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture_table.tempfile, "TemporaryFile", full)
    monkeypatch.setattr(picture_table, "KEPT_BYTES", 30_000)
    table = opened(path)
    for row in range(0, ROWS, 10):
        assert table.image("plain", f"{row // 2:04d}") == picture_of(row)
    assert len(table._kept) == 1


def test_a_picture_that_is_too_large_is_told(path: Path) -> None:
    table = PictureTable(path, ("source", "pair_id"), 3)
    with pytest.raises(BlindspotsError, match="an image of more than 3 bytes"):
        table.image("plain", "0000")
