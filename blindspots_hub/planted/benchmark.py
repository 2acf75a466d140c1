"""`benchmark planted`: the method held against models whose blindspots are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import duplicates, pair_distances
from blindspots_hub.measure.null import null_share
from blindspots_hub.measure.table import Columns, MeasureSettings, measure, measured
from blindspots_hub.planted import criteria, power
from blindspots_hub.planted.concept_match import OWN, STANDS_FOR, ConceptMatch, standing
from blindspots_hub.planted.criteria import Check, Point
from blindspots_hub.planted.measured import Natural, draw_model, encode_natural, natural_pairs
from blindspots_hub.planted.models import TUNED
from blindspots_hub.planted.scene import Scene
from blindspots_hub.planted.truth import true_change
from blindspots_hub.progress import Work
from blindspots_hub.runs.session import open_space
from blindspots_hub.utils.files import write_bytes, write_json

NAMING_WORLD = 7
"""World by whose images concepts are matched with factors: not the one that is measured."""

NAMING_IMAGES = 2000
SIBLINGS = ("alder-1", "alder-2")
FULL = 0.9
"""|true r| from which a relative gap must cross the thresholds (σ(r / 0.4) is 0.095 at -0.9)."""


@dataclass(frozen=True)
class Evidence:
    """Energies and truth of natural and generated images, row by row."""

    pairs: Natural
    natural: ImageEnergies
    generated: dict[str, ImageEnergies]
    scenes: dict[str, list[Scene]]
    stands: dict[str, ConceptMatch]


@dataclass(frozen=True)
class Report:
    """Every criterion with its value, the calibration's points, and the power by pairs."""

    checks: list[Check]
    points: list[Point]
    power: list[power.Row]
    pairs: int
    standing: int
    alone: int

    @property
    def held(self) -> bool:
        """Whether every criterion holds."""
        return all(check.holds for check in self.checks)

    def text(self) -> str:
        """The report as a terminal shows it."""
        lines = [
            f"Planted benchmark: {self.pairs:,} pairs a model. {self.standing} factors have a "
            f"concept that predicts them (AUROC ≥ {STANDS_FOR}); {self.alone} of these concepts "
            f"have ≥ {OWN:.0%} of their energy there, and are judged.",
            "",
        ]
        width = max(len(check.name) for check in self.checks)
        for check in self.checks:
            mark = "held  " if check.holds else "FAILED"
            lines.append(f"{mark}  {check.name:<{width}}  {check.value}  (wanted {check.wanted})")
        lines += ["", power.table_text(self.power)]
        lines += ["", "All criteria held." if self.held else "A criterion does not hold."]
        return "\n".join(lines)


def running(pairs: int, seed: int, out: Path | None) -> Work[Report]:
    """Draw `pairs` pairs of world `seed` with every planted model, and report.

    Writes report.json and the figures calibration.html and power.html to `out`, if given.
    """
    evidence = yield from gathering(pairs, seed)
    report = judge(evidence)
    if out is not None:
        write_report(report, out)
    return report


def gathering(pairs: int, seed: int) -> Work[Evidence]:
    """Everything that is judged, through the embedded concept space."""
    space = open_space(load_bundle(planted.BUNDLE))
    tokens = MeasureSettings().tokens
    naming = yield from natural_pairs(NAMING_IMAGES, NAMING_WORLD)
    named = yield from encode_natural(naming, space)
    stands = standing(named.energies(tokens), naming.factors)
    natural = yield from natural_pairs(pairs, seed)
    coded = yield from encode_natural(natural, space)
    generated, scenes = {}, {}
    for name in planted.TITLES:
        drawn = yield from draw_model(name, natural, space, seed)
        generated[name], scenes[name] = drawn.coded.energies(tokens), drawn.scenes
    return Evidence(natural, coded.energies(tokens), generated, scenes, stands)


def judge(evidence: Evidence, settings: MeasureSettings | None = None) -> Report:
    """Hold every criterion of the benchmark against the evidence."""
    settings = settings or MeasureSettings()
    tables = {
        name: measure(evidence.natural, energies, settings, paired=True)
        for name, energies in evidence.generated.items()
    }
    natural_scenes = [pair.scene for pair in evidence.pairs.pairs]
    every: list[Point] = []
    for name, table in tables.items():
        truth = true_change(natural_scenes, evidence.scenes[name])
        every += criteria.points(name, table, truth, evidence.stands)
    null = [
        null_share(measured(evidence.natural, energies, settings, paired=True), settings)
        for energies in evidence.generated.values()
    ]
    full = [point for point in every if abs(point.true) >= FULL]
    rows = power.rows(evidence.natural, evidence.generated, every, settings)
    checks = [
        *criteria.calibration(every),
        *criteria.flags(every, full, [one["flagged"] for one in null]),
        *_datapoints(evidence),
        *_findings(evidence, tables),
        *power.checks(rows),
    ]
    alone = sum(stands.alone for stands in evidence.stands.values())
    return Report(checks, every, rows, len(evidence.pairs.ids), len(evidence.stands), alone)


def _datapoints(evidence: Evidence) -> list[Check]:
    noisy = np.array([pair.caption.noisy for pair in evidence.pairs.pairs])
    precision, enrichment = {}, {}
    for name, energies in evidence.generated.items():
        distance = pair_distances(evidence.natural, energies)
        memorised = np.array([scene.memorised for scene in evidence.scenes[name]])
        score = criteria.memorised_score(distance, duplicates(energies))
        precision[name] = criteria.average_precision(score, memorised)
        top = np.argsort(-distance, kind="stable")[: len(distance) // 10]
        law = stats.hypergeom(len(noisy), noisy.sum(), len(top))
        enrichment[name] = (
            float(noisy[top].mean()),
            float(noisy.mean()),
            float(law.sf(noisy[top].sum() - 1)),
        )
    return criteria.datapoints(precision, enrichment)


def _findings(evidence: Evidence, tables: dict[str, Columns]) -> list[Check]:
    bases = [name for name in tables if name != TUNED]
    determined = np.all(
        [
            ~np.isin(t["relative_state"].astype(str), ("dead", "undetermined"))
            for t in tables.values()
        ],
        axis=0,
    )
    relative = {name: table["relative_delta"][determined] for name, table in tables.items()}
    correlation = {
        (a, b): float(np.corrcoef(relative[a], relative[b])[0, 1])
        for i, a in enumerate(bases)
        for b in bases[i + 1 :]
    }
    spread = {}
    for name in (SIBLINGS[0], TUNED):
        distance = pair_distances(evidence.natural, evidence.generated[name])
        low, median, high = np.quantile(distance, [0.25, 0.5, 0.75])
        spread[name] = (float(median), float(high - low))
    # Over all concepts, as the paper's histograms are (Figure 6).
    skewness = {name: float(stats.skew(tables[name]["delta"])) for name in bases}
    frequency = {}
    for name in bases:
        images = tables[name]["images_natural"][determined]
        misaligned = np.abs(relative[name] - 0.5)
        frequency[name] = float(stats.spearmanr(images, misaligned).statistic)
    return criteria.findings(correlation, SIBLINGS, spread, SIBLINGS[0], TUNED, skewness, frequency)


def write_report(report: Report, out: Path) -> None:
    """Write report.json, calibration.html and power.html to `out`."""
    from blindspots_hub.planted.figures import calibration_figure, power_figure

    write_json(
        out / "report.json",
        {
            "pairs": report.pairs,
            "held": report.held,
            "checks": [vars(check) for check in report.checks],
            "points": [vars(point) for point in report.points],
            "power": [vars(row) for row in report.power],
        },
    )
    for name, figure in (
        ("calibration", calibration_figure(report.points)),
        ("power", power_figure(report.power)),
    ):
        write_bytes(out / f"{name}.html", figure.to_html(include_plotlyjs=True).encode())
