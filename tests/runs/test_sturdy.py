"""What passes is no fact: failures, blank images, files that are away, two runs in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_fixtures import generated, paired_folders
from PIL import Image
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.analysis.summary import summary
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.data import images
from blindspots_hub.data.images import encode_png
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, Generated, Outcome, TextToImage
from blindspots_hub.progress import Work, drive
from blindspots_hub.runs import adding, loading
from blindspots_hub.runs.adding import ADDING
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.evaluation import DRAW
from blindspots_hub.runs.folders import measure_folders
from blindspots_hub.runs.generate import generate
from blindspots_hub.utils import passing
from blindspots_hub.utils.folder_lock import FolderInUse
from blindspots_hub.utils.passing import PassingFault

MODEL, PAIRS = "planted/cedar", 8
CUDNN = "RuntimeError: cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"

Attempt = Callable[[TextToImage, list[tuple[str, str]], int], "list[Outcome] | Failed"]


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], Outcome | None]], None]:
    """Let the n-th image of all be what a function of n says, or as usual where that is None."""
    attempt = TextToImage._attempt

    def faulty(instead: Callable[[int], Outcome | None]) -> None:
        count = 0

        def drawn(
            self: TextToImage, pairs: list[tuple[str, str]], seed: int
        ) -> list[Outcome] | Failed:
            nonlocal count
            count += 1
            found = instead(count)
            return attempt(self, pairs, seed) if found is None else [found]

        monkeypatch.setattr(TextToImage, "_attempt", drawn)

    return faulty


def warnings_of(work: Work[object]) -> list[str]:
    told: list[str] = []
    drive(work, lambda event: told.extend(filter(None, [event.detail.get("warning")])))
    return told


def test_failed_captions_are_tried_again(drawing, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out, failed = tmp_path / "b", Failed("pipeline_error", CUDNN)
    drawing(lambda _: failed)
    with pytest.raises(BlindspotsError, match=rf"None of the first 4 .*{CUDNN}"):
        evaluate(MODEL, out, pairs=PAIRS)
    assert generated(out / "images/cedar") == {}
    drawing(lambda n: failed if n in (3, 5) else None)
    told = warnings_of(evaluate.stream(MODEL, out, pairs=PAIRS))
    assert any(f"2 captions could not be drawn (the first: {CUDNN})" in one for one in told)
    few = evaluate(None, tmp_path / "c", generations=out)
    assert few.model("cedar").dropped == {"pipeline_error": 2}
    assert "left out: 2 pipeline_error." in summary(few, "cedar")
    drawing(lambda n: failed if n in (1, 3) else None)  # one of two, and again for the new bundle
    more = evaluate(MODEL, out, pairs=PAIRS)
    assert more.model("cedar").dropped == {"pipeline_error": 1}
    drawing(lambda _: failed)
    assert evaluate(MODEL, out, pairs=PAIRS).sha256 == more.sha256
    drawing(lambda _: None)
    whole = evaluate(MODEL, out, pairs=PAIRS)
    assert (whole.model("cedar").pairs, whole.model("cedar").dropped) == (PAIRS, {})
    drawing(lambda _: failed)  # nothing is left to try
    assert evaluate(MODEL, out, pairs=PAIRS).sha256 == whole.sha256


def test_failed_captions_of_one_of_several_models_are_tried_again(  # type: ignore[no-untyped-def]
    drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, failed = tmp_path / "b", Failed("pipeline_error", CUDNN)
    drawing(lambda n: failed if n in (3, 5) else None)
    evaluate(MODEL, out, pairs=PAIRS)
    drawing(lambda _: None)
    both = evaluate("planted/willow", out, pairs=PAIRS)
    drawing(lambda _: failed)
    assert evaluate(MODEL, out, pairs=PAIRS).sha256 == both.sha256
    assert not (out / ADDING).exists()
    drawing(lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(adding, "replace_folder", _no_swap)
        with pytest.raises(BlindspotsError, match="disk is full"):
            evaluate(MODEL, out, pairs=PAIRS)
    assert load_bundle(out).sha256 == both.sha256
    whole = evaluate(MODEL, out, pairs=PAIRS)  # it goes on, though nothing is left to draw
    assert faults(out) == []
    assert list(whole.models) == ["cedar", "willow"]
    assert (whole.model("cedar").pairs, whole.model("cedar").dropped) == (PAIRS, {})
    alone = evaluate(MODEL, tmp_path / "alone", pairs=PAIRS)
    for name, expected in (("cedar", alone), ("willow", both)):
        tables = [one.deltas(name).to_pandas() for one in (whole, expected)]
        assert tables[0].equals(tables[1]), name  # NaN equals NaN
    drawing(lambda _: failed)  # nothing is left to try
    assert evaluate(MODEL, out, pairs=PAIRS).sha256 == whole.sha256
    assert not (out / ADDING).exists()


def _no_swap(*some: object) -> None:
    raise BlindspotsError("The disk is full.")


def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    bundles = [
        evaluate(f"planted/{name}", tmp_path / name, pairs=4) for name in ("cedar", "willow")
    ]
    first = combine.stream(bundles, tmp_path / "both")
    next(first)
    with pytest.raises(FolderInUse, match=r"in use by another run \(combine"):
        combine(bundles, tmp_path / "both")
    assert sorted(drive(first).models) == ["cedar", "willow"]


def test_a_run_whose_first_images_are_blank_stops(drawing, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    black = Generated(Image.new("RGB", (64, 64)), 0, ("blank",))
    drawing(lambda _: black)
    with pytest.raises(BlindspotsError, match=r"first 4 images of Cedar are blank"):
        generate(MODEL, tmp_path / "images", pairs=PAIRS)
    assert generated(tmp_path / "images") == {}
    drawing(lambda n: black if n in (1, 2, 3, 6) else None)
    store = generate(MODEL, tmp_path / "images", pairs=PAIRS, seed=1)  # nobody's folder yet
    status = [one.status for name in store.plan.names if (one := store.get(name))]
    assert status == ["blank"] * 3 + ["ok"] * 2 + ["blank"] + ["ok"] * 2
    unsafe = Generated(Image.new("RGB", (64, 64)), 0, ("blank",), unsafe=True)
    drawing(lambda n: unsafe if n <= 6 else None)
    assert generate(MODEL, tmp_path / "unsafe", pairs=PAIRS).complete


def test_another_model_deletes_nothing_of_a_stopped_run(tmp_path: Path) -> None:
    out = tmp_path / "b"
    work = evaluate.stream(MODEL, out, pairs=40)
    for event in work:
        if event.stage == DRAW and event.done == 35:  # a shard is encoded
            break
    with pytest.raises(FolderInUse, match=r"in use by another run \(evaluate cedar"):
        evaluate("planted/willow", out, pairs=PAIRS)
    work.close()
    kept = generated(out / "images/cedar")
    assert len(kept) >= 35
    evaluate("planted/willow", out, pairs=PAIRS)
    assert generated(out / "images/cedar") == kept
    assert len(list((out / ".work").rglob("shard-*"))) >= 2
    both = evaluate(MODEL, out, pairs=40)
    assert set(both.models) == {"willow", "cedar"}
    assert not (out / ".work").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_file_that_is_away_is_waited_for_and_no_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    natural, drawn = paired_folders(tmp_path, 6)
    expected = measure_folders(natural, drawn, tmp_path / "a")
    away = tmp_path / "away"
    waits: list[float] = []
    first_bytes = images.first_bytes

    def back_soon(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            away.rename(natural)

    def first(path: Path) -> bytes:
        if not waits and natural.exists():
            natural.rename(away)
        return first_bytes(path)

    monkeypatch.setattr(loading, "threads", lambda: 1)
    monkeypatch.setattr(passing.time, "sleep", back_soon)
    monkeypatch.setattr(images, "first_bytes", first)
    found = measure_folders(natural, drawn, tmp_path / "b")
    assert len(waits) == 2
    assert found.model("generated").dropped == {}
    assert found.sha256 == expected.sha256
    monkeypatch.setattr(passing.time, "sleep", lambda _: None)
    waits.clear()
    with pytest.raises(PassingFault, match="cannot be read"):
        measure_folders(natural, drawn, tmp_path / "c")


def test_blank_images_and_odd_names_in_measured_folders(tmp_path: Path) -> None:
    natural, drawn = paired_folders(tmp_path, 6)
    for side in (natural, drawn):
        for number in range(3):
            old = os.fsencode(side / f"00{number}.png")
            os.rename(old, os.path.join(os.fsencode(side), b"caf\xe9_%d.png" % number))
        (side / "deep").mkdir()
        (side / "deep" / "x.png").write_bytes((side / "004.png").read_bytes())
    (drawn / "005.png").write_bytes(encode_png(Image.new("RGB", (64, 64))))
    told = warnings_of(measure_folders.stream(natural, drawn, tmp_path / "b"))
    assert any("names of 6 images are not UTF-8" in one for one in told)
    bundle = measure_folders(natural, drawn, tmp_path / "b")
    assert bundle.model("generated").dropped == {"generated_blank": 1}
    assert {"caf\ufffd_0", "003"} <= set(bundle.pairs["caption"].to_pylist())
    assert "left out: 1 generated_blank, and of what they come from 1" in summary(
        bundle, "generated"
    )
    assert "1 generated_in_subfolder, 1 natural_in_subfolder" in summary(bundle, "generated")


def test_ctrl_c_says_what_is_kept(
    drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    def interrupt(n: int) -> None:
        if n == 6:
            raise KeyboardInterrupt

    drawing(interrupt)
    out = tmp_path / "my images"
    arguments = ["generate", MODEL, "--pairs", "8", "--out", str(out), "-q"]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 130
    told = "Stopped at 'generate images', 5 of 8 done. What is done is kept: run the same command"
    assert told in capsys.readouterr().err
    assert len(generated(out)) == 5
    drawing(lambda _: None)
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 0, ran.output
    assert f"evaluate --generations '{out}' --out DIR" in ran.output
