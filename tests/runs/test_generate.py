"""Generating as a stage of its own: a store of images that evaluations read."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from engine_fixtures import files, generated
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.hub.repos import Version
from blindspots_hub.artifacts.hub.staging import THUMBNAILS_ONLY, staging
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.data.identity import generation_id, pair_seed
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, TextToImage
from blindspots_hub.generation.store import GenerationStore
from blindspots_hub.progress import drive
from blindspots_hub.runs import encoding
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.generate import STAGE, generate
from blindspots_hub.runs.new_bundle import new_bundle

MODEL, PAIRS = "planted/cedar", 40


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate(MODEL, tmp_path_factory.mktemp("evaluated") / "b", pairs=PAIRS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated") / "images"
    generate(MODEL, folder, pairs=PAIRS)
    return folder


def _drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that pipelines draw from now on."""
    names: list[str] = []
    attempt = TextToImage._attempt

    def told(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        names.extend(name for _, name in pairs)
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", told)
    return names


def test_a_store_is_what_an_evaluation_leaves(evaluated: Bundle, store: Path) -> None:
    assert files(store) == files(evaluated.root / "images/cedar")
    assert {path.name for path in store.iterdir()} == {
        "00000-of-00002.parquet", "00001-of-00002.parquet", "generations.json",
    }  # fmt: skip


def test_rows_tell_all_of_an_image(evaluated: Bundle, store: Path) -> None:
    rows = pq.read_table(sorted(store.glob("*.parquet"))).to_pylist()
    assert list(rows[0]) == [
        "pair_id", "draw", "seed", "caption", "image", "image_sha256", "flags", "status",
    ]  # fmt: skip
    of_bundle = evaluated.generations("cedar").to_pylist()
    captions = evaluated.captions([row["pair_id"] for row in rows])
    for row, kept, caption in zip(rows, of_bundle, captions, strict=True):
        assert row.pop("caption") == caption
        assert row["image"].pop("path") == kept["image"].pop("path")
        assert row == kept
        assert row["seed"] == pair_seed(row["pair_id"], 0)


def test_datasets_decodes_the_images(store: Path) -> None:
    from datasets import load_dataset

    found = load_dataset("parquet", data_files=f"{store}/*.parquet", split="train", streaming=True)
    assert next(iter(found))["image"].size == (224, 224)


def test_evaluating_a_store_gives_the_same_bundle_and_loads_no_pipeline(
    evaluated: Bundle, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub.runs import generating

    def load(*_: object) -> None:
        raise AssertionError("a pipeline was loaded")

    monkeypatch.setattr(generating, "load_pipeline", load)
    again = evaluate(None, tmp_path / "b", generations=store)
    expected = {n: c for n, c in files(evaluated.root).items() if not n.startswith("images/")}
    assert files(again.root) == expected
    # The folder of an evaluation is as good; the model may be named where it is the same one.
    named = evaluate(MODEL, tmp_path / "c", generations=evaluated.root)
    assert files(named.root) == expected
    # An evaluation whose images are there needs no pipeline either.
    root = Path(shutil.copytree(evaluated.root, tmp_path / "d"))
    (root / "bundle.json").unlink()
    assert files(evaluate(MODEL, root, pairs=PAIRS).root) == files(evaluated.root)


def test_a_second_concept_space_reads_the_same_images(store: Path, tmp_path: Path) -> None:
    sae, backbone = (str(planted.BUNDLE / name) for name in ("sae", "backbone"))
    weights = RASAE.from_pretrained(sae)
    config = replace(weights.config, threshold=0.5 * (weights.config.threshold or 0))
    other = str(tmp_path / "sae")
    RASAE.from_weights(config, weights.state_dict()).save_pretrained(other)
    base = new_bundle(other, str(planted.BUNDLE), tmp_path / "base", pairs=10, backbone=backbone)
    assert base.concept_space != load_bundle(planted.BUNDLE).concept_space
    with pytest.raises(BlindspotsError, match=r"pairs whose images are in .* not in the source"):
        evaluate(None, tmp_path / "b", generations=store, bundle=base)
    found = evaluate(
        None, tmp_path / "b", generations=store, bundle=base, pairs_from=str(planted.BUNDLE)
    )
    assert found.concept_space == base.concept_space
    assert found.model("cedar").pairs == PAIRS
    assert faults(found.root) == []


def test_some_pairs_of_a_store(evaluated: Bundle, store: Path, tmp_path: Path) -> None:
    few = evaluate(None, tmp_path / "b", generations=store, pairs=12)
    rows = np.array([evaluated.image_ids("cedar").index(i) for i in few.image_ids("cedar")])
    kept = evaluated.energies("cedar").take(rows)
    assert np.array_equal(few.energies("cedar").energies, kept.energies)
    assert few.model("cedar").pairs == 12


def test_without_embedding_a_bundle_holds_hashes_and_is_whole(
    evaluated: Bundle, store: Path, tmp_path: Path
) -> None:
    bare = evaluate(None, tmp_path / "b", generations=store, embed_images=False)
    assert faults(bare.root) == []
    mine, theirs = (b.generations("cedar") for b in (bare, evaluated))
    assert mine["image"].null_count == PAIRS
    assert mine.drop_columns("image").equals(theirs.drop_columns("image"))
    assert mine["image_sha256"].null_count == 0


def test_the_store_is_no_part_of_the_bundle(evaluated: Bundle, tmp_path: Path) -> None:
    assert not any(name.startswith("images") for name in evaluated.manifest.files)
    assert faults(evaluated.root) == []
    staged = drive(
        staging(evaluated, "cedar", Version.parse("1.0.0"), THUMBNAILS_ONLY, tmp_path / "staged")
    )
    assert not (staged / "images").exists()
    assert (staged / "generations/cedar.parquet").exists()
    root = Path(shutil.copytree(evaluated.root, tmp_path / "b"))
    shutil.rmtree(root / "images")
    assert faults(root) == []


def test_the_images_of_a_model_that_is_added_stay(tmp_path: Path) -> None:
    evaluate(MODEL, tmp_path / "b", pairs=6)
    both = evaluate("planted/willow", tmp_path / "b", pairs=8)
    assert set(both.models) == {"cedar", "willow"}
    kept = {name: len(generated(tmp_path / "b/images" / name)) for name in both.models}
    assert kept == {"cedar": 6, "willow": 8}
    assert faults(both.root) == []
    for source in (NATURAL, "cedar", "willow"):
        features = both.features(source)
        assert features is not None
        assert features.n_images == len(both.image_ids(source))
    with pytest.raises(BlindspotsError, match="holds the images of 2 models: name one of"):
        evaluate(None, tmp_path / "c", generations=tmp_path / "b")
    alone = evaluate("planted/willow", tmp_path / "c", generations=tmp_path / "b")
    assert alone.model("willow").pairs == 8
    assert not (alone.root / "images").exists()


def test_quality_makes_small_files(store: Path, tmp_path: Path) -> None:
    found = generate(MODEL, tmp_path / "images", pairs=4, quality=60)
    for name, content in generated(tmp_path / "images").items():
        lossless = generated(store).get(name)
        assert lossless is None or len(content) < len(lossless)
        assert open_image(content).format is None
        assert content[:4] == b"RIFF"
    bundle = evaluate(None, tmp_path / "b", generations=tmp_path / "images")
    assert bundle.model("cedar").run["images"] == {"format": "webp", "quality": 60}
    assert found.about["encoding"] == {"format": "webp", "quality": 60}
    with pytest.raises(BlindspotsError, match="quality 0 is out of range"):
        generate(MODEL, tmp_path / "other", pairs=4, quality=0)


@pytest.mark.parametrize(
    ("model", "changes", "what"),
    [
        ("planted/willow", {}, "model"),
        (MODEL, {"seed": 1}, "seed"),
        (MODEL, {"quality": 50}, "file format"),
    ],
)
def test_images_of_another_kind_are_refused(
    store: Path, model: str, changes: dict[str, int], what: str
) -> None:
    before = files(store)
    with pytest.raises(BlindspotsError, match=rf"holds images of Cedar .* otherwise \(.*{what}"):
        generate(model, store, pairs=PAIRS, **changes)
    assert files(store) == before


def test_an_evaluation_does_not_mix_in_other_images(evaluated: Bundle, tmp_path: Path) -> None:
    shutil.copytree(evaluated.root / "images/cedar", tmp_path / "b/images/cedar")
    with pytest.raises(BlindspotsError, match=r"holds images of Cedar .* otherwise \(.*seed"):
        evaluate(MODEL, tmp_path / "b", pairs=PAIRS, seed=1)
    with pytest.raises(BlindspotsError, match=r"not asked for now, of 40 captions, 1 each"):
        evaluate(MODEL, tmp_path / "b", pairs=10)
    with pytest.raises(BlindspotsError, match=r"generated otherwise than those of Willow"):
        evaluate("planted/willow", tmp_path / "c", generations=tmp_path / "b")
    given = "height, width, num_images_per_prompt"
    with pytest.raises(BlindspotsError, match=f"generated already: leave out {given}"):
        evaluate(
            None,
            tmp_path / "c",
            generations=tmp_path / "b",
            height=64,
            width=64,
            num_images_per_prompt=2,
        )
    with pytest.raises(BlindspotsError, match="No model is named"):
        evaluate(None, tmp_path / "c")
    with pytest.raises(BlindspotsError, match="holds no generated images"):
        evaluate(None, tmp_path / "c", generations=tmp_path)
    (tmp_path / "b/images/cedar/00001-of-00002.parquet").unlink()
    with pytest.raises(BlindspotsError, match="holds 1 of 2 shards"):
        evaluate(None, tmp_path / "c", generations=tmp_path / "b")


def test_more_pairs_and_seeds_keep_what_is_there(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Path(shutil.copytree(store, tmp_path / "images"))
    drawn = _drawn(monkeypatch)
    more = generate(MODEL, mine, pairs=PAIRS + 10, num_images_per_prompt=2)
    assert len(drawn) == len(set(drawn)) == 2 * (PAIRS + 10) - PAIRS
    assert not set(drawn) & set(generated(store))
    assert len(list(mine.glob("*.parquet"))) == 2
    anew = tmp_path / "anew"
    generate(MODEL, anew, pairs=PAIRS + 10, num_images_per_prompt=2)
    assert files(mine) == files(anew)
    assert set(more.plan.names) >= {
        generation_id(i, 1) for i in GenerationStore.open(store).plan.captions
    }


def test_a_caption_that_fails_is_kept_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = TextToImage._attempt
    lost: list[str] = []

    def faulty(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        lost[:] = lost or [pairs[0][1]]
        if any(name in lost for _, name in pairs):
            return Failed("pipeline_error", "no")
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", faulty)
    found = generate(MODEL, tmp_path / "images", pairs=6)
    one = found.get(lost[0])
    assert one is not None
    assert (one.content, one.status) == (None, "pipeline_error")
    bundle = evaluate(None, tmp_path / "b", generations=tmp_path / "images")
    assert bundle.model("cedar").dropped == {"pipeline_error": 1}


def test_a_damaged_shard_is_told(store: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(store, tmp_path / "images"))
    shard = mine / "00000-of-00002.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 255
    shard.write_bytes(bytes(content))
    with pytest.raises(BlindspotsError, match=r"00000-of-00002\.parquet is damaged"):
        evaluate(None, tmp_path / "b", generations=mine)
    shard.unlink()
    generate(MODEL, mine, pairs=PAIRS)
    assert files(mine) == files(store)


def test_the_command_says_where_the_images_are(tmp_path: Path) -> None:
    out = str(tmp_path / "images")
    ran = CliRunner().invoke(cli.app, ["generate", MODEL, "--pairs", "4", "--out", out, "-q"])
    assert ran.exit_code == 0, ran.output
    assert "4 images of 4 captions are in" in ran.output
    arguments = ["evaluate", "--generations", out, "--out", str(tmp_path / "b"), "-q"]
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 0, ran.output
    assert load_bundle(tmp_path / "b").model("cedar").pairs == 4
    assert load_bundle(tmp_path / "b").image_ids(NATURAL)


def _generate(out: Path, told: Path) -> None:
    """What is killed: `generate` in small shards, telling in a file how many images are done."""
    encoding.SHARD = 4
    for event in generate.stream(MODEL, out, pairs=20):
        if event.stage == STAGE:
            told.write_text(str(event.done))


@pytest.mark.parametrize("wanted", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_lose_an_image_each_at_most(tmp_path: Path, wanted: int) -> None:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["blindspots_hub.runs.generate", "diffusers"])
    told = tmp_path / "told"

    def start(out: Path) -> multiprocessing.process.BaseProcess:
        told.write_text("0")
        process = server.Process(target=_generate, args=(out, told))
        process.start()
        return process

    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0
    expected = files(tmp_path / "whole")
    dice, kills, rounds, halfway = random.Random(wanted), 0, 0, 0
    while kills < wanted:
        out, rounds, kept = tmp_path / f"killed-{rounds}", rounds + 1, dict[str, bytes]()
        while True:
            process = start(out)
            if kills < wanted:
                goal = len(kept) + dice.randint(0, 9)
                while process.is_alive() and len(_names(out)) <= goal:
                    process.join(0.002)
                process.join(dice.uniform(0, 0.03))
                process.kill()
            process.join()
            if process.exitcode == 0:
                break
            assert process.exitcode == -signal.SIGKILL
            kills += 1
            found = generated(out)
            assert kept.items() <= found.items(), "images that were there are gone"
            assert len(found) >= int(told.read_text() or 0)
            halfway += 0 < len(found) < 20
            kept = found
        assert files(out) == expected
    assert halfway >= wanted // 4, "hardly a kill came while it generated"


def _names(out: Path) -> set[str]:
    """Names of images as they come; shards are counted by their size."""
    with contextlib.suppress(FileNotFoundError):
        single = {path.stem for path in (out / ".work").glob("*.json")}
        shards = {f"{path.name}-{n}" for path in out.glob("*.parquet") for n in range(4)}
        return single | shards
    return set()
