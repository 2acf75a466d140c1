"""The benchmark's criteria hold on the embedded bundle, and fail where the method is broken."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from planted_fixtures import embedded_evidence, with_population
from typer.testing import CliRunner

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measured
from blindspots_hub.planted.benchmark import power, recall, report
from blindspots_hub.planted.benchmark.checks import Check
from blindspots_hub.planted.benchmark.coverage import coverage
from blindspots_hub.planted.benchmark.evidence import Evidence
from blindspots_hub.planted.benchmark.findings import average_precision, memorised_score
from blindspots_hub.planted.benchmark.report import Report, judge
from blindspots_hub.planted.benchmark.samples import samples
from blindspots_hub.planted.concept_match import aurocs, labels, plain


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return with_population(embedded_evidence())


@pytest.fixture(scope="module")
def whole(evidence: Evidence) -> Report:
    return judge(evidence)


def _failed(checks: list[Check]) -> list[str]:
    return [f"{c.name}: {c.value}, wanted {c.wanted}" for c in checks if c.holds is False]


FEW_PAIRS = ("recall: |r| ≥", "false alarms", "precision", "coverage: selection")
"""Rows whose bounds need more than the bundle's 1,000 pairs, however few the misses are."""


def _enough(checks: list[Check]) -> list[Check]:
    return [check for check in checks if not check.name.startswith(FEW_PAIRS)]


def test_the_criteria_hold_on_the_embedded_bundle(whole: Report) -> None:
    assert whole.reading.standing >= 30
    assert whole.reading.alone >= 25
    assert _failed(_enough(whole.checks)) == []
    # What is missed of the largest changes with a concept of their own is missed for want of pairs.
    own = [o for o in whole.reading.outcomes if o.point is not None and o.point.alone]
    plain_changes = [o for o in own if abs(o.true) >= recall.PLAIN]
    assert np.mean([o.found for o in plain_changes]) >= 0.85
    assert {o.missed for o in plain_changes} <= {None, recall.FEW}
    # In its own population nothing that was claimed is wrong.
    for check in whole.checks:
        if check.name.startswith("precision") and check.holds is not None:
            assert "(100.0%)" in check.value


def test_rows_of_every_kind_are_there(evidence: Evidence, whole: Report) -> None:
    names = " ".join(check.name for check in whole.checks)
    for row in ("calibration", "recall", "false alarms", "precision", "coverage", "null", "power"):
        assert row in names
    beside = judge(evidence, replace(evidence, population=None))
    assert beside.unlabelled is not None
    assert all(check.holds is None for check in beside.unlabelled.checks)
    assert "never saw a label" in beside.text()
    assert beside.held == whole.held, "what is told beside is not judged"


def test_without_a_population_the_benchmark_does_not_hold(evidence: Evidence) -> None:
    alone = judge(replace(evidence, population=None))
    assert any("population" in failed for failed in _failed(alone.checks))


def test_the_report_says_whether_all_held(whole: Report) -> None:
    held = replace(whole, checks=_enough(whole.checks))
    assert held.held
    assert "All criteria held." in held.text()
    broken = replace(held, checks=[*held.checks, Check("x", "1", "2", False)])
    assert not broken.held
    assert "A criterion does not hold." in broken.text()
    assert "FAILED" in broken.text()


def test_sides_in_the_wrong_order_are_noticed(evidence: Evidence) -> None:
    """Every gap has the wrong sign: nothing is calibrated, found or so in the population."""
    swapped = dict.fromkeys(evidence.generated, evidence.natural)
    broken = replace(evidence, natural=evidence.generated["cedar"], generated=swapped)
    failed = " ".join(_failed(judge(broken).checks))
    assert "calibration" in failed
    assert "recall" in failed
    assert "coverage" in failed


def test_intervals_that_are_too_narrow_are_noticed(evidence: Evidence) -> None:
    """Though the population is of these very pairs, whose intervals hold it too often."""
    settings = MeasureSettings(confidence=0.6)
    found = {
        name: measured(evidence.natural, energies, settings, paired=True)
        for name, energies in evidence.generated.items()
    }
    drawn = samples(evidence.natural, evidence.generated, found, settings)
    assert evidence.population is not None
    rows = coverage(drawn, evidence.population, [], MeasureSettings())
    assert _failed(rows)


def test_a_lost_counterpart_is_noticed(evidence: Evidence) -> None:
    """Pairs that fell out of order: gaps stay, but distances no longer mean anything."""
    shift = np.roll(np.arange(evidence.natural.n_images), 1)
    generated = {name: e.take(shift) for name, e in evidence.generated.items()}
    broken = replace(evidence, generated=generated)
    assert any("memorised" in failed for failed in _failed(judge(broken).checks))


def test_the_command_exits_with_1_where_a_criterion_fails(
    evidence: Evidence, whole: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub import cli

    def gathered(pairs, seed, through):  # type: ignore[no-untyped-def]
        yield from ()
        return [evidence]

    monkeypatch.setattr(report, "gathering", gathered)
    monkeypatch.setattr(report.Through, "open", lambda *_: None)
    held = replace(whole, checks=_enough(whole.checks))
    for answer, code in ((held, 0), (whole, 0 if whole.held else 1)):
        monkeypatch.setattr(report, "judge", lambda *_, answer=answer: answer)
        run = CliRunner().invoke(cli.app, ["benchmark", "planted", "--quiet"])
        assert run.exit_code == code, run.output
    monkeypatch.setattr(
        report, "judge", lambda *_: replace(held, checks=[Check("x", "1", "2", False)])
    )
    run = CliRunner().invoke(cli.app, ["benchmark", "planted", "--quiet"])
    assert run.exit_code == 1
    assert "FAILED" in run.output


def test_report_and_figures_are_written(whole: Report, tmp_path) -> None:  # type: ignore[no-untyped-def]
    report.write_report(whole, tmp_path)
    for name in ("report.json", "calibration.html", "power.html"):
        assert (tmp_path / name).stat().st_size > 1000

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert told["held"] == whole.held
    assert len(told["labelled"]["points"]) == len(whole.reading.points)


def test_committed_labels_come_from_the_truth(evidence: Evidence) -> None:
    """Named by another world's images, names agree with this world's for most concepts."""
    here = labels(evidence.natural, evidence.pairs.factors)
    committed = load_bundle(planted.BUNDLE).labels
    both = [(a, b) for a, b in zip(here, committed, strict=True) if a and b]
    assert len(both) >= 25
    assert np.mean([a == b for a, b in both]) > 0.9


def test_auroc_counts_ties_half() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    dense = rng.integers(0, 3, (80, 5)).astype(np.float64)
    rows = [(np.flatnonzero(row), row[row > 0]) for row in dense]
    factors = rng.integers(0, 2, (80, 4)).astype(np.uint8)
    found = aurocs(ImageEnergies.stack(rows, 5), factors)
    for k in range(5):
        for f in range(4):
            assert found[k, f] == pytest.approx(roc_auc_score(factors[:, f], dense[:, k]))


def test_memorised_pictures_come_first() -> None:
    distance = np.array([0.5, 0.1, 0.2, 3.0])
    duplicates = np.array([0, 4, 4, 4])
    score = memorised_score(distance, duplicates > 0)
    assert np.argsort(-score).tolist() == [1, 2, 3, 0]
    assert average_precision(score, np.array([False, True, True, False])) == 1.0


def test_every_model_is_measured_once(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(natural, generated, *more, **options):  # type: ignore[no-untyped-def]
        asked.append(generated)
        return measured(natural, generated, *more, **options)

    monkeypatch.setattr(report, "measured", counted)
    judge(replace(evidence, population=None))
    assert len(asked) == len(evidence.generated)


def test_coverage_is_told_at_the_level_that_was_set(evidence: Evidence) -> None:
    settings = MeasureSettings(confidence=0.9)
    found = report.tables_of(evidence, settings)
    drawn = samples(evidence.natural, evidence.generated, found, settings)
    assert evidence.population is not None
    rows = coverage(drawn, evidence.population, [], settings)
    assert rows[0].name == "coverage: 90% intervals of r"


def test_prediction_of_power_falls_with_fewer_pairs(whole: Report) -> None:
    rows = whole.power
    assert {row.pairs for row in rows} == {100, 200, 500, 1000}
    for low, _ in power.BANDS:
        predicted = [row.predicted for row in rows if row.low == low]
        assert predicted == sorted(predicted)


def test_plain_names() -> None:
    assert plain("background=wood") == "wood background"
    assert plain("object=pan") == "pan"
    assert plain("count=4") == "four of a kind"
    assert plain("blank page") == "blank page"
