"""The token store: the format as it is written down, resuming, and finding every bad shard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from training_fixtures import write_store
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.tokens import store as format_page
from blindspots_hub.concepts.tokens import write as token_store_write
from blindspots_hub.concepts.tokens.check import checking_store
from blindspots_hub.concepts.tokens.store import TokenStore
from blindspots_hub.concepts.tokens.write import writing_store
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.utils.files import fingerprint


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load(planted.BUNDLE / "backbone")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(7):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"no image")
    return sorted(folder.iterdir())


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(token_store_write, "IMAGES_A_SHARD", 3)


def some_tokens(images: int = 10, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).normal(size=(images, 5, 4)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_written_is_what_the_backbone_gives(backbone, images, dtype, tmp_path):
    store = drive(writing_store(tmp_path / "store", images, open_image, backbone, dtype))
    readable = [path for path in images if path.name != "3.png"]
    expected = torch.cat(
        [backbone.tokens(backbone.preprocess(open_image(path))[None])[0] for path in readable]
    ).numpy()
    assert store.n_images == 6
    assert store.shape == expected.shape
    assert np.array_equal(store[:], expected.astype(dtype))
    # read by the page alone
    manifest = json.loads((tmp_path / "store/store.json").read_text())
    arrays = [np.load(tmp_path / "store" / shard["file"]) for shard in manifest["shards"]]
    assert [len(array) for array in arrays] == [shard["tokens"] for shard in manifest["shards"]]
    assert np.array_equal(np.concatenate(arrays), expected.astype(dtype))
    (skipped,) = [one for shard in manifest["shards"] for one in shard["skipped"]]
    assert skipped["image"] == "3.png"
    assert "not an image" in skipped["reason"]
    assert drive(checking_store(tmp_path / "store")) == []


def test_the_page_names_everything_in_a_store(backbone, images, tmp_path):
    drive(writing_store(tmp_path, images, open_image, backbone))
    manifest = json.loads((tmp_path / "store.json").read_text())
    page = format_page.__doc__
    shard = manifest["shards"][1]
    for name in [*manifest, *manifest["config"], *manifest["config"]["layout"], *shard]:
        assert f"`{name}`" in page, name
    assert all(f"`{name}`" in page for name in ("image", "reason"))
    assert f"schema version {manifest['schema_version']}\n" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "store.json", "tokens-00000.npy", "tokens-00001.npy", "tokens-00002.npy",
    ]  # fmt: skip


def test_writing_goes_on_with_the_shard_that_was_lost(backbone, images, tmp_path):
    whole = drive(writing_store(tmp_path / "whole", images, open_image, backbone))
    loaded: list[str] = []

    def load(path: Path) -> Image.Image:
        loaded.append(path.name)
        return open_image(path)

    folder = tmp_path / "parts"
    work = writing_store(folder, images, load, backbone)
    while not (folder / "tokens-00000.json").exists():
        next(work)
    work.close()
    with pytest.raises(BlindspotsError, match="no finished token store"):
        TokenStore.open(folder)
    first = len(loaded)
    store = drive(writing_store(folder, images, load, backbone))
    assert [path.name for path in images[:3]] == loaded[:3]
    assert not set(loaded[first:]) & set(loaded[:3])
    assert np.array_equal(store[:], whole[:])
    assert (folder / "store.json").read_bytes() == (tmp_path / "whole/store.json").read_bytes()
    before = len(loaded)
    drive(writing_store(folder, images, load, backbone))
    assert len(loaded) == before


def test_tokens_of_something_else_are_not_mixed_in(backbone, images, tmp_path):
    drive(writing_store(tmp_path, images, open_image, backbone))
    with pytest.raises(BlindspotsError, match="other images"):
        drive(writing_store(tmp_path, images[1:], open_image, backbone))
    with pytest.raises(BlindspotsError, match="another type"):
        drive(writing_store(tmp_path, images, open_image, backbone, "float32"))


def test_tokens_that_are_not_finite_are_not_stored(backbone, images, tmp_path, monkeypatch):
    tokens = Backbone.tokens
    monkeypatch.setattr(Backbone, "tokens", lambda self, pixels: 1e6 * tokens(self, pixels))
    with pytest.raises(BlindspotsError, match="too large for float16"):
        drive(writing_store(tmp_path, images, open_image, backbone))
    drive(writing_store(tmp_path, images, open_image, backbone, "float32"))


@given(st.data(), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=30)
def test_a_store_is_read_like_an_array(tmp_path_factory, data, images, images_a_shard):
    tokens = some_tokens(images, "float16")
    folder = tmp_path_factory.mktemp("stores") / "store"
    write_store(folder, tokens, images_a_shard)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=images, max_size=images)))
    store, array = TokenStore.open(folder), tokens
    if data.draw(st.booleans()) and chosen.any():
        store, array = store.images(chosen), tokens[chosen]
    array = array.reshape(-1, 4)
    assert store.shape == array.shape
    rows = data.draw(st.lists(st.integers(0, len(array) - 1), max_size=9))
    assert np.array_equal(store[np.array(rows, np.int64)], array[np.array(rows, np.int64)])
    low, high = sorted(data.draw(st.tuples(st.integers(0, 60), st.integers(0, 60))))
    assert np.array_equal(store[low:high], array[low:high])
    assert store[:].dtype == np.float16


def test_stores_are_told_apart(tmp_path):
    write_store(tmp_path / "a", some_tokens())
    write_store(tmp_path / "b", some_tokens(9))
    a, b = (TokenStore.open(tmp_path / name) for name in "ab")
    part = a.images(np.arange(10) > 3)
    assert len({a.fingerprint, b.fingerprint, part.fingerprint}) == 3
    assert TokenStore.open(tmp_path / "a").fingerprint == a.fingerprint


def damaged(folder: Path) -> list[str]:
    """A store of seven shards with a fault of each kind; what is to be told of each."""
    manifest = write_store(folder, some_tokens(14), images_a_shard=2)
    paths = [folder / shard["file"] for shard in manifest["shards"]]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-4])
    content = bytearray(paths[2].read_bytes())
    content[-1] ^= 1
    paths[2].write_bytes(content)
    array = np.load(paths[3])
    array[3, 2] = np.nan
    np.save(paths[3], array)
    manifest["shards"][4]["config_hash"] = "0" * 64
    paths[5].write_bytes(b"x" * paths[5].stat().st_size)
    (folder / "tokens-00009.npy").write_bytes(b"")
    (folder / "store.json").write_text(json.dumps(manifest))
    return [
        "tokens-00000.npy is missing",
        "tokens-00001.npy has 284 bytes instead of 288",
        "tokens-00002.npy has another sha256",
        "tokens-00003.npy has another sha256",
        "tokens-00003.npy holds NaN or infinity",
        "tokens-00004.npy was written for another configuration",
        "tokens-00005.npy has another sha256",
        "tokens-00005.npy is no NumPy array",
        "tokens-00009.npy is not part of the store",
    ]


def test_validation_lists_every_bad_shard(tmp_path):
    expected = damaged(tmp_path / "store")
    assert drive(checking_store(tmp_path / "store")) == expected
    with pytest.raises(BlindspotsError, match=r"00000.npy is missing; tokens-00001.npy has 284"):
        TokenStore.open(tmp_path / "store")


def test_the_commands(images, tmp_path):
    arguments = ["token-store", str(images[0].parent), "--out", str(tmp_path / "store")]
    arguments += ["--backbone", str(planted.BUNDLE / "backbone"), "--device", "cpu", "--quiet"]
    run = CliRunner().invoke(cli.app, arguments)
    assert run.exit_code == 0, (run.output, run.exception)
    assert "6 images" in run.output
    run = CliRunner().invoke(cli.app, ["validate-tokens", str(tmp_path / "store"), "--quiet"])
    assert run.exit_code == 0, run.output
    expected = damaged(tmp_path / "damaged")
    run = CliRunner().invoke(cli.app, ["validate-tokens", str(tmp_path / "damaged"), "--quiet"])
    assert run.output.splitlines()[: len(expected)] == expected
    assert isinstance(run.exception, BlindspotsError)
    run = CliRunner().invoke(cli.app, [*arguments[:-3], "--dtype", "float8"])
    assert isinstance(run.exception, BlindspotsError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"config_hash": "0" * 64}, "changed after"),
        ({"shards": []}, "changed after"),
        ({"shards": [{"file": "../x"}]}, "changed after"),
        (None, "no finished token store"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(tmp_path, change, words):
    manifest = write_store(tmp_path / "store", some_tokens())
    path = tmp_path / "store/store.json"
    if change is None:
        path.unlink()
    else:
        path.write_text(json.dumps({**manifest, **change}))
    for use in (TokenStore.open, lambda folder: drive(checking_store(folder))):
        with pytest.raises(BlindspotsError, match=words):
            use(tmp_path / "store")


def test_a_config_that_was_edited_is_told(tmp_path):
    manifest = write_store(tmp_path / "store", some_tokens())
    assert manifest["config_hash"] == fingerprint(manifest["config"])
    manifest["config"]["backbone"] = "another"
    (tmp_path / "store/store.json").write_text(json.dumps(manifest))
    with pytest.raises(BlindspotsError, match="changed after"):
        TokenStore.open(tmp_path / "store")
