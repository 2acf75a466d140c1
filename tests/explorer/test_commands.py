"""Commands that the page shows: they run as they are copied, and tell strangers no path."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from explorer_fixtures import page_on
from space_fixtures import a_lock
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.registry import ANALYSES, analysis
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.hub import fetched
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page import commands
from blindspots_hub.explorer.page.app import build_app
from blindspots_hub.explorer.page.catalog import Catalog, Entry
from blindspots_hub.explorer.page.commands import BUNDLE
from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.tabs.answer_parts.words import making
from blindspots_hub.serving.deployment import Deployment

SPEC = Synthetic(n_concepts=60, pairs=50, models={"a": "A"}, name="something else")
ANALYSIS_NAMES = [one.name for one in ANALYSES]
RUN = "python -m blindspots_hub"


@pytest.fixture
def photos(tmp_path: Path) -> Bundle:
    bundle = load_bundle(write_synthetic(tmp_path / "my photos", SPEC))
    bundle.models["a"].run["source"] = "org/model"  # type: ignore[index]
    return bundle


def of_the_hub(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """The bundle as one that lies in the cache of the Hub's client."""
    (bundle.root / LOCK).write_bytes(a_lock().to_bytes())
    monkeypatch.setattr(
        "blindspots_hub.artifacts.hub.fetch.bundles_folder", lambda: bundle.root.parent
    )
    return bundle


def test_commands_name_the_folder_and_make_what_is_lacking(photos: Bundle) -> None:
    entry, place = Entry(photos, "a"), shlex.quote(str(photos.root))
    one = {name: making(analysis(name), entry, ("a",)) for name in ANALYSIS_NAMES}
    for name in ("model_agreement", "agreement_matrix", "shared_blindspots"):
        assert one[name] == f"{RUN} evaluate MODEL --bundle {place} --out {place}"
    again = f"{RUN} evaluate org/model --bundle {place} --out again"
    assert one["token_coactivation"] == again
    assert one["stress_test"] == f"{RUN} stress {place} org/model --concept NUMBER"
    assert one["orthogonality"] is None, "no evaluation brings the dictionary: its sentence says"
    assert one["redundancy"] is None, "nothing is lacking"
    assert not any("planted" in (command or "") for command in one.values())
    assert commands.computing(photos, "redundancy") == f"{RUN} analyse {place} redundancy"
    assert commands.reporting(photos) == f"{RUN} report {place}"


def test_a_bundle_of_the_hub_goes_by_its_reference_and_is_copied_before_it_is_changed(
    photos: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, reference = of_the_hub(photos, monkeypatch), str(a_lock().reference)
    assert reference == "ana/pans@1.2.0"
    assert commands.reporting(bundle) == f"{RUN} report {reference}"
    kept = commands.computing(bundle, "redundancy")
    assert kept == f"{RUN} pull {reference} --out pans && {RUN} analyse pans redundancy"
    made = f"{RUN} evaluate MODEL --bundle {reference} --out runs/mine"
    assert commands.evaluating(bundle, "MODEL") == made, "what lies in the cache is not changed"
    assert not commands.is_own_folder(bundle)


def test_what_was_pulled_to_a_folder_is_that_folder(photos: Bundle) -> None:
    (photos.root / LOCK).write_bytes(a_lock().to_bytes())
    assert fetched.lock_in(photos.root) == a_lock()
    assert commands.reporting(photos) == f"{RUN} report {shlex.quote(str(photos.root))}"
    photos.hosted = True
    assert commands.reporting(photos) == f"{RUN} report ana/pans@1.2.0"
    (photos.root / LOCK).write_bytes(b"no lock")
    assert commands.reporting(photos) == f"{RUN} report 'something else'"


def test_strangers_are_told_no_path(photos: Bundle, tmp_path: Path) -> None:
    catalog = Catalog(load_bundle(planted.BUNDLE), hosted=True)
    site = Deployment(public=True)
    blocks = build_app(load_bundle(photos.root), tmp_path, [], site)
    assert blocks.catalog.home.hosted, "as a public page has it"
    assert not build_app(load_bundle(photos.root), tmp_path, []).catalog.home.hosted
    for bundle in (catalog.home, blocks.catalog.home):
        entry = Entry(bundle, next(iter(bundle.models)))
        told = [making(analysis(name), entry, (entry.model,)) or "" for name in ANALYSIS_NAMES]
        told += [commands.computing(bundle, "redundancy"), commands.reporting(bundle)]
        told += [commands.evaluating(bundle, "x"), commands.command(bundle, "combine", BUNDLE, "y")]
        for command in told:
            assert str(bundle.root) not in command
            assert str(tmp_path) not in command
            assert site.told(command) == command


def test_a_note_on_a_public_page_tells_no_path(photos: Bundle) -> None:
    note = f"You see the embedded example: evaluate one first (--bundle {photos.root.parent}/x)."
    for public in (False, True):
        shown = page_on(photos, note=note, site=Deployment(public=public))._top.value
        assert "You see the embedded example" in shown
        assert (str(photos.root.parent) in shown) is not public


def test_a_fault_on_a_public_page_tells_no_path(photos: Bundle) -> None:
    def fails() -> Updates:
        raise BlindspotsError(f"{photos.root.parent}/x.parquet was altered.")

    for public in (False, True):
        page = page_on(photos, site=Deployment(public=public))
        told = page.told(fails)()[page._fault]
        assert "was altered" in told
        assert (str(photos.root.parent) in told) is not public


def test_the_example_is_copied_first() -> None:
    example = load_bundle(planted.BUNDLE)
    assert commands.spec_of(example, "alder-1") == "planted/alder-1"
    made = commands.evaluating(example, commands.another_model(example))
    assert made == f"{RUN} evaluate planted/NAME --out runs/mine"
    told = commands.computing(example, "redundancy")
    assert told == f"{commands.COPYING} && {RUN} analyse example redundancy"
    assert not commands.is_own_folder(example)


def test_the_examples_command_runs_as_it_is_copied(tmp_path: Path) -> None:
    example = load_bundle(planted.BUNDLE)
    before = example.sha256
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    source = str(Path(planted.__file__).parents[2])
    done = subprocess.run(
        commands.computing(example, "redundancy"),
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "example/deltas/analyses/redundancy.parquet").is_file()
    assert load_bundle(planted.BUNDLE).sha256 == before
