"""`benchmark size` at small sizes: every part runs, and says what it measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.benchmarks import size, size_worker, size_world
from blindspots_hub.progress import drive
from blindspots_hub.runs.combine import combine


def test_tables_are_written_from_kept_codes_and_judged_by_their_goals(tmp_path: Path) -> None:
    few = replace(size.QUICK, pairs=96, fewer=32, n_concepts=300)
    report = drive(size.running(few, tmp_path, ("tables",)))
    assert [row.verdict for row in report.rows] == ["not judged", "not judged"]
    assert all(row.value is not None and row.value > 0 for row in report.rows)
    peak = report.rows[0]
    assert peak.detail["fires"] > 96 * 2
    assert peak.detail["peak"] == pytest.approx(peak.value * size.GIB)


def test_a_bundle_of_kept_codes_is_whole(tmp_path: Path) -> None:
    order = {"folder": str(tmp_path / "codes"), "pairs": 64, "n": 200}
    assert list(size_worker.codes(order))[-1] == {"done": 64}
    root = tmp_path / "b"
    (told,) = size_worker.tables({**order, "use": 40, "bundle": str(root)})
    assert told["seconds"] > 0
    left = [fault for fault in faults(root) if "sae/" not in fault]
    assert left == [], "all but the RA-SAE, which no table is computed from"


def test_checkpoints_share_all_that_is_not_theirs(tmp_path: Path) -> None:
    base = load_bundle(
        write_synthetic(
            tmp_path / "base", Synthetic(n_concepts=30, pairs=40, models={size_world.MODEL: "M"})
        )
    )
    roots = size_world.checkpoints(base, tmp_path, 3)
    for root in roots:
        assert faults(root) == []
    found = combine(roots, tmp_path / "all")
    assert list(found.models) == [root.name for root in roots]
    assert faults(found.root) == []
    for root in roots:
        one = root / f"deltas/energies/{root.name}.safetensors"
        assert one.samefile(found.root / f"deltas/energies/{root.name}.safetensors")
    assert (roots[0] / "deltas/natural.parquet").samefile(found.root / "deltas/natural.parquet")
    assert (roots[0] / "pairs/pairs.parquet").samefile(found.root / "pairs/pairs.parquet")


def test_nearest_atoms_and_thumbnails_are_held_against_this_machine(tmp_path: Path) -> None:
    few = replace(size.QUICK, n_concepts=300, more_concepts=600, thumbnails=4)
    report = drive(size.running(few, tmp_path, ("nearest", "thumbnails")))
    assert len(report.rows) == 7
    assert all(row.value is not None and row.value > 0 for row in report.rows)
    assert {row.verdict for row in report.rows} == {"not judged"}
    assert sum("over" in row.name for row in report.rows) == 3


def test_a_page_is_held_against_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "empty_page", lambda: 2.0)
    answered = size.at_most("it answers", 3.0, 2.5, " s")
    (row,) = size._over_empty("it", [answered], 1.25, True)
    assert (row.value, row.verdict) == (1.5, "missed")
    (row,) = size._over_empty("it", [size.unmeasured("it answers", "no", "≤ 1 s")], 1.25, True)
    assert row.value is None
