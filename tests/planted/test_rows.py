"""Single rows of the benchmark, on numbers made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_fixtures import small_population
from scipy import stats

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.shares import Clustered, lower_bound, upper_bound
from blindspots_hub.measure.significance import Selection
from blindspots_hub.measure.table import Measured, measured
from blindspots_hub.planted.benchmark import recall
from blindspots_hub.planted.benchmark.another_renderer import another_renderer
from blindspots_hub.planted.benchmark.checks import (
    clustered_at_least,
    share_at_least,
    share_at_most,
)
from blindspots_hub.planted.benchmark.coverage import coverage, covered
from blindspots_hub.planted.benchmark.points import Point, calibration
from blindspots_hub.planted.benchmark.precision import certain_claims, precision, two_fold_claims
from blindspots_hub.planted.benchmark.samples import PairSample, claimed, samples
from blindspots_hub.planted.factors import FACTORS
from blindspots_hub.planted.faults import Fault
from blindspots_hub.planted.truth import Change


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (3, 10), (58, 60), (60, 60), (1, 1)])
def test_bounds_are_clopper_and_pearsons(hits: int, of: int) -> None:
    """One-sided 95% bounds are the ends of scipy's exact two-sided 90% interval."""
    exact = stats.binomtest(hits, of).proportion_ci(0.90, "exact")
    assert lower_bound(hits, of) == pytest.approx(exact.low)
    assert upper_bound(hits, of) == pytest.approx(exact.high)


def test_a_share_is_judged_by_its_bound() -> None:
    assert share_at_least("x", 59, 59, 0.95).holds
    assert not share_at_least("x", 58, 58, 0.95).holds, "58 of 58 may be 94.9%"
    assert share_at_most("x", 0, 59, 0.05).holds
    assert not share_at_most("x", 0, 58, 0.05).holds
    assert not share_at_least("x", 0, 0, 0.5).holds


def point(true: float, measured: float, **changes: object) -> Point:
    values: dict[str, object] = {
        "model": "m", "factor": "object=pan", "concept": 0, "alone": True, "true": true,
        "measured": measured, "low": measured - 0.1, "high": measured + 0.1, "state": "leaning",
        "relative_state": "leaning", "q": 0.01, "support": 50.0, "delta": 0.4,
    }  # fmt: skip
    return Point(**{**values, **changes})  # type: ignore[arg-type]


def changes(**relative: float) -> dict[str, Change]:
    found = {factor: Change(0.1, 0.1) for factor in FACTORS}
    for name, r in relative.items():
        found[name.replace("__", "=").replace("_", " ")] = Change(0.1 * (1 - r), 0.1 * (1 + r))
    return found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, recall.NO_CONCEPT),
        (point(-0.6, -0.6, relative_state="weakened"), None),
        (point(-0.6, -0.6, state="suppressed"), None),
        (point(-0.6, -0.6, relative_state="strengthened"), recall.FEW),
        (point(-0.6, -0.2, alone=False), recall.SHARED),
        (point(-0.6, -0.6, relative_state="undetermined"), recall.FEW),
        (point(-0.6, -0.5), recall.FEW),
        (point(-0.6, -0.3), recall.SMALL),
    ],
)
def test_why_a_change_is_missed(given: Point | None, why: str | None) -> None:
    points = [] if given is None else [given]
    (one,) = recall.outcomes("m", (), changes(object__pan=-0.6), points)
    assert (one.factor, one.missed, one.found) == ("object=pan", why, why is None)


def test_faults_count_whatever_they_came_to() -> None:
    faults = (Fault("suppress", "object=key", 0.1), Fault("memorise", "template=phone case", 1.0))
    truth = changes(object__pan=-0.6, object__key=-0.05, object__mug=0.1)
    every = recall.outcomes("m", faults, truth, [])
    assert {(one.factor, one.strength) for one in every} == {
        ("object=pan", None),
        ("object=key", 0.1),
    }
    rows = {check.name: check for check in recall.recall(every)}
    assert rows["recall: all changes of |r| ≥ 0.2"].value.startswith("0 of 1")
    assert rows["recall: all planted faults"].value == (
        f"0 of 1 (0.0%); missed: 1 {recall.NO_CONCEPT}"
    )


def test_factors_without_a_concept_are_named() -> None:
    assert recall.unseen(dict.fromkeys(FACTORS[2:])) == list(FACTORS[:2])


def test_calibration_judges_concepts_of_their_own() -> None:
    own = [point(r, 0.9 * r) for r in (-0.8, -0.2, 0.1, 0.6)]
    shared = [point(r, 0.3 * r, alone=False) for r in (-0.8, -0.2, 0.6)]
    rows = calibration([*own, *shared])
    assert [check.holds for check in rows] == [True, True, None]
    assert rows[2].value.startswith("0.300")
    assert [check.holds for check in calibration([point(p.true, -p.true) for p in own])] == [
        False,
        False,
    ]


def table(r: list[float], state: list[str], **columns: list[float]) -> dict[str, np.ndarray]:
    gap = np.array(r)
    made: dict[str, np.ndarray] = {
        "relative_gap": gap,
        "relative_state": np.array(state, object),
        "state": np.array(["aligned"] * len(r), object),
        "relative_certain": np.zeros(len(r), bool),
        "certain": np.zeros(len(r), bool),
        "q": np.full(len(r), 0.01),
        "support": np.full(len(r), 100.0),
    }
    for end, shift in (("low", -0.1), ("high", 0.1)):
        made[f"relative_gap_{end}"] = made[f"relative_gap_selected_{end}"] = gap + shift
    return made | {name: np.array(values) for name, values in columns.items()}


def test_two_fold_claims_are_counted_on_their_side() -> None:
    # ρ in the population: 3, 1.5, 1/3, 3 and (claimed nothing) 10
    population = small_population([1, 2, 3, 1, 1], [3, 3, 1, 3, 10])
    claims = two_fold_claims(
        "m",
        table([0.5] * 5, ["strengthened", "exaggerated", "weakened", "suppressed", "leaning"]),
        population,
    )
    assert (claims.made, claims.right, claims.open) == (4, 2, 0)


def test_certain_claims_are_held_against_their_own_delta() -> None:
    # Relative δ passes 0.9 at |r| = 0.88: ρ = 31 is beyond, ρ = 9 is not. Absolute: gaps 3, 1.
    population = small_population([1, 1, 7, 7], [31, 9, 10, 8])
    given = table([0.9] * 4, ["exaggerated", "exaggerated", "leaning", "leaning"])
    given |= {
        "relative_certain": np.array([True, True, False, False]),
        "state": np.array(["leaning", "leaning", "exaggerated", "exaggerated"], object),
        "certain": np.array([False, False, True, True]),
    }
    claims = certain_claims("m", given, population, MeasureSettings(tau=0.8))
    assert (claims.made, claims.right) == (4, 2)


def test_what_the_population_cannot_tell_is_counted() -> None:
    """ρ = 2.1 of 400 scenes that vary thrice as much as their mean."""
    population = small_population([1.0], [2.1], scenes=400, spread=3.0)
    claims = two_fold_claims("m", table([0.5], ["strengthened"]), population)
    assert (claims.made, claims.right, claims.open) == (1, 1, 1)
    rows = precision([{"m": table([0.5], ["strengthened"])}], population, MeasureSettings())
    assert rows[0].holds is None, "400 scenes are no population: told, and not judged"
    assert rows[0].value == "400, of 100,000 wanted: not drawn yet"
    many = replace(population, scenes=100_000)
    assert precision([{"m": table([0.5], ["strengthened"])}], many, MeasureSettings())[0].holds


def test_error_of_the_population_agrees_with_simulation() -> None:
    rng = np.random.default_rng(0)
    scenes, found, told = 2000, [], []
    for _ in range(200):
        x = rng.gamma(0.5, 2.0, scenes) * (rng.random(scenes) < 0.3)
        y = np.where(rng.random(scenes) < 0.5, x, rng.gamma(0.5, 3.0, scenes))
        sides = np.stack([x, y])[:, :, None]
        population = small_population([1.0], [1.0])
        population = type(population)(
            "k", scenes, ("natural", "m"), sides.sum(axis=1), (sides**2).sum(axis=1),
            (sides * x[None, :, None]).sum(axis=1), (sides > 0).sum(axis=1).astype(float),
        )  # fmt: skip
        found.append(population.relative_gap("m")[0])
        told.append(population.error("m")[0])
    assert np.mean(told) == pytest.approx(np.std(found), rel=0.15)


def test_intervals_hold_the_population_or_do_not() -> None:
    population = small_population([1, 1, 1], [1.0, 1.15, 1.4])  # r of 0, 0.07, 0.167
    inside, wider = covered("m", table([0.0] * 3, ["aligned"] * 3), population, "", 0.95)
    assert inside.tolist() == [True, True, False]
    assert wider == pytest.approx(1.0)
    loose = small_population([1, 1, 1], [1.0, 1.15, 1.4], scenes=100, spread=1.0)
    inside, wider = covered("m", table([0.0] * 3, ["aligned"] * 3), loose, "", 0.95)
    assert inside.all()
    assert (wider > 1).all()


def test_coverage_is_judged_by_band() -> None:
    n = 400
    r = np.zeros(n)
    population = small_population([1.0] * n, [1.0] * (n - 60) + [1.4] * 60)
    support = np.where(np.arange(n) < n - 60, 30.0, 500.0)
    columns = table(list(r), ["aligned"] * n, support=list(support), q=[1.0] * n)
    found = {"m": Measured(columns, Selection(0, n, 0.95), True, n)}
    whole = [PairSample(1, found)]
    rows = {check.name: check for check in coverage(whole, population, [], MeasureSettings())}
    assert rows["coverage: 95% intervals of r"].value.startswith("340 of 400 (85.0%)")
    assert rows["coverage: 95% intervals of r"].holds is False
    assert rows["coverage: support 20 to 50"].holds is True
    assert rows["coverage: support 200 to 1,000"].holds is False


def test_hits_that_come_together_are_worth_fewer() -> None:
    rng = np.random.default_rng(0)
    concept = np.repeat(np.arange(60), 20)
    alone = rng.random(1200) < 0.95
    together = np.repeat(rng.random(60) < 0.95, 20)
    apart, joined = Clustered.of_hits(alone, concept), Clustered.of_hits(together, concept)
    assert apart.effective == pytest.approx(1200, rel=0.35)
    assert joined.effective == pytest.approx(60, rel=0.1)
    assert joined.bound < 0.93 < apart.bound
    assert apart.bound == pytest.approx(lower_bound(int(alone.sum()), 1200), abs=0.01)
    perfect = Clustered.of_hits(np.ones(50, bool), np.arange(50))
    assert perfect.bound == pytest.approx(lower_bound(50, 50))


def test_too_few_to_tell_are_told_and_plain_failures_fail() -> None:
    few = Clustered.of_hits(np.arange(40) > 3, np.arange(40))  # 36 of 40
    row = clustered_at_least("x", few, 0.9, 0.95)
    assert row.holds is None
    assert "too few to tell 95% from 90%" in row.value
    many = Clustered.of_hits(np.arange(1000) > 120, np.arange(1000))
    assert clustered_at_least("x", many, 0.9, 0.95).holds is False
    assert Clustered.of_hits(np.zeros(0, bool), np.zeros(0, int)).bound == 0


def test_samples_are_disjoint_and_as_large_as_they_must_be() -> None:
    rng = np.random.default_rng(0)
    dense = rng.gamma(2.0, 1.0, (700, 5))
    side = ImageEnergies.stack([(np.arange(5), x) for x in dense], 5)
    whole = {"m": measured(side, side, MeasureSettings(), paired=True)}
    every = samples(side, {"m": side}, whole, MeasureSettings())
    assert [one.parts for one in every] == [1, 2, 2], "233 pairs judge hardly anything"
    assert every[0].tables is whole
    counts = [one.tables["m"].columns["images_natural"][0] for one in every[1:]]
    assert counts == [350, 350]
    assert claimed(every, 700) == [every[0]]
    assert claimed(every, 2000) == every[1:]


def test_a_renderer_is_foreseen_or_not() -> None:
    rng = np.random.default_rng(1)

    def energies(scale: np.ndarray) -> ImageEnergies:
        dense = (rng.gamma(2.0, 1.0, (400, 40)) * (rng.random((400, 40)) < 0.5)) * scale
        return ImageEnergies.stack([(np.flatnonzero(x), x[x > 0]) for x in dense], 40)

    scale = np.exp(rng.normal(0, 0.8, 40))
    natural, rendered = energies(np.ones(40)), energies(scale)
    settings = MeasureSettings()
    foreseen = another_renderer(natural, rendered, energies(scale), settings)
    assert foreseen[2].holds
    mirrored = another_renderer(natural, rendered, energies(1 / scale), settings)
    assert mirrored[2].holds is False
    assert mirrored[3].holds is False
    assert mirrored[3].value.startswith("0 of ")
