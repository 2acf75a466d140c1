"""What intervals and tests claim, held against worlds whose truth is known (METHOD §3)."""

from __future__ import annotations

import numpy as np
import pytest
from coverage_worlds import LAWS, Setting, default_grid, energies, full_grid, many_concepts

from blindspots_hub.measure.null import null_p, null_share
from blindspots_hub.measure.table import Columns, MeasureSettings, measure, measured

SETTINGS = MeasureSettings()
BLINDSPOTS = ("suppressed", "exaggerated")


def _measured(setting: Setting, seed: int, concepts: int) -> Columns:
    x, y = setting.draw(np.random.default_rng(seed), concepts)
    return measure(energies(x), energies(y), SETTINGS, paired=True)


def _covered(table: Columns, true: np.ndarray | float, name: str = "relative_gap") -> np.ndarray:
    """Whether the interval of each judged concept holds the truth."""
    judged = np.isfinite(table[f"{name}_low"])
    held = (table[f"{name}_low"] <= true) & (true <= table[f"{name}_high"])
    return held[judged]


def test_intervals_of_r_cover() -> None:
    covered = [
        _covered(_measured(setting, seed, 250), setting.r).mean()
        for seed, setting in enumerate(default_grid())
    ]
    assert len(covered) == 45
    assert np.mean(covered) >= 0.94
    assert min(covered) >= 0.88


@pytest.mark.slow
def test_intervals_of_r_cover_over_the_full_grid() -> None:
    covered = []
    for seed, setting in enumerate(full_grid()):
        concepts = min(400, max(120, 400_000 // setting.pairs))
        held = _covered(_measured(setting, seed, concepts), setting.r)
        if len(held) >= 100:
            covered.append(held.mean())
    assert len(covered) >= 100
    assert np.mean(covered) >= 0.94
    assert min(covered) >= 0.88


@pytest.mark.parametrize("law", LAWS)
def test_what_is_not_beyond_the_threshold_is_not_certain(law: str) -> None:
    certain = [
        _measured(Setting(pairs, rate, -0.85, law), 1, 400)["relative_certain"].mean()
        for pairs, rate in ((300, 0.1), (1000, 0.05), (3000, 0.03))
    ]
    assert np.mean(certain) <= 0.025


@pytest.mark.parametrize("row", [5, 500], ids=["beside a natural one", "alone"])
def test_a_first_weak_firing_image_makes_nothing_surer(row: int) -> None:
    sizes = np.random.default_rng(0).lognormal(0, 0.3, 50)
    ends = []
    for weak in (0.0, *np.geomspace(1e-6, 3, 30)):
        x, y = np.zeros((2, 1000, 1))
        x[:50, 0], y[row, 0] = sizes, weak
        found = measure(energies(x), energies(y), SETTINGS, paired=True)
        swapped = measure(energies(y), energies(x), SETTINGS, paired=True)
        assert swapped["relative_gap_low"][0] == pytest.approx(-found["relative_gap_high"][0])
        ends.append(
            [found[f"{name}_high"][0] for name in ("relative_gap", "relative_gap_selected")]
        )
    assert np.all(np.diff(ends, axis=0) >= 0)
    assert -0.95 < ends[0][0] < -0.8


def test_selection_intervals_hold_the_top_of_a_ranking() -> None:
    x, y, r = many_concepts(np.random.default_rng(0), pairs=1000, concepts=32_000)
    table = measure(x, y, SETTINGS, paired=True)
    judged = np.isfinite(table["q"])
    assert judged.sum() > 5_000
    top = np.argsort(-np.where(judged, np.abs(table["relative_gap"]), -1))[:20]
    low, high = (table[f"relative_gap_selected_{end}"] for end in ("low", "high"))
    assert ((low <= r) & (r <= high))[top].mean() >= 0.9
    found = judged & (table["q"] < 0.05)
    assert ((low <= r) & (r <= high))[found].mean() >= 0.95
    unchanged = found & (r == 0) & (table["relative_state"] != "aligned")
    assert unchanged.sum() <= 0.05 * found.sum()


@pytest.mark.parametrize(
    ("natural", "generated", "most"),
    [(800, 2, 0.02), (800, 20, 0.02), (800, 50, 0.02), (5000, 100, 0.01)],
)
def test_unpaired_sets_of_unequal_size_flag_nothing_that_does_not_differ(
    natural: int, generated: int, most: float
) -> None:
    rng = np.random.default_rng(0)
    rate, shape = rng.uniform(0.01, 0.5, 500), (natural + generated, 500)
    images = np.where(rng.random(shape) < rate, rng.lognormal(0, 0.8, shape), 0)
    sides = energies(images[:natural]), energies(images[natural:])
    table = measure(*sides, SETTINGS, paired=False)
    judged = np.isfinite(table["q"])
    assert judged.mean() > 0.9
    for state in ("state", "relative_state"):
        assert np.isin(table[state][judged].astype(str), BLINDSPOTS).mean() <= most
    assert (table["p"][judged] < 0.05).mean() <= 0.07
    assert _covered(table, 0.0).mean() >= 0.93


def test_an_unpaired_fault_is_found() -> None:
    x, y = Setting(1000, 0.2, -0.95).draw(np.random.default_rng(0), 100)
    table = measure(energies(x), energies(y[:600]), SETTINGS, paired=False)
    assert np.isin(table["relative_state"].astype(str), ("suppressed", "weakened")).all()


def test_a_tenth_as_much_is_never_small() -> None:
    states = _measured(Setting(2000, 0.1, -9 / 11), 3, 300)["relative_state"].astype(str)
    assert set(states) <= {"weakened", "suppressed"}
    assert (states == "weakened").mean() > 0.5


def test_a_common_concept_a_tenth_weaker_is_no_blindspot() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(52.7, 8, (1000, 4)), rng.normal(47.0, 8, (1000, 4))
    table = measure(energies(x), energies(y), SETTINGS, paired=True)
    assert np.all(table["delta"] < 0.1)
    assert set(table["state"]) == {"leaning"}
    assert not table["certain"].any()


@pytest.mark.parametrize("both", [True, False], ids=["both sides", "natural side"])
def test_copies_of_a_pair_count_once(both: bool) -> None:
    """A tenth of the pairs in fives, as where five captions describe one image."""
    pairs, covered, false = 1000, [], []
    copied = np.repeat(np.arange(pairs // 50), 5)
    rows = np.concatenate([np.arange(pairs - len(copied)), pairs - len(copied) + copied])
    for seed in range(10):
        for r in (0.0, -0.5):
            x, y = Setting(pairs, 0.1, r).draw(np.random.default_rng(seed), 200)
            sides = energies(x[rows]), energies(y[rows] if both else y)
            table = measure(*sides, SETTINGS, paired=True)
            covered.append(_covered(table, r).mean())
            if r == 0:
                false.append((table["p"] < 0.05).mean())
    assert np.mean(covered) >= 0.93
    assert np.mean(false) <= 0.06


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("r", [0.0, -0.5])
def test_the_null_is_what_exchanged_sides_flag(paired: bool, r: float) -> None:
    x, y = Setting(800, 0.1, r).draw(np.random.default_rng(0), 400)
    found = measured(energies(x), energies(y), SETTINGS, paired, null=null_p)
    null = null_share(found, SETTINGS)
    assert null["kind"] == ("swap" if paired else "relabel")
    assert null["flagged_low"] <= null["flagged"] <= null["flagged_high"]
    rejected = found.selection.threshold(found.columns["p"], found.columns["q"], SETTINGS)
    # Exchanging makes the null true: a p at most this large comes about as often as it says.
    assert null["flagged"] <= rejected * 1.3 + 0.001
    if r:
        assert found.selection.rejected > 350
        assert null["flagged"] > 0
    else:
        assert null["flagged"] < 0.005


def test_a_null_is_the_table_of_swapped_pairs() -> None:
    """Not measuring again gives what measuring again would: here for one exchange of all pairs."""
    from blindspots_hub.measure.null import REPEATS

    x, y = Setting(300, 0.1, -0.3).draw(np.random.default_rng(1), 150)
    found = measured(energies(x), energies(y), SETTINGS, True, null=null_p)
    threshold = found.selection.threshold(found.columns["p"], found.columns["q"], SETTINGS)
    judged = np.isfinite(found.columns["q"])
    signs = np.random.default_rng(0).choice((1.0, -1.0), size=(300, REPEATS))
    shares = []
    for column in signs.T:
        swap = (column < 0)[:, None]
        p = measure(energies(np.where(swap, y, x)), energies(np.where(swap, x, y)), SETTINGS, True)[
            "p"
        ]
        shares.append((p[judged] <= threshold).mean())
    null = null_share(found, SETTINGS)
    assert null["flagged"] == pytest.approx(np.mean(shares), abs=0.002)
    assert null["flagged_high"] == pytest.approx(max(shares), abs=0.01)
