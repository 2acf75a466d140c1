"""Compiled loops, and pieces of work side by side."""

from __future__ import annotations

import threading
from typing import Any

import numba
import pytest
import torch
from threads import torch_threads

from blindspots_hub.utils import compiled
from blindspots_hub.utils.cores import cores, on_all_cores
from blindspots_hub.utils.side_by_side import side_by_side


def _twice(number: int) -> int:
    return 2 * number


def test_a_loop_is_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    true, asked = numba.njit, []

    def njit(*args: Any, **options: Any) -> Any:
        asked.append(options.get("cache"))
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return true(*args, **options)

    monkeypatch.setattr(numba, "njit", njit)
    loop = compiled.compiled(_twice)
    assert asked == [True, None]
    assert loop(21) == 42


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_all_cores_do_everything_once(count: int) -> None:
    done = [0] * count
    threads = set()

    def work(start: int, stop: int) -> None:
        threads.add(threading.get_ident())
        for item in range(start, stop):
            done[item] += 1

    on_all_cores(work, count)
    assert done == [1] * count
    assert len(threads) <= cores()


@pytest.fixture
def three_threads():
    with torch_threads(3):
        yield


@pytest.mark.usefixtures("three_threads")
def test_pieces_side_by_side_have_a_thread_each() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def work(piece: int) -> tuple[int, int]:
        meeting.wait()  # all three are at work at once
        return piece, torch.get_num_threads()

    assert side_by_side(work, [4, 5, 6]) == [(4, 1), (5, 1), (6, 1)]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_threads_that_start_later_have_all_of_torchs_threads() -> None:
    side_by_side(str, [1, 2])
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [3]


@pytest.mark.usefixtures("three_threads")
def test_a_single_piece_has_all_threads_or_one() -> None:
    def threads(_: int) -> int:
        return torch.get_num_threads()

    assert side_by_side(threads, [0]) == [3]
    assert side_by_side(threads, [0], alone=True) == [1]


@pytest.mark.usefixtures("three_threads")
def test_an_error_of_a_piece_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda piece: 1 // piece, [1, 0, 2])
    assert side_by_side(lambda piece: 1 // piece, [1, 1]) == [1, 1]
