"""Hostile bundles: none is called whole, none is a traceback, none fills the memory."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from explorer_fixtures import page_on
from hostile_bundles import MAKERS
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.inventory import files_to_copy
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.page.picture_server import PictureServer
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings
from blindspots_hub.explorer.tabs.explore_parts.search import find
from blindspots_hub.serving.opening import open_first
from blindspots_hub.utils.files import read_json, write_json

SPEC = Synthetic(n_concepts=60, pairs=40, models={"plain-a": "Plain A"}, side=24)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("bundle") / "b", SPEC)


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def peak(status: str | None = None) -> int:
    """Bytes that this process has held at most, or one whose /proc/self/status is given."""
    told = Path("/proc/self/status").read_text() if status is None else status
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", told)[1])  # type: ignore[index]


def forget_peak() -> int:
    """What this process holds now, which is its peak from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def test_there_are_enough_and_the_whole_one_is_whole(written: Path) -> None:
    assert len(MAKERS) >= 150
    assert faults(written, strict=True) == []
    page_on(load_bundle(written))


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_bundle_is_told_in_words(bundle: Path, name: str) -> None:
    MAKERS[name](bundle)
    before = forget_peak()
    found = faults(bundle)
    assert found, "it was called whole"
    assert all(fault and "Traceback" not in fault and len(fault) < 2000 for fault in found)
    with pytest.raises(BlindspotsError):
        load_bundle(bundle, contents=True)
    assert peak() - before < 2**30


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_bundle_that_is_read_as_one_looks_is_told_or_does_no_harm(
    bundle: Path, name: str
) -> None:
    """The page checks a file when it reads it: every card, every picture, every search."""
    MAKERS[name](bundle)
    before = forget_peak()
    with suppress(BlindspotsError):
        look_at_everything(load_bundle(bundle))
    with pytest.raises(BlindspotsError):
        load_bundle(bundle).check()
    assert peak() - before < 2**30


def look_at_everything(opened: Bundle) -> None:
    page = page_on(opened)
    pictures = PictureServer(None, page.catalog)  # type: ignore[arg-type]
    entries = page.catalog.entries()
    for entry in entries:
        for kind in KINDS:
            rankings(entry, kind, "all")
            for concept in range(opened.n_concepts):
                card = concept_card(entry, kind, concept, entries)
                for address in re.findall(r'src="pictures/([^"]+)"', card):
                    pictures.find(address)
        find(entry, "light")
    for source in ("natural", *opened.models):
        opened.energies(source)
        opened.features(source)
        opened.generation_energies(source) if source != "natural" else None


def test_a_file_is_checked_when_it_is_first_read(bundle: Path) -> None:
    path = bundle / "deltas/heatmaps/natural.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    opened = load_bundle(bundle)
    assert opened.deltas("plain-a").num_rows == SPEC.n_concepts, "which is whole"
    with pytest.raises(BlindspotsError, match=r"heatmaps/natural\.safetensors was altered"):
        opened.heatmap("natural", 0, opened.image_ids("natural")[0])
    with pytest.raises(BlindspotsError, match="was altered"):
        opened.check()


def test_what_can_be_seen_from_outside_is_told_at_once(bundle: Path) -> None:
    path = bundle / "deltas/energies/natural.safetensors"
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(BlindspotsError, match="bytes instead of"):
        load_bundle(bundle)
    path.unlink()
    with pytest.raises(BlindspotsError, match="is missing"):
        load_bundle(bundle)


def test_all_faults_are_told_in_one_run(bundle: Path) -> None:
    """Twenty faults of as many files and columns at once."""
    chosen = [
        *("models/plain-a.delta-0", "models/plain-a.state-0", "models/plain-a.p-0"),
        *("deltas/concepts.frequency-0", "deltas/concepts.nearest-0", "deltas/labels.label-0"),
        *("pairs/plain-a.distance-0", "deltas/thumbnails.source-0", "energies-nan", "heat-nan"),
        *("features-nan", "generations/plain-a.draw-0"),
    ]
    for name in chosen:
        MAKERS[name](bundle)
    for name in ("link-1", "unlisted-0", "unlisted-1", "unlisted-2", "pipe-3"):
        MAKERS[name](bundle)
    manifest = read_json(bundle / "bundle.json")
    del manifest["files"]["deltas/heatmaps/natural.safetensors"]
    write_json(bundle / "bundle.json", manifest)
    assert len(faults(bundle)) >= len(chosen) + 6


def test_memory_stays_small_in_a_process_of_its_own(bundle: Path) -> None:
    """The largest bombs, each in a fresh process: what it holds at most is below 1 GB."""
    code = (
        "import sys; from pathlib import Path;"
        "from blindspots_hub.artifacts.validate import faults;"
        "assert faults(Path(sys.argv[1]));"
        "print(open('/proc/self/status').read())"
    )
    for name in ("dictionary-bomb", "many-rows-natural", "zeros-that-inflate", "images-repeated"):
        root = Path(shutil.copytree(bundle, bundle.parent / name))
        MAKERS[name](root)
        done = subprocess.run(
            [sys.executable, "-c", code, str(root)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert peak(done.stdout) < 2**30, name


def test_nothing_behind_a_link_is_copied(bundle: Path, tmp_path: Path) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text("a secret")
    whole = load_bundle(bundle)
    (bundle / "sae/config.json").unlink()
    (bundle / "sae/config.json").symlink_to(secret)
    with pytest.raises(BlindspotsError, match="link"):
        files_to_copy(bundle, whole.manifest.files, ("sae",))
    (bundle / "sae/config.json").unlink()
    (bundle / "sae/config.json").write_text("{}")
    (bundle / "sae/id_rsa").write_text("a secret")
    (bundle / "sae/README.md").symlink_to(secret)
    assert files_to_copy(bundle, whole.manifest.files, ("sae",)) == ["sae/config.json"]


def test_a_space_starts_whatever_its_bundle_holds(
    bundle: Path, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub.serving import opening

    (tmp_path / "bundle.lock.json").write_text("{}")

    def broken(source: object, contents: bool = True) -> object:
        if Path(str(source)) == written:
            return load_bundle(written)
        raise ZeroDivisionError

    monkeypatch.setattr(opening, "load_bundle", broken)
    shown, note = open_first(None, tmp_path, written)
    assert shown.root == written
    assert "bundle.lock.json cannot be opened" in note
    with pytest.raises(BlindspotsError, match="cannot be opened"):
        open_first(str(bundle), tmp_path, written)
