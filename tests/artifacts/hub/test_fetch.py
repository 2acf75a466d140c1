"""Fetching: the round trip, references everywhere, and only the files that are asked for."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest
from hub_fixtures import MODELS, PARTS, contents, restate, shared_bundle, write_publishable
from local_hub import Hub

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.hub.versions import versions
from blindspots_hub.artifacts.layout import CARD, LOCK, MANIFEST
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.cli import main
from blindspots_hub.commands.options import open_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.progress import drive


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_publishable(tmp_path / "mine")


@pytest.fixture
def shared(hub: Hub) -> str:
    """`NAMESPACE/NAME`, published whole as 1.0.0 for all tests: nothing there may be changed."""
    return shared_bundle(hub)[1]


@pytest.fixture
def source(hub: Hub) -> Path:
    """The bundle that `shared` was published from."""
    return shared_bundle(hub)[0]


@pytest.fixture
def published(hub: Hub, bundle: Path) -> str:
    """`NAMESPACE/NAME`, published whole as 1.0.0."""
    push(bundle, hub.owner, "1.0.0", natural_images="all")
    return f"{hub.owner}/birds"


def offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing answers, and whoever asks fails the test by its slowness."""
    monkeypatch.setattr("blindspots_hub.artifacts.hub.client.hub_reachable", lambda: False)


def test_there_and_back_again(hub: Hub, source: Path, shared: str, tmp_path: Path) -> None:
    out = pull(f"{shared}@1.0.0", tmp_path / "out")
    assert contents(out) == contents(source)
    assert (out / MANIFEST).read_bytes() == (source / MANIFEST).read_bytes()
    assert faults(out) == []
    assert all((out / part / CARD).is_file() for part in PARTS)
    assert not list(out.rglob(".*")), "nothing of the fetching stays"

    opened = load_bundle(f"{shared}@1.0.0")
    page = Catalog(opened)
    entries = page.entries()
    assert [entry.title for entry in entries] == list(MODELS.values())
    assert len(entries[0].reading("relative").delta) == opened.n_concepts
    assert load_bundle(out).sha256 == opened.sha256


def test_every_spelling_of_a_version_is_the_same_bundle(
    hub: Hub, bundle: Path, published: str
) -> None:
    (one,) = drive(versions.stream(Reference.parse(published)))
    spelled = ["", "@1.0.0", "@v1.0.0", f"@{one.commit}"]
    assert len({load_bundle(f"{published}{at}").root for at in spelled}) == 1
    restate(bundle, note="better")
    push(bundle, hub.owner, "1.1.0", natural_images="all")
    assert load_bundle(published).version == "1.1.0"
    assert load_bundle(f"{published}@{one.commit}").version == "1.0.0"
    old, new = load_bundle(f"{published}@1.0.0"), load_bundle(f"{published}@1.1.0")
    assert (old.version, new.version) == ("1.0.0", "1.1.0")
    assert old.manifest.files == new.manifest.files


def test_the_explorer_fetches_no_weights_and_no_large_images(hub: Hub, shared: str) -> None:
    with hub.recorded() as asked:
        opened = load_bundle(shared)
        page = Catalog(opened).entries()
        for entry in page:
            entry.reading("absolute")
        assert any(opened.thumbnail("natural", i) for i in opened.image_ids("natural"))
    fetched = [r for r in asked if r.route.startswith("download")]
    assert fetched
    assert all("-deltas/" in r.path for r in fetched), {r.path for r in fetched}
    assert sorted(path.name for path in opened.root.iterdir()) == [MANIFEST, LOCK, "deltas"]


def test_parts_are_fetched_when_they_are_asked_for(hub: Hub, source: Path, shared: str) -> None:
    opened = load_bundle(shared)
    with hub.recorded() as asked:
        assert opened.pairs.num_rows == 24
    downloads = [r.path for r in asked if r.route.startswith("download")]
    assert downloads
    assert all("birds-pairs" in path for path in downloads)
    assert opened.generations("plain-a")["image"][0].as_py() is not None
    opened.require("sae")
    weights = "sae/model.safetensors"
    assert (opened.root / weights).read_bytes() == (source / weights).read_bytes()
    with pytest.raises(BlindspotsError, match="without its backbone"):
        opened.require("backbone")
    with hub.recorded() as asked:
        again = load_bundle(f"{shared}@1.0.0", ("pairs", "sae"))
    assert asked == []
    again.fetch()
    assert contents(again.root) == contents(source)


def test_some_parts_first_and_the_others_later(
    hub: Hub, source: Path, shared: str, tmp_path: Path
) -> None:
    out = pull(shared, tmp_path / "out", ["pairs"])
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == ["deltas", "pairs"]
    assert load_bundle(out).pairs.num_rows == 24
    with hub.recorded() as asked:
        pull(shared, out)
    assert not [r for r in asked if "pairs.parquet" in r.path]
    assert contents(out) == contents(source)
    few = pull(shared, tmp_path / "few", [])
    load_bundle(few).require("sae")
    assert (few / "sae/model.safetensors").is_file()
    assert not (few / "sae/model.safetensors").is_symlink(), "a folder of one's own holds files"
    with pytest.raises(BlindspotsError, match="no part 'weights'"):
        pull(shared, tmp_path / "x", ["weights"])


def test_a_known_version_asks_no_network(
    hub: Hub, shared: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = load_bundle(f"{shared}@1.0.0", PARTS)
    lock = known.root / LOCK
    with hub.recorded() as asked:
        (one,) = [load_bundle(f"{shared}@v1.0.0").root]
        assert load_bundle(lock).root == one == known.root
    assert asked == []
    offline(hub, monkeypatch)
    assert load_bundle(f"{shared}@1.0.0", PARTS).root == known.root
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        load_bundle(shared)  # the highest version is the Hub's to say
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        load_bundle(f"{shared}@9.9.9")


def test_files_in_the_clients_cache_count(hub: Hub, shared: str) -> None:
    """What a Space preloads, or anybody fetched with the client, is not fetched again."""
    from huggingface_hub import snapshot_download

    (one,) = drive(versions.stream(Reference.parse(shared)))
    content = next(c for repo, c in one.contents.items() if repo.part == "deltas")
    snapshot_download(f"{shared}-deltas", repo_type="dataset", revision=content)
    with hub.recorded() as asked:
        load_bundle(f"{shared}@{one.commit}")
    assert {r.path.rsplit("/", 1)[-1] for r in asked if r.route.startswith("download")} <= {LOCK}


def test_without_a_network_it_is_told_within_seconds(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the tests' ordinary state: HF_HUB_OFFLINE is set."""
    begun = time.monotonic()
    for work in (
        lambda: load_bundle("lab/birds@1.0.0"),
        lambda: pull("lab/birds", tmp_path / "out"),
        lambda: push(bundle, "lab", "1.0.0"),
    ):
        with pytest.raises(BlindspotsError, match="cannot be reached") as told:
            work()
        assert str(told.value).count(".") <= 3
    with pytest.raises(SystemExit) as ended:
        main(["pull", "lab/birds@1.0.0", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert time.monotonic() - begun < 3
    assert "cannot be reached" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_hub_that_never_answers_is_given_up_within_seconds(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_server import faults as broken

    hub.server.fail(broken.Silent(), times=None)
    begun = time.monotonic()
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        load_bundle("lab/birds@1.0.0")
    assert time.monotonic() - begun < 3


def test_another_bundle_is_not_written_over(
    hub: Hub, bundle: Path, published: str, tmp_path: Path
) -> None:
    out = pull(published, tmp_path / "out")
    restate(bundle, note="better")
    push(bundle, hub.owner, "1.1.0", natural_images="all")
    before = contents(out)
    with pytest.raises(BlindspotsError, match="holds another bundle"):
        pull(published, out)
    assert contents(out) == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(BlindspotsError, match="cannot be written"):
        pull(published, tmp_path / "file")


def test_stopped_and_run_again_it_goes_on(
    hub: Hub, source: Path, shared: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    work = pull.stream(shared, out)
    for event in work:
        if event.detail.get("file") == "deltas/heatmaps/plain-a.safetensors":
            break
    work.close()
    assert not (out / MANIFEST).exists(), "half a bundle is none"
    with hub.recorded() as asked:
        pull(shared, out)
    again = [r.path for r in asked if r.method == "GET" and r.route.startswith("download")]
    assert not [path for path in again if "pairs.parquet" in path or "energies" in path]
    assert contents(out) == contents(source)


@pytest.mark.parametrize("read", ["each", "all"])
def test_what_was_damaged_here_is_mended(hub: Hub, source: Path, shared: str, read: str) -> None:
    """A file that is away when the bundle is opened, a damaged one when it is first read."""
    opened = load_bundle(shared)
    opened.fetch()
    for file in ("deltas/concepts.parquet", "deltas/energies/natural.safetensors"):
        blob = (opened.root / file).resolve()
        os.chmod(blob, 0o644)
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
    (opened.root / "deltas/natural.parquet").resolve().unlink()
    again = load_bundle(f"{shared}@1.0.0")
    if read == "all":
        again.check()
    else:
        assert again.concepts.num_rows == again.n_concepts
        assert again.energies("natural").n_images == len(again.image_ids("natural"))
    mine = {name: c for name, c in contents(source).items() if name.startswith("deltas/")}
    assert mine == {name: (again.root / name).read_bytes() for name in mine}


def test_a_moved_tag_changes_nothing_here_and_is_told(
    hub: Hub, bundle: Path, published: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    first = load_bundle(f"{published}@1.0.0")
    restate(bundle, note="better")
    push(bundle, hub.owner, "1.1.0", natural_images="all")
    deltas = hub.server.repo("dataset", f"{published}-deltas")
    deltas.move_tag("v1.0.0", "v1.1.0")
    assert load_bundle(f"{published}@1.0.0").sha256 == first.sha256
    with caplog.at_level(logging.WARNING, "blindspots_hub"):
        out = pull(f"{published}@1.0.0", tmp_path / "out")
    assert load_bundle(out).sha256 == first.sha256
    assert "points at" in caplog.text
    assert deltas.tags["v1.0.0"] in caplog.text


def test_a_moved_tag_is_refused_where_it_was_never_seen(
    hub: Hub, bundle: Path, published: str, capsys: pytest.CaptureFixture[str]
) -> None:
    restate(bundle, note="better")
    push(bundle, hub.owner, "1.1.0", natural_images="all")
    hub.server.repo("dataset", f"{published}-deltas").move_tag("v1.0.0", "v1.1.0")
    hub.server.repo("model", f"{published}-sae").move_tag("v1.1.0", "v1.0.0")
    with pytest.raises(BlindspotsError, match=r"v1\.0\.0 .* was moved"):
        load_bundle(f"{published}@1.0.0")
    # The weights' tag says nothing: the lock does.
    load_bundle(f"{published}@1.1.0").require("sae")
    with pytest.raises(SystemExit) as ended:
        main(["versions", published, "-q"])
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "1.0.0" in told
    assert "the lock of 1.1.0 is there" in told
    assert f"its tag in {published}-sae was moved" in told


def test_what_is_not_there_is_told(hub: Hub, shared: str, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="is no folder here, and the Hub knows no bundle"):
        load_bundle("lab/mammals")
    with pytest.raises(BlindspotsError, match=r"no version 3\.0\.0: published are 1\.0\.0"):
        pull(f"{shared}@3.0.0", tmp_path / "out")
    with pytest.raises(BlindspotsError, match="no such revision"):
        load_bundle(f"{shared}@{'0' * 40}")
    content = hub.server.repo("dataset", f"{shared}-deltas").commits()[1].sha
    with pytest.raises(BlindspotsError, match=r"holds no bundle\.lock\.json"):
        load_bundle(f"{shared}@{content}")


def test_a_private_bundle_is_there_for_its_owner(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(bundle, hub.owner, "1.0.0", private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(BlindspotsError, match="knows no bundle"):
        load_bundle(f"{hub.owner}/birds")
    out = pull(f"{hub.owner}/birds", tmp_path / "out", token=hub.token)
    assert not any(hub.token.encode() in p.read_bytes() for p in out.rglob("*") if p.is_file())


def test_the_commands(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = [str(bundle), "--namespace", hub.owner, "--version", "1.0.0", "--no-space", "-q"]
    for arguments, told in (
        (["push", *whole, "--dry-run"], "nothing was written"),
        (["push", *whole], "is published"),
        (["push", *whole], "was published already"),
        (["versions", f"{hub.owner}/birds", "-q"], "whole"),
        (["pull", f"{hub.owner}/birds@1.0.0", "--out", str(tmp_path / "out"), "-q"], "app.py"),
        (["validate", str(tmp_path / "out")], "is a whole bundle"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0, arguments
        assert told in capsys.readouterr().out
    opened = open_bundle(f"{hub.owner}/birds@1.0.0", ("sae",), quiet=True)
    assert opened is not None
    assert (opened.root / "sae/config.json").is_file()
