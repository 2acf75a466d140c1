"""Every analysis keeps the contract of `analysis.base`, on whole and on degenerate bundles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from findings_fixtures import write_rich
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.analysis import delta_histogram
from blindspots_hub.analysis.base import Analysis, Finding, NotAnswerable
from blindspots_hub.analysis.delta_histogram import Histogram, histogram
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.distances import median_interval, spread
from blindspots_hub.analysis.model_agreement import Agreement
from blindspots_hub.analysis.registry import ANALYSES, analysis
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.remeasure import remeasure

NAMES = [one.name for one in ANALYSES]

KINDS = (
    "whole",
    "nothing judged",
    "unpaired",
    "rich",
    "no live concept",
    "one live concept",
    "two pairs",
    "no picture",
)
"""Bundles that every analysis is asked of."""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Each of `KINDS`; those after `unpaired` hold all that an analysis may ask for."""
    root = tmp_path_factory.mktemp("bundles")
    whole = load_bundle(write_synthetic(root / "whole", Synthetic(n_concepts=120, pairs=90)))
    none = drive(remeasure.stream(whole, root / "none", {"min_support": 10_000}))
    unpaired = write_synthetic(
        root / "unpaired",
        Synthetic(n_concepts=60, pairs=50, unpaired=("plain-a", "plain-b", "plain-c")),
    )
    rich = {
        "rich": Synthetic(n_concepts=60, pairs=50),
        "no live concept": Synthetic(n_concepts=60, pairs=50, live=0),
        "one live concept": Synthetic(n_concepts=60, pairs=50, live=1),
        "two pairs": Synthetic(n_concepts=60, pairs=2),
        "no picture": Synthetic(n_concepts=60, pairs=50, missing=1.0),
    }
    return {
        "whole": whole,
        "nothing judged": none,
        "unpaired": load_bundle(unpaired),
    } | {kind: load_bundle(write_rich(root / kind, spec)) for kind, spec in rich.items()}


def test_names_are_those_of_the_files_and_differ() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for one in ANALYSES:
        assert one.find.__module__ == f"blindspots_hub.analysis.{one.name}"
        assert one.title
        assert one.section
        assert one.where.split()[0] in ("section", "appendix", "asked")
        assert one.row


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_analysis_answers_or_says_what_it_needs(
    bundles: dict[str, Bundle], kind: str, name: str
) -> None:
    one, bundle = analysis(name), bundles[kind]
    assert one.groups(bundle)
    for models in one.groups(bundle):
        missing = one.lacks(bundle, models)
        if missing is not None:
            assert missing.startswith(one.title)
            assert missing.endswith(".")
            with pytest.raises(NotAnswerable):
                one.answer(bundle, models)
            continue
        found = _found(one, bundle, models)
        if isinstance(found, NotAnswerable):  # too little of something that is there
            assert str(found).startswith(one.title)
            assert str(found).endswith(".")
            assert kind not in ("whole", "rich"), found
            continue
        _check(one, found)


def _found(one: Analysis, bundle: Bundle, models: Sequence[str]) -> Finding | NotAnswerable:
    try:
        return one.answer(bundle, models)
    except NotAnswerable as told:
        return told


def _check(one: Analysis, found: Finding) -> None:
    table = found.to_arrow(one.spec)  # columns and types as declared
    assert table.column_names == [column.name for column in one.columns]
    assert table.num_rows >= 1
    assert len(found.to_pandas()) == table.num_rows
    assert found.sentence.endswith(".")
    unknown = r"\bnan\b|\dE[+-]\d|\[–|–\]"  # also ends that are not known, and powers of ten
    assert not re.search(unknown, found.sentence, re.IGNORECASE)
    assert found.figure().to_json()


@pytest.mark.parametrize("name", NAMES)
def test_too_few_models_are_told(bundles: dict[str, Bundle], name: str) -> None:
    with pytest.raises(NotAnswerable, match="models"):
        analysis(name).answer(bundles["whole"], ())


def test_an_unknown_analysis_names_those_there_are() -> None:
    with pytest.raises(BlindspotsError, match="there are delta_histogram, "):
        analysis("no_such")


def test_needs_are_about_the_design(bundles: dict[str, Bundle]) -> None:
    unpaired = bundles["unpaired"]
    told = analysis("distances").lacks(unpaired, [next(iter(unpaired.models))])
    assert told is not None
    assert "was measured unpaired" in told


# ---- the numbers, by hand and by other libraries -----------------------------------------------


def test_the_histogram_counts_by_hand() -> None:
    found = Histogram.of(np.array([0.001, 0.005, 0.505, 0.999]))
    assert found.density[[0, 50, 99]] == pytest.approx([50, 25, 25])
    assert found.density.sum() / 100 == pytest.approx(1)
    assert found.median == pytest.approx(0.255)


def test_skewness_is_that_of_scipy_and_its_interval_holds_it() -> None:
    from scipy.stats import skew

    delta = np.random.default_rng(0).beta(5, 2, 3000)
    found = Histogram.of(delta)
    assert found.skewness == pytest.approx(skew(delta))
    assert found.skewness_low < found.skewness < found.skewness_high < 0


def test_a_skewness_does_not_depend_on_how_many_resamples_are_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delta = np.random.default_rng(3).beta(5, 2, 300)
    ends = []
    for block in (1 << 22, 7 * 300, 1):
        monkeypatch.setattr(delta_histogram, "BLOCK", block)
        found = Histogram.of(delta)
        ends.append((found.skewness_low, found.skewness_high))
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, rtol=1e-9)


def test_skewness_of_equal_values_is_unknown() -> None:
    found = Histogram.of(np.full(9, 0.5))
    assert np.isnan([found.skewness, found.skewness_low, found.skewness_high]).all()


def test_histograms_are_over_what_they_say(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["whole"]
    deltas = ModelDeltas.of(bundle.deltas(next(iter(bundle.models))), "absolute")
    assert histogram(deltas, "all").concepts == bundle.n_concepts
    assert histogram(deltas).concepts == int(deltas.determined.sum())


def test_a_model_agrees_with_itself() -> None:
    x = np.random.default_rng(1).random(50)
    assert Agreement.of(x, x).pearson.value == pytest.approx(1)
    assert Agreement.of(x, -x).spearman.value == pytest.approx(-1)
    few = Agreement.of(x[:3], x[:3])
    assert np.isnan(few.pearson.value)
    assert few.concepts == 3


def test_the_interval_of_a_median_covers() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        low, high = median_interval(rng.exponential(size=40))
        held += low <= np.log(2) <= high
    assert held / 400 >= 0.93
    assert np.isnan(median_interval(np.arange(5.0))).all()


def test_spread_is_median_and_quartiles() -> None:
    assert spread(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (3.0, 2.0)


def test_tables_are_the_hubs_too(bundles: dict[str, Bundle]) -> None:
    one = analysis("delta_histogram")
    table = one.answer(bundles["whole"], one.groups(bundles["whole"])[0]).to_arrow(one.spec)
    assert isinstance(table.schema, pa.Schema)
    assert b"huggingface" in table.schema.metadata


def test_path_of_a_table_is_its_name(tmp_path: Path) -> None:
    assert {one.spec.path for one in ANALYSES} == {
        f"deltas/analyses/{name}.parquet" for name in NAMES
    }
