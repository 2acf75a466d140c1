"""Of a bundle on the Hub only what is read is fetched: what was asked for, file by file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from explorer_fixtures import page_on
from hub_fixtures import contents, restate, write_publishable
from local_hub import Hub

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts import energy_files
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.energy_files import write_energies
from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.layout import NATURAL, energies_files
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.card.histogram import energy_histogram
from blindspots_hub.explorer.page import commands
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings
from blindspots_hub.explorer.tabs.explore_parts.search import find
from blindspots_hub.progress import drive
from blindspots_hub.runs.analyse import analyse
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.runs.stress import stress_test

LATER = re.compile(r"/(energies|features|token_codes|generations)/|-pairs/|-generations/|-sae/")


@pytest.fixture(params=["files", "shards"])
def name(
    hub: Hub, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    root = write_publishable(tmp_path / "mine", name="later")
    if request.param == "shards":
        monkeypatch.setattr(energy_files, "SHARD_BYTES", 500)
        whole = load_bundle(root)
        for source in (NATURAL, *whole.models):
            assert len(write_energies(root, source, whole.energies(source))) > 2
        restate(root)
    push(root, hub.owner, "1.0.0", natural_images="all")
    return f"{hub.owner}/later"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def fetched(asked: list) -> list[str]:  # type: ignore[type-arg]
    return [one.path for one in asked if one.route.startswith("download")]


def test_a_page_fetches_no_energies_no_pairs_no_generations(hub: Hub, name: str) -> None:
    with hub.recorded() as asked:
        opened = load_bundle(name, contents=False)
        page = page_on(opened)
        entries = page.catalog.entries()
        for entry in entries:
            for kind in KINDS:
                rankings(entry, kind, "all")
                concept_card(entry, kind, 3, entries)
            find(entry, "light")
    paths = fetched(asked)
    assert any("deltas/models" in path or "models/plain-a" in path for path in paths)
    assert any("heatmaps" in path for path in paths)
    assert not [path for path in paths if LATER.search(path)]
    assert not (opened.root / "deltas/energies").exists()


@pytest.mark.parametrize("contents", [True, False])
def test_energies_come_when_they_are_read_and_only_theirs(
    hub: Hub, name: str, source: Path, contents: bool
) -> None:
    opened, whole = load_bundle(name, contents=contents), load_bundle(source)
    assert opened.has_energies("plain-a")
    assert opened.fires_in(NATURAL, np.array([0])) is None, "a search fetches nothing"
    with hub.recorded() as asked:
        energies = opened.energies("plain-a")
    assert np.array_equal(energies.energies, whole.energies("plain-a").energies)
    listed = energies_files(whole.manifest.files, "plain-a")
    assert sorted(path.partition("/deltas/")[2] or path for path in fetched(asked)) != []
    names = [name.removeprefix("deltas/") for name in listed]
    for one in names:
        assert sum(path.endswith(one) for path in fetched(asked)) == 1
    assert not [path for path in fetched(asked) if "natural" in path]
    with hub.recorded() as asked:
        entry = page_on(opened).catalog.entries()[0]
        assert "<svg" in energy_histogram(entry, 3)
        assert opened.fires_in(NATURAL, np.array([0])) is not None
        load_bundle(f"{name}@1.0.0").energies(NATURAL)
    assert not [path for path in fetched(asked) if "plain-a" in path], "which is here"


def test_all_of_it_comes_for_flows_that_need_it(
    hub: Hub, name: str, source: Path, tmp_path: Path
) -> None:
    opened = load_bundle(name)
    again = drive(remeasure.stream(opened, tmp_path / "again", {}))
    assert faults(again.root) == []
    assert contents(pull(name, tmp_path / "pulled")) == contents(source)
    assert contents(opened.root).keys() >= {
        one for one in contents(source) if one.startswith("deltas/")
    }


def test_a_bundle_of_the_hub_is_combined_and_published(hub: Hub, name: str, tmp_path: Path) -> None:
    opened: Bundle = load_bundle(name)
    whole = combine([opened], tmp_path / "combined")
    assert faults(whole.root) == []
    push(opened.root, hub.owner, "1.0.0", name="copied", natural_images="all")
    assert faults(pull(f"{hub.owner}/copied", tmp_path / "copied")) == []


def test_what_comes_later_is_looked_at_then(hub: Hub, source: Path) -> None:
    """Its sha256 is the manifest's, and its content is what energies are."""
    root = write_publishable(source, name="hostile")
    path = root / "deltas/energies/plain-a.safetensors"
    content = bytearray(path.read_bytes())
    content[-4:] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    restate(root)
    with pytest.MonkeyPatch.context() as careless:
        for module in ("files", "opening"):
            where = f"blindspots_hub.artifacts.bundle.{module}.faults"
            careless.setattr(where, lambda *_, **__: [])
        push(root, hub.owner, "1.0.0", natural_images="all")
    opened = load_bundle(f"{hub.owner}/hostile")
    with pytest.raises(BlindspotsError, match=r"plain-a\.safetensors is damaged"):
        opened.energies("plain-a")
    assert opened.energies(NATURAL).n_images == 24


def test_commands_of_a_bundle_of_the_hub_are_of_its_reference(
    hub: Hub, name: str, tmp_path: Path
) -> None:
    """A table that is written into the client's cache would be one that no manifest names."""
    run, reference = "python -m blindspots_hub", f"{name}@1.0.0"
    opened = load_bundle(name)
    assert commands.reporting(opened) == f"{run} report {reference}"
    told = commands.computing(opened, "redundancy")
    assert told == f"{run} pull {reference} --out later && {run} analyse later redundancy"
    with pytest.raises(BlindspotsError, match="pull it to a folder of yours"):
        analyse(name, ["redundancy"])
    with pytest.raises(BlindspotsError, match="pull it to a folder of yours"):
        stress_test(name, "planted/alder-1", concepts=[0])  # before anything is drawn
    assert load_bundle(name).optional(analysis("redundancy").spec) is None, "which opens still"
    drive(pull.stream(reference, tmp_path / "later"))
    own = load_bundle(tmp_path / "later")
    assert commands.computing(own, "redundancy") == f"{run} analyse {own.root} redundancy"
    analyse(own.root, ["redundancy"])
    assert load_bundle(own.root).optional(analysis("redundancy").spec) is not None


def test_in_a_folder_of_ones_own_missing_is_missing(source: Path) -> None:
    root = write_publishable(source)
    (root / "deltas/energies/plain-a.safetensors").unlink()
    with pytest.raises(BlindspotsError, match=r"plain-a\.safetensors is missing"):
        load_bundle(root)


def test_validate_asks_for_all_of_it(hub: Hub, tmp_path: Path) -> None:
    root = write_publishable(tmp_path / "v", name="validated")
    push(root, hub.owner, "1.0.0", natural_images="all")
    opened = load_bundle(f"{hub.owner}/validated")
    assert any("energies/natural.safetensors is missing" in one for one in faults(opened.root))
    opened.fetch()
    assert not any("deltas/" in one for one in faults(opened.root))
