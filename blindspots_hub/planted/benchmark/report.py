"""The whole benchmark: every row in its order, as a terminal shows it and as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindspots_hub import planted
from blindspots_hub.artifacts.labels import CAPTION_WORDS
from blindspots_hub.measure.comparison import Comparison
from blindspots_hub.measure.null import null_p
from blindspots_hub.measure.table import Columns, Measured, MeasureSettings, measured
from blindspots_hub.planted.benchmark import power
from blindspots_hub.planted.benchmark.another_renderer import another_renderer
from blindspots_hub.planted.benchmark.checks import Check, told, unjudged
from blindspots_hub.planted.benchmark.coverage import coverage
from blindspots_hub.planted.benchmark.evidence import Evidence, Through, gathering
from blindspots_hub.planted.benchmark.findings import pairs_of_note, signs
from blindspots_hub.planted.benchmark.names import caption_names, names
from blindspots_hub.planted.benchmark.nothing_differs import nothing_differs
from blindspots_hub.planted.benchmark.points import Point, calibration, points
from blindspots_hub.planted.benchmark.precision import ENOUGH, precision
from blindspots_hub.planted.benchmark.recall import (
    Outcome,
    false_alarms,
    outcomes,
    recall,
    unseen,
)
from blindspots_hub.planted.benchmark.samples import PairSample, claimed, samples
from blindspots_hub.planted.concept_match import OWN, STANDS_FOR, plain
from blindspots_hub.planted.models import MODELS
from blindspots_hub.planted.truth import true_change
from blindspots_hub.progress import Work
from blindspots_hub.utils.files import write_bytes, write_json


@dataclass(frozen=True)
class SpaceResult:
    """Rows 1 to 4 through one concept space, and what they were made from."""

    checks: list[Check]
    points: list[Point]
    outcomes: list[Outcome]
    standing: int
    alone: int
    unseen: list[str]

    def intro(self) -> str:
        """What was and was not judged."""
        return (
            f"{self.standing} factors have a concept that predicts them (AUROC ≥ {STANDS_FOR}); "
            f"{self.alone} of these have ≥ {OWN:.0%} of its energy, and own it. No concept stands "
            f"for: {', '.join(plain(factor) for factor in self.unseen) or 'none'}."
        )


@dataclass(frozen=True)
class Report:
    """Every row; `unlabelled` are rows 1 to 4 with the backbone that never saw a label."""

    checks: list[Check]
    reading: SpaceResult
    unlabelled: SpaceResult | None
    power: list[power.Row]
    pairs: int

    @property
    def held(self) -> bool:
        """Whether every criterion that is judged holds."""
        return all(check.holds is not False for check in self.checks)

    def text(self) -> str:
        """The report as a terminal shows it."""
        lines = [f"Planted benchmark: {self.pairs:,} pairs a model. {self.reading.intro()}", ""]
        lines += _table(self.checks)
        if self.unlabelled is not None:
            lines += [
                "",
                "The same by a backbone that never saw a label (told, not judged). "
                + self.unlabelled.intro(),
                "",
                *_table(self.unlabelled.checks),
            ]
        lines += ["", power.table_text(self.power)]
        lines += ["", "All criteria held." if self.held else "A criterion does not hold."]
        return "\n".join(lines)


def _table(checks: Sequence[Check]) -> list[str]:
    width = max(len(check.name) for check in checks)
    marks = {True: "held  ", False: "FAILED", None: "      "}
    return [
        f"{marks[check.holds]}  {check.name:<{width}}  {check.value}"
        + ("" if check.holds is None else f"  (wanted {check.wanted})")
        for check in checks
    ]


def running(pairs: int, seed: int, out: Path | None) -> Work[Report]:
    """Draw `pairs` pairs of world `seed` with every planted model, and report.

    Writes report.json and the figures calibration.html and power.html to `out`, if given.
    """
    through = [Through.open(planted.BUNDLE, planted.POPULATIONS / "labelled.safetensors")]
    if planted.UNLABELLED.is_dir():
        population = planted.POPULATIONS / "unlabelled.safetensors"
        through.append(Through.open(planted.UNLABELLED, population))
    evidence = yield from gathering(pairs, seed, through)
    report = judge(evidence[0], evidence[1] if len(evidence) > 1 else None)
    if out is not None:
        write_report(report, out)
    return report


def judge(
    evidence: Evidence, unlabelled: Evidence | None = None, settings: MeasureSettings | None = None
) -> Report:
    """Hold every criterion of the benchmark against the evidence."""
    settings = settings or MeasureSettings()
    found = tables_of(evidence, settings, null_p)
    tables = {name: table.columns for name, table in found.items()}
    reading = read(evidence, found, settings)
    rows = power.rows(evidence.natural, evidence.generated, found, reading.points, settings)
    checks = list(reading.checks)
    if evidence.rendered is not None and evidence.altered is not None:
        checks += another_renderer(evidence.natural, evidence.rendered, evidence.altered, settings)
    noisy = np.array([pair.caption.noisy for pair in evidence.pairs.pairs])
    checks += [
        *nothing_differs(found, settings),
        *pairs_of_note(evidence.natural, evidence.generated, evidence.scenes, noisy),
        *signs(evidence.natural, evidence.generated, tables),
        *power.by_strength(reading.outcomes),
        *power.checks(rows),
    ]
    captions = [pair.caption.text for pair in evidence.pairs.pairs]
    standing = [stand.concept for stand in evidence.stands.values()]
    by_words = caption_names(evidence.natural, captions, standing)
    checks += names({CAPTION_WORDS: by_words}, evidence.stands)
    beside = None
    if unlabelled is not None:
        beside = read(unlabelled, tables_of(unlabelled, settings), settings, judged=False)
    return Report(checks, reading, beside, rows, len(evidence.pairs.ids))


def tables_of(
    evidence: Evidence,
    settings: MeasureSettings,
    null: Callable[[Comparison, np.ndarray], np.ndarray] | None = None,
) -> dict[str, Measured]:
    """Every model measured against the natural images; `null` as `measure.table.measured` takes."""
    return {
        name: measured(evidence.natural, energies, settings, paired=True, null=null)
        for name, energies in evidence.generated.items()
    }


def read(
    evidence: Evidence,
    found: Mapping[str, Measured],
    settings: MeasureSettings,
    judged: bool = True,
) -> SpaceResult:
    """Rows 1 to 4 through one concept space, of its tables; told only where not `judged`."""
    natural = [pair.scene for pair in evidence.pairs.pairs]
    every: list[Point] = []
    changes: list[Outcome] = []
    for name, table in found.items():
        truth = true_change(natural, evidence.scenes[name])
        here = points(name, table.columns, truth, evidence.stands)
        every += here
        changes += outcomes(name, MODELS[name], truth, here)
    checks = [*calibration(every), *recall(changes), false_alarms(every)]
    if evidence.population is None:
        missing = f"none: make it with `planted population` ({ENOUGH:,} scenes)"
        checks.append(Check("population: scenes that claims are held against", missing, "", False))
    else:
        drawn = samples(evidence.natural, evidence.generated, found, settings)
        apart = claimed(drawn, len(natural))
        checks += precision([_columns(one) for one in apart], evidence.population, settings)
        checks += coverage(drawn, evidence.population, every, settings)
    missed = unseen(evidence.stands)
    checks.append(told("factors that no concept stands for", f"{len(missed)}"))
    alone = sum(stand.alone for stand in evidence.stands.values())
    if not judged:
        checks = [unjudged(check) for check in checks]
    return SpaceResult(checks, every, changes, len(evidence.stands), alone, missed)


def _columns(sample: PairSample) -> dict[str, Columns]:
    return {name: table.columns for name, table in sample.tables.items()}


def write_report(report: Report, out: Path) -> None:
    """Write report.json, calibration.html and power.html to `out`."""
    from blindspots_hub.planted.benchmark.figures import calibration_figure, power_figure

    write_json(
        out / "report.json",
        {
            "pairs": report.pairs,
            "held": report.held,
            "checks": [vars(check) for check in report.checks],
            "labelled": _as_json(report.reading),
            "unlabelled": None if report.unlabelled is None else _as_json(report.unlabelled),
            "power": [vars(row) for row in report.power],
        },
    )
    for name, figure in (
        ("calibration", calibration_figure(report.reading.points)),
        ("power", power_figure(report.power)),
    ):
        write_bytes(out / f"{name}.html", figure.to_html(include_plotlyjs=True).encode())


def _known(values: Mapping[str, object]) -> dict[str, object]:
    """`values` with None for what is not known: JSON has no NaN."""
    return {name: None if value != value else value for name, value in values.items()}


def _as_json(reading: SpaceResult) -> dict[str, object]:
    return {
        "checks": [vars(check) for check in reading.checks],
        "points": [_known(vars(point)) for point in reading.points],
        "changes": [
            {**vars(one), "point": None if one.point is None else one.point.concept}
            for one in reading.outcomes
        ],
        "unseen": reading.unseen,
    }
