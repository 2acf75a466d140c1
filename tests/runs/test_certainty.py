"""How far results can be trusted: planning, stability, parity, remeasuring, confounds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from energy_worlds import correlated, from_dense
from PIL import Image
from synthetic_bundle import Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.analysis.parity import authors_delta, parity
from blindspots_hub.analysis.planning import pairs_needed, promise
from blindspots_hub.analysis.stability import model_stability, stability
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.progress import drive
from blindspots_hub.runs.confounds import REPORT, Alteration, _confound, confounds
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.utils.files import read_json

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(planted.BUNDLE)


def _coded(images: list[list[list[float]]]) -> CodedImages:
    codes = []
    for image in np.array(images, np.float32):
        tokens, concepts = image.nonzero()
        indptr = np.searchsorted(tokens, np.arange(len(image) + 1)).astype(np.int64)
        codes.append(
            SparseCodes(indptr, concepts.astype(np.int32), image[tokens, concepts], image.shape[1])
        )
    ids = [f"{row}" for row in range(len(codes))]
    return CodedImages(ids, codes, {}, TokenLayout(1, 4, (2, 2)), codes[0].n_concepts)


def test_parity_is_the_authors_definition() -> None:
    golden = json.loads((GOLDEN / "parity.json").read_text())
    sides = [_coded(golden[side]).energies("all") for side in ("natural", "generated")]
    found = authors_delta(*sides)
    for name in ("energy_natural", "energy_generated", "delta", "relative"):
        expected = [row[name] for row in golden["concepts"]]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-6), name
    summary = found.summary()
    deltas = [row["delta"] for row in golden["concepts"]]
    assert summary["suppressed"] == sum(value < 0.1 for value in deltas)
    assert summary["exaggerated"] == sum(value > 0.9 for value in deltas) > 0
    assert summary["median"] == pytest.approx(np.median(deltas))
    patches = authors_delta(_coded(golden["natural"]).energies("patches"), sides[1])
    assert not np.allclose(patches.delta, found.delta)


def test_parity_of_a_bundle_needs_all_tokens(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(BlindspotsError, match="--tokens all"):
        parity(bundle, "alder-1")
    # `measure` on two folders is the shortest way to a bundle of all tokens.
    for side, shade in (("natural", 40), ("generated", 200)):
        (tmp_path / side).mkdir()
        for i in range(4):
            image = Image.new("RGB", (112, 112), (shade, 60 * i, 90))
            image.paste((0, 0, 0), (0, 0, 8, 8))  # of one colour it would be left out as blank
            image.save(tmp_path / side / f"{i}.png")
    out = tmp_path / "out"
    folders = [str(tmp_path / "natural"), str(tmp_path / "generated")]
    arguments = ["measure", *folders, "--out", str(out), "--tokens", "all", "-q"]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    said = CliRunner().invoke(cli.app, ["parity", str(out)])
    assert said.exit_code == 0
    assert "512 concepts below 0.1" in said.output


def test_pairs_needed_grow_with_the_square(bundle: Bundle) -> None:
    coarse, fine = pairs_needed(bundle, 0.2), pairs_needed(bundle, 0.1)
    judged = [(a, b) for a, b in zip(coarse, fine, strict=True) if a.pairs is not None]
    assert len(judged) >= 3
    for a, b in judged:
        assert a.pairs < b.pairs <= 4 * a.pairs + 4
    # Rarer concepts need more.
    assert np.all(np.diff([b.pairs for _, b in judged]) > 0)
    # The estimate of the form and the plan speak of the same widths.
    typical = promise(bundle, 1000)
    assert typical is not None
    assert typical.gap is not None
    needed = [need.pairs for need in pairs_needed(bundle, typical.gap) if need.pairs is not None]
    assert min(needed) < 1000 < max(needed)
    with pytest.raises(BlindspotsError, match="between 0 and 1"):
        pairs_needed(bundle, 1.5)


def test_bands_with_too_few_concepts_say_so(bundle: Bundle) -> None:
    assert pairs_needed(bundle, 0.1)[0].pairs is None  # nothing is in every third picture


def test_stability_rises_with_pairs_and_is_whole_at_all_of_them() -> None:
    rates = np.full(60, 0.3)
    shift = np.where(np.arange(60) < 20, np.linspace(0.02, 0.9, 60)[:60], 1.0)
    natural, generated = map(from_dense, correlated(800, rates, shift, seed=1))
    rows = drive(
        stability(natural, generated, MeasureSettings(), sizes=(50, 200, 5000), top=10, draws=3)
    )
    low = [row for row in rows if row.side == "suppressed"]
    assert [row.pairs for row in low] == [50, 200, 800]
    assert low[0].with_all <= low[1].with_all <= low[2].with_all == 1.0
    assert low[0].with_others is not None
    assert low[1].with_others >= 0.5
    assert low[2].with_others is None, "no pairs are left that all pairs do not hold"
    again = drive(
        stability(natural, generated, MeasureSettings(), sizes=(50, 200, 5000), top=10, draws=3)
    )
    assert again == rows


def test_stability_needs_pairs(tmp_path: Path) -> None:
    unpaired = write_synthetic(
        tmp_path / "b", Synthetic(n_concepts=40, pairs=40, models={"a": "A"}, unpaired=("a",))
    )
    with pytest.raises(BlindspotsError, match="unpaired"):
        drive(model_stability(load_bundle(unpaired), "a", "relative"))


def test_remeasuring_with_the_same_settings_changes_nothing(tmp_path: Path) -> None:
    spec = Synthetic(n_concepts=60, pairs=80, unpaired=("plain-b",))
    base = load_bundle(write_synthetic(tmp_path / "b", spec))
    again = drive(remeasure.stream(base, tmp_path / "again", {}))
    for model in base.models:
        old, new = (each.deltas(model).to_pandas() for each in (base, again))
        pd.testing.assert_frame_equal(new, old, check_exact=True)
    wide = drive(remeasure.stream(base, tmp_path / "wide", {"tau": 8.0, "min_support": 60}))
    for model in base.models:
        old, new = base.deltas(model), wide.deltas(model)
        assert new["gap"].equals(old["gap"])
        assert np.all(
            np.abs(new["delta"].to_numpy() - 0.5) <= np.abs(old["delta"].to_numpy() - 0.5)
        )
        assert wide.model(model).settings["tau"] == 8.0
        undetermined = "undetermined"
        assert new["state"].to_pylist().count(undetermined) > old["state"].to_pylist().count(
            undetermined
        )
    with pytest.raises(BlindspotsError, match="holds a bundle already"):
        drive(remeasure.stream(base, tmp_path / "wide", {}))
    with pytest.raises(BlindspotsError, match="alpha"):
        drive(remeasure.stream(base, tmp_path / "more", {"alpha": 2.0}))


def test_remeasuring_the_embedded_bundle_gives_its_own_tables(
    tmp_path: Path, bundle: Bundle
) -> None:
    embedded = bundle
    bundle = drive(remeasure.stream(embedded, tmp_path / "a", {}))
    again = drive(remeasure.stream(bundle, tmp_path / "b", {}))
    for model in bundle.models:
        for name in ("energy_natural", "delta", "relative_delta"):
            old, new = (each.deltas(model)[name].to_numpy() for each in (embedded, bundle))
            assert new == pytest.approx(old, abs=1e-9)
        for name in ("delta", "relative_delta_low", "q", "state", "top_generated"):
            old, new = bundle.deltas(model)[name], again.deltas(model)[name]
            if name in ("state", "top_generated"):
                assert new.equals(old)
            else:
                assert new.to_numpy() == pytest.approx(old.to_numpy(), abs=1e-9, nan_ok=True)
        old, new = (each.distances(model).to_pandas() for each in (bundle, again))
        pd.testing.assert_frame_equal(new, old, rtol=1e-12)
        assert again.model(model).counts == bundle.model(model).counts


def test_confounds_measure_what_altering_alone_flags(tmp_path: Path, bundle: Bundle) -> None:
    settings = MeasureSettings(min_support=8)
    kinds = [Alteration(jpeg=95), Alteration(jpeg=1), Alteration(side=16, jpeg=90)]
    fine, coarse, small = drive(
        confounds.stream(bundle, tmp_path, kinds, pairs=90, settings=settings)
    )
    assert [fine.alteration, coarse.alteration, small.alteration] == [
        "JPEG 95",
        "JPEG 1",
        "16 px, JPEG 90",
    ]
    assert fine.pairs == 90
    assert fine.judged > 5
    # A quality nobody stores at destroys concepts; the usual one leaves them alone.
    assert fine.flagged["relative"] == 0
    assert fine.typical_gap < 0.05 < coarse.typical_gap
    assert coarse.differ > fine.differ
    assert small.differ > fine.differ
    report = read_json(tmp_path / REPORT)
    assert report["confounds"][0]["alteration"] == "JPEG 95"
    again = drive(confounds.stream(bundle, tmp_path, kinds, pairs=90, settings=settings))
    assert again == [fine, coarse, small]


def test_confounds_count_what_differs_as_tables_do() -> None:
    """A small q whose interval holds 0 is no difference."""
    rng = np.random.default_rng(0)
    dense = rng.gamma(2.0, 1.0, (60, 3)) * (rng.random((60, 3)) < 0.6)
    table = measure(from_dense(dense), from_dense(dense * [0.2, 1, 1]), MeasureSettings(), True)
    table["q"] = np.full(3, 1e-6)
    assert _confound("JPEG 1", table, 60, MeasureSettings()).differ == 1


def test_confounds_need_images_and_alterations(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(BlindspotsError, match="No alteration"):
        drive(confounds.stream(bundle, tmp_path, []))
    with pytest.raises(BlindspotsError, match="quality"):
        Alteration(jpeg=100)
    with pytest.raises(BlindspotsError, match="pixels"):
        Alteration(side=4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--width", "0.1"], "Pairs that tell"),
        (["stability", str(planted.BUNDLE), "--model", "cedar", "-q"], "with other pairs"),
    ],
)
def test_commands_say_it_in_the_terminal(arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 0
    assert said in ran.output
