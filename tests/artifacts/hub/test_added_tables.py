"""Names and stress tests stay with a bundle: measured anew, combined, published and fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_fixtures import write_publishable
from local_hub import Hub
from stress_fixtures import with_tests

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.labels import Label, changed
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.remeasure import remeasure


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    root = write_publishable(tmp_path / "own")
    names = [Label(3, "kite", date="2026-01-01"), Label(3, "toy", "vocabulary", "clip", 0.5)]
    add_tables(root, {LABELS: changed(load_bundle(root).label_table, names)})
    return load_bundle(with_tests(root, "plain-a", {3: 0, 5: 12}))


def same(found: Bundle, as_in: Bundle) -> None:
    assert faults(found.root) == []
    assert found.labels[3] == "kite"
    assert found.label_table.equals(as_in.label_table)
    assert found.stress_tests() == as_in.stress_tests()
    assert len(found.stress_tests()) == 2
    assert found.stress_images(5, "plain-a") == as_in.stress_images(5, "plain-a")
    assert len(found.stress_images(5, "plain-a")) == 48


def test_measured_anew_and_combined(bundle: Bundle, tmp_path: Path) -> None:
    same(remeasure(bundle, tmp_path / "anew", {"tau": 0.4}), bundle)
    same(combine([bundle], tmp_path / "both"), bundle)


def test_published_and_fetched(hub: Hub, bundle: Path | Bundle, tmp_path: Path) -> None:
    assert isinstance(bundle, Bundle)
    push(bundle.root, hub.owner, "1.0.0")
    same(load_bundle(pull(f"{hub.owner}/birds", tmp_path / "copy")), bundle)
