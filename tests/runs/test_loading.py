"""Loading ahead: the same to the bit, in bounded memory, whatever breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.images import encode_png, open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.coded import Failure
from blindspots_hub.planted.world import world_pairs
from blindspots_hub.progress import drive
from blindspots_hub.runs import loading as module
from blindspots_hub.runs.encoding import (
    ImageLoader,
    code_store,
    encode_all,
    encode_shards,
)
from blindspots_hub.runs.loading import AHEAD, NoImage, loading
from blindspots_hub.runs.session import open_space


@pytest.fixture(scope="module")
def space() -> ConceptSpace:
    return open_space(load_bundle(planted.BUNDLE))


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    return [encode_png(pair.image) for pair in world_pairs(9, seed=3)]


def _batches(count: int, size: int) -> list[list[str]]:
    ids = [f"{i}" for i in range(count)]
    return [ids[start : start + size] for start in range(0, count, size)]


def test_codes_are_those_of_images_encoded_one_after_the_other(space, contents, tmp_path) -> None:
    images: Mapping[str, ImageLoader] = {
        f"{i}": partial(open_image, c) for i, c in enumerate(contents)
    }
    store = code_store(tmp_path, list(images), space)
    store.shard_size = 2
    found = drive(encode_all(store, space, images, "encode"))
    assert found.ids == list(images)
    for image_id, codes in zip(found.ids, found.codes, strict=True):
        alone = space.encode(images[image_id]())
        for name in ("indptr", "concepts", "values"):
            assert np.array_equal(getattr(codes, name), getattr(alone, name))


def test_a_broken_image_stops_no_other_and_has_its_cause(space, contents, tmp_path) -> None:
    def nowhere() -> Image.Image:
        raise NoImage("missing", "It is not there.")

    images: dict[str, ImageLoader] = {
        f"{i}": partial(open_image, c) for i, c in enumerate(contents)
    }
    images["3"] = partial(open_image, contents[3][:300], "image 3")
    images["4"] = nowhere
    store = code_store(tmp_path, list(images), space)
    found = drive(encode_all(store, space, images, "encode"))
    assert found.ids == [i for i in images if i not in "34"]
    assert {i: one.cause for i, one in found.failed.items()} == {"3": "unreadable", "4": "missing"}
    assert "image 3 cannot be decoded" in found.failed["3"].reason


def test_what_the_networks_refuse_is_not_called_unreadable(
    space, contents, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = type(space.backbone).tokens
    plain = space.backbone.preprocess(open_image(contents[2]))

    def bad(backbone: object, pixels: torch.Tensor) -> torch.Tensor:
        found = tokens(backbone, pixels)
        found[[torch.equal(image, plain) for image in pixels]] = float("nan")
        return found

    monkeypatch.setattr(type(space.backbone), "tokens", bad)
    images = {f"{i}": partial(open_image, c) for i, c in enumerate(contents[:4])}
    found = drive(encode_all(code_store(tmp_path, list(images), space), space, images, "encode"))
    assert found.ids == ["0", "1", "3"]
    assert found.failed["2"].cause == "not_encoded"
    assert "NaN" in found.failed["2"].reason


def test_an_error_of_the_program_is_not_swallowed(contents) -> None:
    def fault() -> Image.Image:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(loading([["a"]], {"a": fault}, lambda image: torch.zeros(1)))


def test_no_more_than_two_batches_are_loaded_ahead() -> None:
    asked: list[str] = []

    def load(name: str) -> Image.Image:
        asked.append(name)
        return Image.new("RGB", (8, 8))

    batches = _batches(40, 4)
    images = {name: partial(load, name) for batch in batches for name in batch}
    seen: Iterator[dict[str, object]] = loading(batches, images, lambda image: torch.zeros(1))
    for turn in range(1, 5):
        next(seen)
        time.sleep(0.05)
        assert len(asked) <= (turn + AHEAD) * 4
    assert len(asked) > 4 * 4, "the next ones were not loaded meanwhile"


def test_images_load_while_others_are_encoded() -> None:
    """Two batches whose loading must be under way at once, or this would wait for ever."""
    second = threading.Event()

    def load(name: str) -> Image.Image:
        if name == "1":
            second.set()
        return Image.new("RGB", (8, 8))

    images = {name: partial(load, name) for name in "01"}
    batches = loading([["0"], ["1"]], images, lambda image: torch.zeros(1))
    next(batches)
    assert second.wait(10), "nothing was loaded while the first batch was encoded"


def test_closing_leaves_what_was_not_begun() -> None:
    begun: list[str] = []

    def load(name: str) -> Image.Image:
        begun.append(name)
        time.sleep(0.02)
        return Image.new("RGB", (8, 8))

    batches = _batches(60, 20)
    images = {name: partial(load, name) for batch in batches for name in batch}
    seen = loading(batches, images, lambda image: torch.zeros(1))
    next(seen)
    seen.close()
    at_close = len(begun)
    assert at_close < 60
    time.sleep(0.1)
    assert len(begun) <= at_close + module.threads()


def test_on_zerogpu_no_thread_is_at_work_while_a_worker_is_forked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ON_ZEROGPU", True)
    at_work = 0

    def load() -> Image.Image:
        nonlocal at_work
        at_work += 1
        time.sleep(0.01)
        at_work -= 1
        return Image.new("RGB", (8, 8))

    batches = _batches(12, 4)
    images = {name: load for batch in batches for name in batch}
    for _ in loading(batches, images, lambda image: torch.zeros(1)):
        assert at_work == 0


def test_a_changed_configuration_never_reads_old_shards(space, contents, tmp_path) -> None:
    images = {f"{i}": partial(open_image, c) for i, c in enumerate(contents[:4])}
    ids = list(images)
    first = code_store(tmp_path, ids, space)
    drive(encode_all(first, space, images, "encode"))
    others = [
        code_store(tmp_path, ids[::-1], space),
        code_store(tmp_path, ids[:3], space),
        code_store(tmp_path, ids, space, images_a_pair=2),
        type(first)(tmp_path, ids, "another space", first.layout, first.n_concepts, 32),
    ]
    assert first.has(0)
    assert len({first.folder, *(other.folder for other in others)}) == 5
    assert not any(other.has(0) for other in others)
    # Even a shard that somebody copied there is refused where it holds other images.
    others[1].folder.mkdir()
    (others[1].folder / "shard-00000.safetensors").write_bytes(
        (first.folder / "shard-00000.safetensors").read_bytes()
    )
    assert not others[1].has(0)


def test_shards_that_are_there_are_not_loaded_again(space, contents, tmp_path) -> None:
    images: dict[str, ImageLoader] = {
        f"{i}": partial(open_image, c) for i, c in enumerate(contents)
    }
    store = code_store(tmp_path, list(images), space)
    store.shard_size = 3
    assert list(encode_shards(store, [1], space, images)) == [1]

    def never() -> Image.Image:
        raise AssertionError("loaded again")

    images |= dict.fromkeys(store.shards[1], never)
    assert list(encode_shards(store, [0, 1, 2], space, images)) == [0, 1, 2]
    assert store.load().ids == list(images)


def test_failures_survive_the_disk(space, tmp_path) -> None:
    store = code_store(tmp_path, ["a", "b"], space)
    store.write(0, {}, {"a": Failure("unreadable", "it’s “bad”"), "b": Failure("blank", "")})
    assert store.load().failed["a"] == Failure("unreadable", "it’s “bad”")
    assert store.load().ids == []


def test_errors_of_blindspots_that_are_no_image_s_are_raised(space, tmp_path, monkeypatch) -> None:
    """A GPU that is refused is no fact about an image."""

    def refuse(*_: object) -> list[object]:
        raise BlindspotsError("No GPU.")

    monkeypatch.setattr("blindspots_hub.runs.encoding.encode", refuse)
    store = code_store(tmp_path, ["a"], space)
    with pytest.raises(BlindspotsError, match="No GPU"):
        drive(encode_all(store, space, {"a": lambda: Image.new("RGB", (64, 64))}, "encode"))
    assert not store.has(0)
