"""A bundle in shards is published, opened and queried as any other."""

from __future__ import annotations

import re
from pathlib import Path

import datasets
import pytest
from hub_fixtures import MODELS, contents, restate, write_publishable
from local_hub import Hub

from blindspots_hub.artifacts import energy_files, writer
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.cards.bundle_cards import repo_cards
from blindspots_hub.artifacts.energy_files import write_energies
from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import KINDS, Reference
from blindspots_hub.artifacts.layout import NATURAL, table_files
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import GENERATIONS, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_publishable(tmp_path / "mine", name="shards")
    monkeypatch.setattr(writer, "SHARD_BYTES", 2_000)
    monkeypatch.setattr(writer, "GROUP_BYTES", 600)
    for spec, models in ((PAIRS, [None]), (THUMBNAILS, [None]), (GENERATIONS, [*MODELS])):
        for model in models:
            rows = read_table(table_files(root, spec, model)).to_pydict()
            write_table(root, spec, rows, model)
            assert len(table_files(root, spec, model)) > 2
    restate(root)
    assert faults(root) == []
    return root


def test_shards_go_there_and_come_back(hub: Hub, sharded: Path, tmp_path: Path) -> None:
    push(sharded, hub.owner, "1.0.0", natural_images="all")
    name = f"{hub.owner}/shards"
    out = pull(f"{name}@1.0.0", tmp_path / "out")
    assert contents(out) == contents(sharded)
    with hub.recorded() as asked:
        opened = load_bundle(name)
        first = opened.image_ids(NATURAL)[0]
        assert opened.thumbnail(NATURAL, first) is not None
    fetched = [one.path for one in asked if one.route.startswith("download")]
    assert not any("-pairs/" in path or "-generations/" in path for path in fetched)
    assert opened.pairs.num_rows == 24
    assert opened.image(NATURAL, first) is not None


def test_datasets_finds_every_shard_by_the_card(hub: Hub, sharded: Path, tmp_path: Path) -> None:
    push(sharded, hub.owner, "1.0.0", natural_images="all")
    for repo, config, rows in (
        ("pairs", "pairs", 24),
        (
            "generations",
            "plain-a",
            read_table(table_files(sharded, GENERATIONS, "plain-a")).num_rows,
        ),
        ("deltas", "thumbnails", read_table(table_files(sharded, THUMBNAILS)).num_rows),
    ):
        found = datasets.load_dataset(
            f"{hub.owner}/shards-{repo}", config, split="train", cache_dir=str(tmp_path / repo)
        )
        assert len(found) == rows
        assert isinstance(found.features["image"], datasets.Image)


def test_cards_name_files_that_are_there(sharded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table or energies in shards the code of a card fetches the first."""
    monkeypatch.setattr(energy_files, "SHARD_BYTES", 200)
    for source in (NATURAL, *MODELS):
        write_energies(sharded, source, load_bundle(sharded).energies(source))
        restate(sharded)
    reference = Reference.parse("ana/shards@1.0.0")
    assert reference.version is not None
    repos = [repo for repo in reference.repos(KINDS) if repo.kind == "dataset"]
    cards = repo_cards(sharded, repos, reference.version, {})
    assert "first of" in cards[repos[-1]].decode()
    for repo, card in cards.items():
        named = re.findall(r'"([\w/.-]+\.(?:parquet|safetensors))"', card.decode())
        assert named, repo
        for name in named:
            assert (sharded / repo.part / name).is_file(), (repo, name)


def test_a_push_without_web_images_writes_its_shards_anew(
    hub: Hub, sharded: Path, tmp_path: Path
) -> None:
    push(sharded, hub.owner, "1.1.0")
    out = pull(f"{hub.owner}/shards@1.1.0", tmp_path / "out")
    assert faults(out) == []
    rows = read_table(table_files(out, PAIRS)).to_pylist()
    assert len(rows) == 24
    assert all(row["image"] is None for row in rows if row["url"])
    assert any(row["image"] is not None for row in rows)
