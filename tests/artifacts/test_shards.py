"""Tables with images lie in shards where they are large, and nothing of them is read whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bundle_tools import rehash
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts import writer
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.cards.front_matter import configs
from blindspots_hub.artifacts.hub.repos import Version
from blindspots_hub.artifacts.hub.staging import ALL, NONE, THUMBNAILS_ONLY, staging
from blindspots_hub.artifacts.layout import NATURAL, is_known, table_files, table_path
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import DELTAS, GENERATIONS, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.sources import BundlePairs
from blindspots_hub.utils.files import read_json, write_json

SPEC = Synthetic(n_concepts=40, pairs=60, models={"plain-a": "Plain A", "v1.5": "Version"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("whole") / "b", SPEC)


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same bundle, its pictures in every table, and every table in shards."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 20_000)
    monkeypatch.setattr(writer, "GROUP_BYTES", 4_000)
    root = write_synthetic(tmp_path / "b", SPEC)
    small = read_table(table_files(root, THUMBNAILS)).to_pylist()
    images = {(row["source"], row["pair_id"]): row["image"] for row in small}
    pairs = read_table(table_files(root, PAIRS)).to_pydict()
    pairs["image"] = [images[NATURAL, pair_id] for pair_id in pairs["pair_id"]]
    write_table(root, PAIRS, pairs)
    for model in SPEC.models:
        drawn = read_table(table_files(root, GENERATIONS, model)).to_pydict()
        drawn["image"] = [images[model, pair_id] for pair_id in drawn["pair_id"]]
        write_table(root, GENERATIONS, drawn, model)
    manifest = read_json(root / "bundle.json")
    stays = {name: one for name, one in manifest["files"].items() if (root / name).is_file()}
    more = [*table_files(root, PAIRS)]
    more += [path for model in SPEC.models for path in table_files(root, GENERATIONS, model)]
    names = [path.relative_to(root).as_posix() for path in more]
    manifest["files"] = {**stays, **{key: {} for key in names}}
    for name in names:
        manifest["files"][name] = {}
    write_json(root / "bundle.json", manifest)
    rehash(root)
    return root


def test_a_sharded_bundle_is_whole_and_says_the_same(whole: Path, sharded: Path) -> None:
    assert len(table_files(sharded, THUMBNAILS)) >= 5
    assert not table_path(sharded, THUMBNAILS).exists()
    assert faults(sharded) == []
    small = load_bundle(whole)
    for large in (load_bundle(sharded), load_bundle(sharded, contents=False)):
        for source in (NATURAL, *SPEC.models):
            for pair_id in small.image_ids(source)[::7]:
                assert large.thumbnail(source, pair_id) == small.thumbnail(source, pair_id)
                assert large.image(source, pair_id) == large.thumbnail(source, pair_id).image
                assert large.has_picture(source, pair_id)
        assert large.pairs["pair_id"] == small.pairs["pair_id"]
        assert large.generations("v1.5").num_rows == SPEC.pairs


def test_row_groups_hold_few_images_and_have_statistics(sharded: Path) -> None:
    for path in table_files(sharded, THUMBNAILS):
        described = pq.read_metadata(path)
        for group in range(described.num_row_groups):
            column = described.row_group(group).column(1)
            assert column.path_in_schema == "pair_id"
            assert column.statistics.has_min_max
        sizes = [
            sum(len(cell["bytes"]) for cell in batch.column("image").to_pylist())
            for batch in pq.ParquetFile(path).iter_batches(10_000)
        ]
        assert sum(sizes) <= 20_000


def test_concepts_and_states_have_statistics(whole: Path) -> None:
    """So that a query by state or concept reads only the row groups that may hold one."""
    described = pq.read_metadata(table_path(whole, DELTAS, "v1.5"))
    for group in range(described.num_row_groups):
        one = described.row_group(group)
        assert one.total_byte_size <= 100_000_000
        named = {one.column(i).path_in_schema: one.column(i) for i in range(one.num_columns)}
        for name in ("concept", "state", "relative_state", "q"):
            assert named[name].statistics.has_min_max


def test_pairs_are_read_image_by_image(sharded: Path) -> None:
    bundle = load_bundle(sharded)
    source = BundlePairs(bundle)
    assert source.images_at_hand
    ids = bundle.image_ids(NATURAL)
    rows = source.columns([ids[50], ids[2]])
    assert rows["pair_id"].to_pylist() == [ids[50], ids[2]]
    assert [cell["bytes"] for cell in rows["image"]] == [
        source.image(ids[50]),
        source.image(ids[2]),
    ]


@pytest.mark.parametrize("change", ["missing", "unlisted", "twice", "renumbered"])
def test_a_table_that_lacks_a_shard_is_told(whole: Path, sharded: Path, change: str) -> None:
    path = table_files(sharded, THUMBNAILS)[1]
    name = path.relative_to(sharded).as_posix()
    manifest = read_json(sharded / "bundle.json")
    if change == "missing":
        path.unlink()
    elif change == "unlisted":
        del manifest["files"][name]
        path.unlink()
    elif change == "twice":
        single = table_path(sharded, THUMBNAILS)
        single.write_bytes(table_path(whole, THUMBNAILS).read_bytes())
        manifest["files"][THUMBNAILS.path] = {}
    else:
        other = path.with_name("00077-of-00099.parquet")
        path.rename(other)
        del manifest["files"][name]
        manifest["files"][other.relative_to(sharded).as_posix()] = {}
    write_json(sharded / "bundle.json", manifest)
    if change != "missing":
        rehash(sharded)
    for contents in (True, False):
        found = " ".join(faults(sharded, contents=contents))
        assert (f"{name} is missing" if change == "missing" else "all of its shards") in found


@pytest.mark.parametrize("rule", [ALL, THUMBNAILS_ONLY, NONE])
def test_a_sharded_bundle_is_published(sharded: Path, tmp_path: Path, rule: str) -> None:
    bundle = load_bundle(sharded)
    work = staging(bundle, "large", Version.parse("1.0.0"), rule, tmp_path / "staged")
    for _ in work:
        pass
    assert faults(tmp_path / "staged") == []
    manifest = load_bundle(tmp_path / "staged").manifest
    named = {
        name: path
        for part in ("pairs", "generations", "deltas")
        for name, _, path in configs(part, list(SPEC.models), listed=manifest.files)
    }
    if rule == ALL:
        assert named["v1.5"] == "models/v1.5.parquet"
        assert named["pairs"] == "pairs/*.parquet"
    assert named["concepts"] == "concepts.parquet"


def test_sharded_bundles_are_combined(sharded: Path, whole: Path, tmp_path: Path) -> None:
    one = combine([sharded], tmp_path / "one")
    assert faults(one.root) == []
    small = load_bundle(whole)
    for source in (NATURAL, *SPEC.models):
        for pair_id in small.image_ids(source)[::9]:
            assert one.thumbnail(source, pair_id) == small.thumbnail(source, pair_id)
            assert one.image(source, pair_id) is not None


def test_a_table_takes_the_place_of_its_shards_and_they_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(size: int) -> dict[str, list[object]]:
        cell = {"bytes": bytes(size), "path": "x.webp"}
        return {
            "source": ["natural"] * 4,
            "pair_id": ["a", "b", "c", "d"],
            "caption": [""] * 4,
            "image": [cell] * 4,
        }

    monkeypatch.setattr(writer, "SHARD_BYTES", 1_000)
    monkeypatch.setattr(writer, "GROUP_BYTES", 500)
    for size, files in ((100, 1), (400, 2), (2_000, 4), (10, 1)):
        write_table(tmp_path, THUMBNAILS, rows(size))
        found = table_files(tmp_path, THUMBNAILS)
        assert len(found) == files
        there = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert there == {*found}
        assert read_table(found)["pair_id"].to_pylist() == ["a", "b", "c", "d"]


def test_only_shards_have_a_place_below_a_tables_name() -> None:
    assert is_known("deltas/thumbnails/00000-of-00002.parquet", [])
    assert is_known("generations/v1.5/00001-of-00002.parquet", ["v1.5"])
    assert not is_known("generations/other/00001-of-00002.parquet", ["v1.5"])
    assert not is_known("deltas/concepts/00000-of-00002.parquet", [])
    assert not is_known("deltas/thumbnails/0-of-2.parquet", [])
    assert not is_known("deltas/thumbnails/x/00000-of-00002.parquet", [])
