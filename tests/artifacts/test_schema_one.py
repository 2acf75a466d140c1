"""Bundles of the first schema: they open, and one command brings their tables to today's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_fixtures import restate, write_sae
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.analysis.deltas import KINDS, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.schema import SCHEMA_VERSION, major
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.measure.null import null_flagged
from blindspots_hub.measure.settings import METHOD
from blindspots_hub.progress import drive
from blindspots_hub.runs.remeasure import remeasure

ROOT = Path(__file__).parents[1] / "golden" / "schema1"
"""Written by the program as it was before schema 2.0."""

MODEL = "plain-a"


@pytest.fixture(scope="module")
def old() -> Bundle:
    return load_bundle(ROOT)


def test_versions() -> None:
    assert [major(v) for v in (1, "2.0", "2.7", "1.3")] == [1, 2, 2, 1]
    assert [major(v) for v in (2, 99, "3.0", "2", "x", None, "1.0.0")] == [None] * 7


def test_it_opens_and_its_pointwise_intervals_stand_in(old: Bundle) -> None:
    assert faults(ROOT) == []
    assert old.manifest.schema_version == 1
    for kind in KINDS:
        reading = ModelDeltas.of(old.deltas(MODEL), kind)
        assert reading.method == 1
        assert np.array_equal(reading.selected_low, reading.low, equal_nan=True)
        assert np.array_equal(reading.r_selected_high, reading.r_high, equal_nan=True)
        assert sum(reading.counts.values()) == old.n_concepts
    assert null_flagged(old.model(MODEL).null) == 0.001


def test_it_is_explored_and_published_as_it_is(hub: Any, tmp_path: Path) -> None:
    root = Path(shutil.copytree(ROOT, tmp_path / "old"))
    write_sae(root, 24)  # cards tell more of a network than its own config says
    restate(root)
    old = load_bundle(root)
    (entry,) = Catalog(old).entries()
    assert entry.paired
    assert old.labels == load_bundle(ROOT).labels
    assert any(old.labels)
    push(root, hub.owner, "1.0.0", natural_images="all")
    back = load_bundle(f"{hub.owner}/schema-1@1.0.0")
    assert back.manifest.schema_version == 1
    assert back.manifest.models == old.manifest.models


def test_one_command_measures_it_anew(old: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "new"
    command = ["remeasure", str(ROOT), "--out", str(out), "--min-support", "5", "-q"]
    assert CliRunner().invoke(cli.app, command).exit_code == 0
    new = load_bundle(out)
    assert new.manifest.schema_version == SCHEMA_VERSION
    entry = new.model(MODEL)
    assert entry.method == METHOD
    assert set(entry.selection) == {"rejected", "supported", "level"}
    assert entry.null["kind"] == "swap"
    before, after = (bundle.deltas(MODEL) for bundle in (old, new))
    for name in ("gap", "relative_delta", "images_generated", "support"):
        assert after[name].to_numpy() == pytest.approx(before[name].to_numpy(), abs=1e-9)
    reading = ModelDeltas.of(after, "relative")
    assert reading.method == 2
    assert reading.determined.any()
    inside = reading.determined
    assert np.all(reading.selected_low[inside] <= reading.low[inside])
    assert np.all(reading.selected_high[inside] >= reading.high[inside])
    # Where nothing is judged there is no interval, in the file itself.
    assert after["relative_gap_low"].null_count == (~inside).sum() > 0
    assert after["delta_selected_high"].null_count == (~inside).sum()


def test_confidence_narrows_pointwise_intervals_alone(old: Bundle, tmp_path: Path) -> None:
    wide, narrow = (
        drive(remeasure.stream(old, tmp_path / str(level), {"confidence": level, "min_support": 5}))
        for level in (0.95, 0.5)
    )
    a, b = (ModelDeltas.of(bundle.deltas(MODEL), "relative") for bundle in (wide, narrow))
    assert narrow.model(MODEL).settings["confidence"] == 0.5
    judged = a.determined
    assert np.all((b.r_high - b.r_low)[judged] < (a.r_high - a.r_low)[judged])
    assert np.array_equal(a.q, b.q, equal_nan=True)
    assert np.array_equal(a.selected_low, b.selected_low, equal_nan=True)
