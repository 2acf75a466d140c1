"""Atomic writing and told errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work, drive
from blindspots_hub.utils.files import (
    atomic,
    copy_files,
    public_name,
    read_json,
    remove_abandoned,
    write_bytes,
    write_json,
)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic(path) as partial:
        partial.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_path_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic(path) as first, atomic(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
        assert first.read_bytes() == b"first"
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")
    with pytest.raises(BlindspotsError, match=r"disk is full while writing .*run the same"):
        with atomic(path) as partial:
            partial.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlindspotsError, match="cannot be written"):
        write_json(tmp_path / "file" / "x.json", {})


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in ("staged-1", "staged-2", "mine"))
    for folder in (old, young, other):
        (folder / "deep").mkdir(parents=True)
    (tmp_path / "staged-file").write_text("x")
    (tmp_path / "staged-link").symlink_to(other)
    for path in (old, other, tmp_path / "staged-file"):
        os.utime(path, (0, 0))
    assert remove_abandoned(tmp_path, "staged-*", 3_600) == [old]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine", "staged-2", "staged-file", "staged-link",
    ]  # fmt: skip
    assert remove_abandoned(tmp_path / "none", "*", 0) == []


def test_files_are_copied_by_name(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a/b/c.bin", b"1")
    write_bytes(tmp_path / "a/d.bin", b"2")
    copy_files(tmp_path / "a", tmp_path / "z", ["b/c.bin", "d.bin"])
    assert (tmp_path / "z/b/c.bin").read_bytes() == b"1"
    assert (tmp_path / "z/d.bin").read_bytes() == b"2"


def test_json_that_is_no_object_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(BlindspotsError, match="does not hold a JSON object"):
        read_json(tmp_path / "x.json")


def test_drive_shows_every_event_and_returns_the_result() -> None:
    def work() -> Work[str]:
        yield Event("a", 0, 2)
        yield Event("a", 1, 2)
        return "done"

    seen: list[Event] = []
    assert drive(work(), seen.append) == "done"
    assert [event.done for event in seen] == [0, 1]


def test_a_file_that_is_no_folder_has_no_json_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlindspotsError, match="is missing"):
        read_json(tmp_path / "file" / "x.json")
    with pytest.raises(BlindspotsError, match="is no file"):
        read_json(tmp_path)


def test_a_folder_is_known_by_its_name_and_all_else_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "anna/dino").mkdir(parents=True)
    assert public_name(tmp_path / "anna/dino") == "dino"
    monkeypatch.chdir(tmp_path / "anna/dino")
    assert public_name(".") == "dino"
    assert public_name("facebook/dinov2-base") == "facebook/dinov2-base"


def test_a_name_that_no_disk_takes_is_told(tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="is no usable path"):
        write_json(tmp_path / ("a" * 300) / "x.json", {})


def test_a_place_that_takes_no_folder_is_told() -> None:
    with pytest.raises(BlindspotsError, match=r"(No folder can be made at|cannot be written)"):
        write_json(Path("/proc/nothing/x.json"), {})


def test_a_fault_of_the_program_stays_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        with atomic(tmp_path / "x"):
            (tmp_path / "missing").read_bytes()
