"""Codes in a store are read shard by shard, and say what codes in memory say."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.measure import coded as module
from blindspots_hub.measure.coded import CodedImages, Failure, KeptCodes
from blindspots_hub.measure.store import CodeStore, ShardPart
from blindspots_hub.runs.encoding import load_shared
from blindspots_hub.utils.distributed import Processes

LAYOUT = TokenLayout(1, 2, (2, 2))
N, IMAGES, SHARD = 12, 11, 3


def codes_of(image: int) -> SparseCodes:
    rng = np.random.default_rng(image)
    dense = rng.gamma(2.0, 1.0, (LAYOUT.tokens, N)) * (rng.random((LAYOUT.tokens, N)) < 0.3)
    fires = [np.flatnonzero(row) for row in dense]
    return SparseCodes(
        np.cumsum([0, *(len(one) for one in fires)]).astype(np.int64),
        np.concatenate(fires).astype(np.int32),
        np.concatenate([row[row > 0] for row in dense]).astype(np.float32),
        N,
    )


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """Image 4 has no codes, and image 5 no thumbnail."""
    ids = [f"{image:02d}" for image in range(IMAGES)]
    found = CodeStore(tmp_path, ids, "space", LAYOUT, N, SHARD)
    for shard in range(len(found.shards)):
        here = {i: codes_of(int(i)) for i in found.ids_of(shard) if i != "04"}
        failed = {i: Failure("blank", "") for i in found.ids_of(shard) if i == "04"}
        small = {i: f"webp {i}".encode() for i in here if i != "05"}
        found.write(shard, here, failed, small)
    return found


def in_memory(ids: list[str]) -> CodedImages:
    return CodedImages.of({i: codes_of(int(i)) for i in ids}, {}, LAYOUT, N)


def same(kept: CodedImages, held: CodedImages) -> None:
    for tokens in ("patches", "all"):
        one, other = kept.energies(tokens), held.energies(tokens)
        for name in ("indptr", "concepts", "energies"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(*(one.summed("patches").token_fires for one in (kept, held)))
    for row in range(len(kept.ids)):
        for concept in range(N):
            for a, b in zip(kept.heat(row, concept), held.heat(row, concept), strict=True):
                assert np.array_equal(a, b)
    one_by_one = (kept.token_codes(kept.ids, "patches"), held.token_codes(held.ids, "patches"))
    assert np.array_equal(*(codes.values for codes in one_by_one))


def test_kept_codes_say_what_those_in_memory_say(store: CodeStore) -> None:
    kept = store.load()
    assert kept.ids == [i for i in store.ids if i != "04"]
    assert set(kept.failed) == {"04"}
    same(kept, in_memory(kept.ids))
    some = ["09", "00", "05", "09"]
    same(kept.take(some), in_memory(["09", "00", "05"]).take(some))


def test_thumbnails_come_with_the_codes(store: CodeStore) -> None:
    kept = store.load()
    for row, image_id in enumerate(kept.ids):
        assert kept.thumbnail(row) == (None if image_id == "05" else f"webp {image_id}".encode())
    assert kept.take(["07"]).thumbnail(0) == b"webp 07"
    assert in_memory(kept.ids).thumbnail(0) is None


def test_each_shard_is_read_once_in_order_and_few_stay(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_SHARDS", 2)
    read: list[int] = []
    whole = CodeStore.read
    monkeypatch.setattr(CodeStore, "read", lambda self, n: read.append(n) or whole(self, n))
    kept = store.load()
    kept.energies("all")
    assert read == [0, 1, 2, 3]
    assert isinstance(kept.codes, KeptCodes)
    assert len(kept.codes._kept) == 2


def test_a_shard_of_nothing_is_read(tmp_path: Path) -> None:
    store = CodeStore(tmp_path, ["a"], "space", LAYOUT, N, SHARD)
    store.write(0, {}, {"a": Failure("blank", "")}, {"a": b""})
    assert store.load().ids == []
    assert store.load().energies("patches").n_images == 0


@pytest.mark.parametrize("tokens", ["patches", "all"])
def test_sums_of_shards_are_those_of_all_images(store: CodeStore, tokens: str) -> None:
    """Each image by itself, put together in their order: to the bit, whoever summed which shard."""
    kept = store.load(tokens=tokens)
    assert kept.sums is not None
    assert kept.sums.tokens == tokens
    same(kept, in_memory(kept.ids))
    some = ["09", "00", "05"]
    same(kept.take(some), in_memory(some))
    fires = kept.summed(tokens).token_fires
    dense = np.zeros((3, N), np.int32)
    for image_id in kept.ids:
        codes = codes_of(int(image_id))
        for kind, (first, last) in enumerate([(0, 1), (1, 3), (3, LAYOUT.tokens)]):
            dense[kind, np.unique(codes.rows(first, last).concepts)] += 1
    assert np.array_equal(fires, dense)


class OneOf(Processes):
    """One of two processes, the other of which has read its shards already."""

    def everyones(self, own: list[ShardPart]) -> list[list[ShardPart]]:
        OTHERS[self.rank] = pickle.loads(pickle.dumps(own))
        return [OTHERS.get(0, []), OTHERS.get(1, [])]


OTHERS: dict[int, list[ShardPart]] = {}


def test_two_processes_read_half_of_the_shards_each_and_have_all(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    OTHERS.clear()
    read: list[int] = []
    whole = CodeStore._whole
    monkeypatch.setattr(
        CodeStore, "_whole", lambda self, shard: read.append(shard) or whole(self, shard)
    )
    load_shared(store, OneOf(1, 2), "patches")
    assert read == [1, 3]
    read.clear()
    coded = load_shared(store, OneOf(0, 2), "patches")
    assert read == [0, 2]
    alone = store.load()
    assert coded.ids == alone.ids
    assert coded.failed == alone.failed
    assert coded.sums is not None
    same(coded, alone)
