"""Several generations a caption: what their mean is, and how much of a difference is the dice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from energy_worlds import from_dense
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL, table_path
from blindspots_hub.artifacts.schema import GENERATIONS
from blindspots_hub.artifacts.schema import PAIRS as PAIRS_TABLE
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.cli import main
from blindspots_hub.data.identity import generation_id, pair_seed
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, TextToImage
from blindspots_hub.measure.sampler import mean_of_generations, sampler_share
from blindspots_hub.progress import drive
from blindspots_hub.runs import generating
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.remeasure import remeasure

MODEL, PAIRS = "planted/alder-1", 40


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate(MODEL, tmp_path_factory.mktemp("once") / "b", pairs=PAIRS)


@pytest.fixture(scope="module")
def thrice(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate(
        MODEL, tmp_path_factory.mktemp("thrice") / "b", pairs=PAIRS, num_images_per_prompt=3
    )


def test_the_first_drawing_is_that_of_a_single_one(once: Bundle, thrice: Bundle) -> None:
    one, three = (b.generations("alder-1").to_pylist() for b in (once, thrice))
    assert [row for row in three if row["draw"] == 0] == one
    assert [(row["pair_id"], row["draw"]) for row in three] == [
        (row["pair_id"], draw) for row in one for draw in range(3)
    ]
    assert len({row["seed"] for row in three}) == 3 * PAIRS
    for row in three:
        assert row["seed"] == pair_seed(generation_id(row["pair_id"], row["draw"]), 0)
    assert once.deltas("alder-1")["sampler_share"].null_count == once.n_concepts
    assert thrice.model("alder-1").run["num_images_per_prompt"] == 3
    assert faults(thrice.root) == []


def test_generated_energies_are_means_over_generations(thrice: Bundle, tmp_path: Path) -> None:
    from blindspots_hub.data.images import open_image
    from blindspots_hub.runs.session import open_space

    space = open_space(thrice)
    assert thrice.image_ids("alder-1") == thrice.image_ids(NATURAL)
    rows = thrice.generations("alder-1").to_pylist()
    kept = thrice.energies("alder-1").matrix.toarray()
    for row in (0, 17, PAIRS - 1):
        drawn = np.zeros((3, thrice.n_concepts))
        for draw, cell in enumerate(rows[3 * row : 3 * row + 3]):
            codes = space.encode(open_image(cell["image"]["bytes"]))
            concepts, values = codes.energies(space.backbone.layout.patches)
            drawn[draw, concepts] = values
        assert kept[row] == pytest.approx(drawn.mean(axis=0), rel=1e-6)


def test_a_drawing_that_fails_leaves_the_others(
    thrice: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = thrice.image_ids("alder-1")
    lost = {generation_id(ids[2], 0), *(generation_id(ids[5], n) for n in range(3))}
    attempt = TextToImage._attempt

    def faulty(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        if any(name in lost for _, name in pairs):
            return Failed("pipeline_error", "no")
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", faulty)
    bundle = evaluate(MODEL, tmp_path / "b", pairs=PAIRS, num_images_per_prompt=3, batch_size=4)
    assert bundle.model("alder-1").dropped == {"pipeline_error": 1}
    assert bundle.image_ids("alder-1") == [i for i in ids if i != ids[5]]
    statuses = {
        (r["pair_id"], r["draw"]): r["status"] for r in bundle.generations("alder-1").to_pylist()
    }
    assert {key for key, status in statuses.items() if status != "ok"} == {
        (ids[2], 0), (ids[5], 0), (ids[5], 1), (ids[5], 2),
    }  # fmt: skip
    assert bundle.deltas("alder-1")["sampler_share"].null_count < bundle.n_concepts
    assert faults(bundle.root) == []


def test_tables_with_images_are_written_in_blocks(
    once: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 10,000 pairs the images of a table are larger than memory."""
    monkeypatch.setattr(generating, "BLOCK", 7)
    bundle = evaluate(MODEL, tmp_path / "b", pairs=PAIRS)
    for spec, model in ((GENERATIONS, "alder-1"), (PAIRS_TABLE, None)):
        small, large = (table_path(b.root, spec, model) for b in (bundle, once))
        assert pq.ParquetFile(small).num_row_groups == 6
        assert pq.read_table(small).equals(pq.read_table(large))


def test_remeasuring_keeps_what_single_generations_tell(thrice: Bundle, tmp_path: Path) -> None:
    once = drive(remeasure.stream(thrice, tmp_path / "a", {}))
    pd.testing.assert_frame_equal(
        once.deltas("alder-1").to_pandas(), thrice.deltas("alder-1").to_pandas()
    )
    thrice = drive(remeasure.stream(thrice, tmp_path / "c", {"min_support": 5}))
    again = drive(remeasure.stream(thrice, tmp_path / "b", {}))
    for table in (Bundle.deltas, Bundle.distances):
        after, kept = (table(bundle, "alder-1").to_pandas() for bundle in (again, thrice))
        pd.testing.assert_frame_equal(after, kept)
    assert again.model("alder-1").null == thrice.model("alder-1").null
    assert again.model("alder-1").null["generations"]["pairs"] == PAIRS
    before = thrice.deltas("alder-1")["sampler_share"]
    shares = [share for share in before.to_pylist() if share is not None]
    assert shares
    assert all(0 <= share <= 1 for share in shares)


def test_more_seeds_go_on_from_the_generations_of_one(tmp_path: Path) -> None:
    """An evaluation that was stopped and is asked for more seeds draws nothing again."""
    from blindspots_hub.runs.evaluate import evaluate

    out = tmp_path / "b"
    work = evaluate.stream(MODEL, out, pairs=PAIRS)
    for event in work:
        if event.done == 10 and event.total == PAIRS:
            break
    work.close()
    before = {path: path.stat().st_ino for path in out.rglob("*.png")}
    assert len(before) == 10
    work = evaluate.stream(MODEL, out, pairs=PAIRS, num_images_per_prompt=2)
    for event in work:
        if event.total == 2 * PAIRS and event.done == 30:
            break
    work.close()
    after = {path: path.stat().st_ino for path in out.rglob("*.png")}
    assert before.items() <= after.items()
    assert len(after) == 30


# ---- the arithmetic -----------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize(("between", "within"), [(1.0, 1.0), (0.5, 2.0), (2.0, 0.2), (0.0, 1.0)])
def test_the_share_is_that_of_a_simulation(seeds: int, between: float, within: float) -> None:
    """4,000 captions of known variances: between captions `between`², of the dice `within`²."""
    rng = np.random.default_rng(0)
    pairs, concepts = 4000, 6
    natural = 20 + rng.normal(0, 1, (pairs, concepts))
    effect = natural + 3 + rng.normal(0, between, (pairs, concepts))
    generation_energies = effect[:, None] + rng.normal(0, within, (pairs, seeds, concepts))
    pair = np.repeat(np.arange(pairs), seeds)
    drawn = from_dense(generation_energies.reshape(-1, concepts).astype(np.float32))
    share = sampler_share(from_dense(natural.astype(np.float32)), drawn, pair)
    noise = within**2 / seeds
    assert share == pytest.approx(noise / (between**2 + noise), abs=0.04)


def test_captions_of_which_a_drawing_failed_count_too() -> None:
    """Half of the captions have four generations, half have one: mean(1 / S) is 5/8."""
    rng = np.random.default_rng(1)
    counts = np.where(np.arange(4000) % 2, 4, 1)
    pair = np.repeat(np.arange(4000), counts)
    natural = 20 + rng.normal(0, 1, (4000, 3))
    effect = natural + rng.normal(0, 1, natural.shape)
    generation_energies = effect[pair] + rng.normal(0, 1, (len(pair), 3))
    share = sampler_share(
        *(from_dense(x.astype(np.float32)) for x in (natural, generation_energies)), pair
    )
    assert share == pytest.approx(0.625 / 1.625, abs=0.04)


def test_where_nothing_varies_or_is_drawn_once_no_share_is_told() -> None:
    natural = from_dense(np.array([[1, 2, 0], [1, 1, 0], [1, 3, 0]], np.float32))
    generation_energies = from_dense(
        np.repeat([[2, 5, 0], [2, 1, 0], [2, 2, 0]], 2, axis=0).astype(np.float32)
    )
    pair = np.repeat(np.arange(3), 2)
    share = sampler_share(natural, generation_energies, pair)
    assert np.isnan(share[[0, 2]]).all()
    assert share[1] == 0
    assert sampler_share(natural, natural, np.arange(3)) is None


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_means_are_those_of_dense_arithmetic(pairs: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, pairs)
    dense = (rng.random((counts.sum(), 7)) * (rng.random((counts.sum(), 7)) < 0.4)).astype(
        np.float32
    )
    pair = np.repeat(np.arange(pairs), counts)
    mean = mean_of_generations(from_dense(dense), pair)
    assert mean.fault() is None
    expected = np.stack([dense[pair == i].mean(axis=0, dtype=np.float64) for i in range(pairs)])
    assert mean.matrix.toarray() == pytest.approx(expected, rel=1e-6)
    assert all(np.all(np.diff(mean.concepts[a:b]) > 0) for a, b in pairwise(mean.indptr))


def test_one_drawing_a_pair_is_its_own_mean() -> None:
    generation_energies = from_dense(np.array([[0.1, 0, 3], [0, 0.7, 0]], np.float32))
    assert mean_of_generations(generation_energies, np.arange(2)) is generation_energies


# ---- settings on the command line ---------------------------------------------------------------


def test_settings_of_the_sampler_are_asked_for_and_recorded(tmp_path: Path) -> None:
    bundle = evaluate(
        "planted/cedar",
        tmp_path / "b",
        pairs=4,
        num_inference_steps=7,
        guidance_scale=2.5,
        height=96,
        width=96,
        num_images_per_prompt=2,
    )
    told = bundle.model("cedar").run["settings"]
    assert (told["num_inference_steps"], told["guidance_scale"], told["height"], told["width"]) == (
        7,
        2.5,
        96,
        96,
    )
    with pytest.raises(BlindspotsError, match="height 100 is no size"):
        evaluate("planted/cedar", tmp_path / "c", pairs=4, height=100, width=100)
    with pytest.raises(BlindspotsError, match="cannot be drawn 0 times"):
        evaluate("planted/cedar", tmp_path / "c", pairs=4, num_images_per_prompt=0)


def test_the_command_passes_them_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "planted/cedar", "--out", str(tmp_path / "b"), "--pairs", "4", "--quiet"]
    command += ["--seeds", "2", "--steps", "3", "--guidance", "1.5", "--size", "64"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    assert "4 pairs measured" in capsys.readouterr().out
    again = evaluate(
        "planted/cedar",
        tmp_path / "b",
        pairs=4,
        num_images_per_prompt=2,
        num_inference_steps=3,
        guidance_scale=1.5,
        height=64,
        width=64,
    )
    assert again.generations("cedar").num_rows == 8
