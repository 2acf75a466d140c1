"""Stress tests of planted models, whose faults are known: verdicts, resumption, bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chat_fixtures import Reply, chat
from stress_fixtures import tables, with_tests
from synthetic_bundle import Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import table_path
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS
from blindspots_hub.artifacts.stress_tables import images_of_test, joined, renamed
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import TextToImage
from blindspots_hub.progress import drive
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.pace import WORK
from blindspots_hub.runs.stress import StressResult, stress_test
from blindspots_hub.serving.estimate import Estimate, stress_estimate
from blindspots_hub.stress.prompt_sources import PromptSource

__all__ = ["chat"]

FEEDER, GUITAR, CAR, CHAIR = 344, 192, 174, 311
FULL = {"bird feeder": FEEDER, "guitar": GUITAR}
"""Concepts of the full faults of alder-1, by the factor that they stand for."""

UNCHANGED = {"car": CAR, "chair": CHAIR, "mug": 332, "lamp": 307, "flower": 355, "apple": 147}


def put_to_the_test(place: Path, **more: Any) -> StressResult:
    asked: dict[str, Any] = {
        "concepts": [FEEDER, GUITAR, CAR, CHAIR],
        "num_prompts": 20,
        "num_images_per_prompt": 2,
        "work_dir": place,
        "against": "planted/cedar",
        **more,
    }
    return stress_test(planted.BUNDLE, "planted/alder-1", **asked)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StressResult:
    return put_to_the_test(tmp_path_factory.mktemp("stress"))


def _content(result: StressResult) -> dict[str, bytes]:
    return {
        spec.path: table_path(result.place, spec).read_bytes()
        for spec in (STRESS_TESTS, STRESS_IMAGES)
    }


def test_full_faults_are_confirmed_and_unchanged_concepts_are_not(found: StressResult) -> None:
    rows = {row["concept"]: row for row in found.tests.to_pylist()}
    assert list(rows) == sorted(rows)
    for name, concept in FULL.items():
        assert rows[concept]["verdict"] == "confirmed", rows[concept]["sentence"]
        assert rows[concept]["share"] == 0
        assert f"shows {name} (#{concept}) in 0 of" in rows[concept]["sentence"]
    for concept in (CAR, CHAIR):
        assert rows[concept]["verdict"] != "confirmed", rows[concept]["sentence"]
        assert rows[concept]["fold_low"] < 1 < rows[concept]["fold_high"]
    assert {row["concepts"] for row in rows.values()} == {4}


PALM = 476
"""A concept that alder-1 exaggerates: it adds a palm tree to scenes that have none."""


def test_what_is_exaggerated_is_confirmed_by_prompts_that_do_not_ask_for_it(
    tmp_path: Path,
) -> None:
    """Planted truth: palm trees are added, cars and chairs are as often there as in nature."""
    result = put_to_the_test(
        tmp_path, concepts=[PALM, CAR, CHAIR], direction="exaggerated", num_prompts=120,
        num_images_per_prompt=1, against=None,
    )  # fmt: skip
    rows = {row["concept"]: row for row in result.tests.to_pylist()}
    assert rows[PALM]["verdict"] == "confirmed", rows[PALM]["sentence"]
    assert rows[PALM]["fold_low"] > 2
    for concept in (CAR, CHAIR):
        assert rows[concept]["verdict"] != "confirmed", rows[concept]["sentence"]
        assert rows[concept]["fold_low"] < 2
    label = load_bundle(planted.BUNDLE, contents=False).labels[PALM]
    for row in rows.values():
        assert (row["direction"], row["reference"]) == ("exaggerated", "natural")
        assert "prompts that do not ask for it" in row["sentence"]
        assert "whose caption does not name it" in row["sentence"]
    prompts = images_of_test(table_path(result.place, STRESS_IMAGES), PALM, "alder-1")
    assert not any(label in row["prompt"] for row in prompts)


def test_the_state_in_the_bundle_says_which_prompts_are_drawn(tmp_path: Path) -> None:
    more: dict[str, Any] = {"num_prompts": 2, "num_images_per_prompt": 1, "against": None}
    rows = put_to_the_test(tmp_path, concepts=[PALM, CAR], **more).tests.to_pylist()
    assert {row["concept"]: row["direction"] for row in rows} == {
        PALM: "exaggerated", CAR: "suppressed",
    }  # fmt: skip
    given = PromptSource.given(["a red car", "a kite in the sky", "a dog on the beach"])
    (row,) = put_to_the_test(tmp_path, concepts=[PALM], prompts=given, **more).tests.to_pylist()
    assert (row["verdict"], row["reference"]) == ("undecided", "none")
    assert "of captions of the bundle only" in row["sentence"]
    for source, told in (
        (PromptSource("templates"), "which prompts that ask for it cannot tell"),
        (PromptSource.given(["a dog", "a palm tree"]), "'a palm tree' asks for 'palm tree'"),
    ):
        with pytest.raises(BlindspotsError, match=told):
            put_to_the_test(tmp_path, concepts=[PALM], prompts=source, **more)
    with pytest.raises(BlindspotsError, match="There is no direction 'up'"):
        put_to_the_test(tmp_path, concepts=[PALM], direction="up", **more)


class Clock:
    """Seconds that pass only where something is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("drawing", "encoding"), [(4.0, 1.0), (0.05, 0.3)])
def test_the_time_that_is_told_is_within_a_factor_of_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawing: float, encoding: float
) -> None:
    """By a clock of its own: loading, drawing and encoding take what they are made to take."""
    from blindspots_hub.runs import stress_side
    from blindspots_hub.runs.pace import measured_before

    clock = Clock()
    attempt, opening, encode = (
        TextToImage._attempt, stress_side.opening_stores, stress_side.encode_shards,
    )  # fmt: skip

    def drawn(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        clock.now += drawing * len(pairs)
        return attempt(self, pairs, seed)

    def opened(*asked: Any) -> Any:
        clock.now += 10.0
        return (yield from opening(*asked))

    def encoded(codes: Any, shards: Any, *more: Any) -> Any:
        clock.now += encoding * sum(len(codes.shards[shard]) for shard in shards)
        yield from encode(codes, shards, *more)

    monkeypatch.setattr(TextToImage, "_attempt", drawn)
    monkeypatch.setattr(stress_side, "opening_stores", opened)
    monkeypatch.setattr(stress_side, "encode_shards", encoded)
    asked: dict[str, Any] = {
        "concepts": [CAR], "num_prompts": 45, "num_images_per_prompt": 1, "clock": clock,
        "against": "planted/cedar", "prompts": PromptSource("templates"),
    }  # fmt: skip
    lines = [f"a car, number {n}" for n in range(45)]
    asked["prompts"] = PromptSource.given(lines)
    told: list[tuple[float, float]] = []
    before = estimate_of(tmp_path, 45)
    assert "guessed by the models’ size" in before.sentence
    work = stress_test.stream(planted.BUNDLE, "planted/alder-1", work_dir=tmp_path, **asked)
    drive(
        work,
        lambda event: (
            told.append((clock.now, event.detail["seconds"])) if "seconds" in event.detail else None
        ),
    )
    took = clock.now
    assert told, "nothing was told"
    assert told[0][0] < 0.6 * took, "it is told before most is done"
    for _, expected in told:
        assert took / 2 <= expected <= took * 2
    # The next run's is told before it begins.
    found = estimate_of(tmp_path, 30)
    assert "as measured here before" in found.sentence
    clock.now = 0.0
    asked["prompts"] = PromptSource.given([f"a green car, number {n}" for n in range(30)])
    stress_test(planted.BUNDLE, "planted/alder-1", work_dir=tmp_path, **asked)
    assert clock.now / 2 <= found.seconds_low <= found.seconds_high <= clock.now * 2
    assert measured_before(tmp_path, "planted/alder-1", None, num_inference_steps=9) == [None]


def estimate_of(root: Path, prompts: int) -> Estimate:
    from blindspots_hub.runs.pace import measured_before

    models = ("planted/alder-1", "planted/cedar")
    return stress_estimate(*models, prompts, 1, measured_before(root, *models))


def test_what_cannot_be_read_of_earlier_runs_is_passed_over(tmp_path: Path) -> None:
    from blindspots_hub.runs.pace import FILE, kept_paces

    for content in (b"", b"[]", b"{", b'{"a": 1}', b'{"a": {"loading": "x", "seconds": 1}}'):
        (tmp_path / FILE).write_bytes(content)
        assert kept_paces(tmp_path) == {}


def test_older_runs_images_go_where_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub.runs import stress

    asked: dict[str, Any] = {"concepts": [CAR], "num_images_per_prompt": 1, "against": None}
    colours = ("red", "blue")
    for colour in colours:
        given = PromptSource.given([f"a {colour} car", f"a {colour} car on the beach"])
        put_to_the_test(tmp_path, prompts=given, **asked)
    kept = {path.name for path in (tmp_path / WORK).iterdir() if path.is_dir()}
    assert len(kept) == 4
    monkeypatch.setattr(stress, "KEPT", 1)
    given = PromptSource.given(["a green car", "a green car on the beach"])
    put_to_the_test(tmp_path, prompts=given, **asked)
    left = {path.name for path in (tmp_path / WORK).iterdir() if path.is_dir()}
    assert len(left) == 2
    assert not left & kept
    assert len(load_rows(tmp_path)) == 1


@pytest.mark.slow
def test_with_the_papers_numbers_every_verdict_is_right(tmp_path: Path) -> None:
    concepts = [*FULL.values(), *UNCHANGED.values()]
    result = put_to_the_test(
        tmp_path, concepts=concepts, num_prompts=50, num_images_per_prompt=5,
        prompts=PromptSource("templates"),
    )  # fmt: skip
    verdicts = dict(zip(result.tests["concept"].to_pylist(), result.tests["verdict"].to_pylist(),
                        strict=True))  # fmt: skip
    assert {verdicts[concept] for concept in FULL.values()} == {"confirmed"}
    assert "confirmed" not in {verdicts[concept] for concept in UNCHANGED.values()}
    assert sum(verdicts[c] == "not confirmed" for c in UNCHANGED.values()) >= 5


def test_images_are_ranked_by_energy_with_picture_and_heatmap(found: StressResult) -> None:
    images = images_of_test(table_path(found.place, STRESS_IMAGES), FEEDER, "alder-1")
    assert len(images) == 80
    for model in ("alder-1", "cedar"):
        rows = [row for row in images if row["drawn_by"] == model]
        energies = [row["energy"] for row in rows]
        assert energies == sorted(energies, reverse=True)
        (test,) = [r for r in found.tests.to_pylist() if r["concept"] == FEEDER]
        assert all(row["shows"] == (row["energy"] >= test["level"]) for row in rows)
        assert all(row["image"]["bytes"][:4] == b"RIFF" for row in rows)
        firing = [row for row in rows if row["energy"] > 0]
        assert all(sum(r["codes"]) == pytest.approx(r["energy"], rel=1e-4) for r in firing)
    # Both models had the same prompts and seeds.
    keys = {m: {(r["prompt"], r["draw"], r["seed"]) for r in images
                if r["drawn_by"] == m} for m in ("alder-1", "cedar")}  # fmt: skip
    assert keys["alder-1"] == keys["cedar"]


def test_stopped_anywhere_it_ends_with_the_same_tables(
    found: StressResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {
        "concepts": [FEEDER, GUITAR, CAR, CHAIR], "num_prompts": 20, "num_images_per_prompt": 2,
        "against": "planted/cedar", "work_dir": tmp_path,
    }  # fmt: skip
    for events in (15, 60, 250):
        work = stress_test.stream(planted.BUNDLE, "planted/alder-1", **asked)  # type: ignore[arg-type]
        for _ in range(events):
            next(work)
        work.close()
        assert not table_path(tmp_path, STRESS_TESTS).exists()
    names: list[str] = []
    attempt = TextToImage._attempt

    def told(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        names.extend(name for _, name in pairs)
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", told)
    again = put_to_the_test(tmp_path)
    assert _content(again) == _content(found)
    assert len(names) < 100  # of 320: those of before were kept
    names.clear()
    assert _content(put_to_the_test(tmp_path)) == _content(found)
    assert not names


def test_a_concept_that_is_added_draws_its_own_prompts_only(
    found: StressResult, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(found.place, tmp_path / "place"))
    before = {path.name for path in (place / WORK).iterdir()}
    result = put_to_the_test(place, concepts=[245], against=None)
    added = {path.name for path in (place / WORK).iterdir()} - before
    assert {name.rpartition("-codes")[0] or name for name in added} == {
        name for name in added if not name.endswith("-codes")
    }
    assert len(added) == 2
    kept = pq.read_table(table_path(place, STRESS_TESTS))
    assert kept["concept"].to_pylist() == [CAR, GUITAR, 245, CHAIR, FEEDER]
    (row,) = result.tests.to_pylist()
    assert (row["against"], row["reference"], row["share_against"]) == (None, "natural", None)
    assert row["verdict"] != "confirmed"


def test_a_bundle_keeps_the_verdicts_and_stays_itself(tmp_path: Path) -> None:
    bundle = evaluate("planted/alder-1", tmp_path / "b", pairs=120)
    before, link = bundle.sha256, bundle.identity
    kept_levels = load_bundle(planted.BUNDLE)
    concept = max(range(bundle.n_concepts), key=lambda k: bundle.energies("natural").fires[k])
    assert kept_levels.concept_space == bundle.concept_space
    stress_test(
        bundle, "planted/alder-1", concepts=[concept], num_prompts=3, num_images_per_prompt=1,
        prompts=PromptSource.given(["a red car", "a car in the grass", "a blue car"]),
    )  # fmt: skip
    again = load_bundle(bundle.root)
    assert faults(bundle.root) == []
    assert again.sha256 != before
    assert again.identity == link
    assert (concept, "alder-1") in again.stress_tests()
    assert bundle.stress_tests() == {}
    bundle.refresh()
    assert bundle.stress_tests() == again.stress_tests()
    # Hidden, so that it is no part of the bundle.
    assert (bundle.root / WORK).is_dir()


def test_prompts_that_are_too_long_for_the_tokenizer_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tokenizer(caption: str, verbose: bool) -> Any:
        return type("Read", (), {"input_ids": caption.split()})

    loaded = TextToImage.__init__

    def init(self: TextToImage, *args: Any) -> None:
        loaded(self, *args)
        self._limits = [(tokenizer, 6)]

    monkeypatch.setattr(TextToImage, "__init__", init)
    lines = ["a red car", "a blue car", "a car " + "in the grass " * 20]
    warnings: list[str] = []
    work = stress_test.stream(
        planted.BUNDLE, "planted/alder-1", concepts=[CAR], num_images_per_prompt=2,
        prompts=PromptSource.given(lines), work_dir=tmp_path,
    )  # fmt: skip
    result = drive(work, lambda event: warnings.append(event.detail.get("warning", "")))
    assert "1 of 3 prompts are longer than what Alder 1 reads: their images are left out." in (
        warnings
    )
    (row,) = result.tests.to_pylist()
    assert row["images"] == 4
    assert "2 images could not be measured" in row["sentence"]
    with pytest.raises(BlindspotsError, match="does not read them to their end: shorten them"):
        stress_test(
            planted.BUNDLE, "planted/alder-1", concepts=[CAR], num_images_per_prompt=1,
            prompts=PromptSource.given([lines[2], lines[2] + "x"]), work_dir=tmp_path,
        )  # fmt: skip
    assert load_rows(tmp_path) == [row]  # what was made is kept


def load_rows(place: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(table_path(place, STRESS_TESTS)).to_pylist()
    return rows


DEAD = 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"concepts": []}, "No concept is named"),
        ({"concepts": [99_999]}, "There is no concept 99999"),
        ({"concepts": range(201)}, "200 at most"),
        ({"num_images_per_prompt": 0}, "cannot be drawn 0 times"),
        ({"against": "planted/alder-1"}, "is the model under test by its name"),
        ({"against": "planted/alderr"}, "alderr"),
        ({"num_prompts": 1}, "ask for 2 to 1,000"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(BlindspotsError, match=told) as error:
        put_to_the_test(tmp_path, **more)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_concept_that_never_fires_is_one_sentence(tmp_path: Path) -> None:
    fires = load_bundle(planted.BUNDLE, contents=False).energies("natural").fires
    never, seldom = int((fires == 0).argmax()), int(((fires > 0) & (fires < 20)).argmax())
    with pytest.raises(BlindspotsError, match=f"Concept {never} fires in no natural image"):
        put_to_the_test(tmp_path, concepts=[CAR, never])
    with pytest.raises(BlindspotsError, match=rf"Concept {seldom} fires in \d+ natural images"):
        put_to_the_test(tmp_path, concepts=[seldom])


def test_the_command(tmp_path: Path) -> None:
    lines = tmp_path / "prompts.txt"
    lines.write_text("a photo of a {label}\na red {label}\na {label} on the beach\n")
    asked = ["stress", str(planted.BUNDLE), "planted/alder-1", "--concept", str(FEEDER)]
    more = ["--prompts", str(lines), "--seeds", "2", "--work", str(tmp_path / "w")]
    done = CliRunner().invoke(cli.app, [*asked, *more])
    assert done.exit_code == 0, done.output
    assert "3 prompts, 2 images each, are 6 images by the model: " in done.output
    assert "Alder 1 shows bird feeder (#344) in 0 of 6 images" in done.output
    assert len(load_rows(tmp_path / "w")) == 1
    both = CliRunner().invoke(cli.app, [*asked, "--captions", "--templates"])
    assert "Prompts come from one source" in str(both.exception)
    none = CliRunner().invoke(cli.app, [*asked[:3], "--concept", "car"])
    assert "is no concept" in str(none.exception)


def test_prompts_of_a_language_model_are_asked_for_once(tmp_path: Path, chat: Any) -> None:
    """Over the chat-completions protocol; what it wrote is kept, as it would not write it again."""
    replies = ["no list at all", json.dumps(["a red bird feeder", "a bird feeder on the beach"])]
    chat.answer = lambda request, before: Reply(replies[min(before, 1)])
    asked = ["stress", str(planted.BUNDLE), "planted/alder-1", "--concept", str(FEEDER)]
    asked += ["--prompts-with", chat.url, "--prompts-model", "writer", "--seeds", "1"]
    asked += ["--num-prompts", "2", "--work", str(tmp_path)]
    refused = CliRunner().invoke(cli.app, asked)
    assert "writer (127.0.0.1) wrote no list of prompts" in str(refused.exception)
    for _ in range(2):
        done = CliRunner().invoke(cli.app, asked)
        assert done.exit_code == 0, done.output
        assert "in 0 of 2 images" in done.output
        assert "(written by writer (127.0.0.1))" in done.output
    assert len(chat.asked) == 2
    assert 'concept: "bird feeder". Suggest 2 prompts' in chat.asked[0].prompt
    (row,) = load_rows(tmp_path)
    assert row["origin"] == "written by writer (127.0.0.1)"


# ---- tables ------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> Bundle:
    root = write_synthetic(tmp_path / "made", Synthetic(n_concepts=40, pairs=30))
    name = next(iter(load_bundle(root).models))
    return load_bundle(with_tests(root, name, {3: 0, 5: 12}))


def test_the_last_test_of_a_concept_and_model_stays(made: Bundle) -> None:
    name = next(iter(made.models))
    assert faults(made.root) == []
    first, again = tables(made, name, {3: 0, 5: 12}), tables(made, name, {5: 6})
    both = joined([first, again])
    assert both[STRESS_TESTS]["concept"].to_pylist() == [3, 5]
    assert both[STRESS_TESTS].to_pylist()[1] == again[STRESS_TESTS].to_pylist()[0]
    assert both[STRESS_IMAGES]["concept"].to_pylist().count(5) == 48
    other = renamed(again, {name: "new"})
    assert joined([first, other])[STRESS_TESTS]["model"].to_pylist().count("new") == 1


def test_combined_bundles_keep_their_tests(made: Bundle, tmp_path: Path) -> None:
    found = combine([made], tmp_path / "both")
    assert found.stress_tests() == made.stress_tests()
    assert faults(found.root) == []


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("concept", 40, "names a concept that is none of the 40"),
        ("verdict", "sure", "which is none of confirmed"),
        ("share", 1.5, "outside 0 to 1"),
    ],
)
def test_a_table_that_is_wrong_is_told(made: Bundle, column: str, value: Any, told: str) -> None:
    from bundle_tools import rehash

    table = made.optional(STRESS_TESTS)
    assert table is not None
    columns = {name: table[name].to_pylist() for name in STRESS_TESTS.names}
    columns[column] = [value] * len(table)
    write_table(made.root, STRESS_TESTS, columns)
    rehash(made.root)
    assert any(told in fault for fault in faults(made.root))
