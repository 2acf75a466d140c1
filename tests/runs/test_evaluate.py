"""`evaluate` and `measure_folders` end to end on the planted world."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bundle_tools import rehash
from engine_fixtures import generated
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import PAIRS as PAIRS_TABLE
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.data.images import encode_png
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import TextToImage
from blindspots_hub.measure.table import MeasureSettings, measure
from blindspots_hub.planted.world import world_pairs
from blindspots_hub.progress import Event, drive
from blindspots_hub.runs import encoding
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.evaluation import DRAW
from blindspots_hub.runs.folders import measure_folders
from blindspots_hub.runs.request import WORK

MODEL = "planted/alder-1"
PAIRS = 70  # three shards, the last one short


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate(MODEL, tmp_path_factory.mktemp("evaluated") / "b", pairs=PAIRS)


def _tables(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_the_result_is_a_whole_bundle(evaluated: Bundle) -> None:
    assert faults(evaluated.root) == []
    entry = evaluated.model("alder-1")
    assert entry.pairs == PAIRS
    assert entry.run["pipeline_class"] == "PlantedPipeline"
    assert not (evaluated.root / WORK).exists()
    table = evaluated.generations("alder-1")
    assert table.num_rows == PAIRS
    assert table["image"].null_count == 0
    # Everything on a card is there: thumbnails of top images and of their counterparts.
    ids = {i for row in evaluated.deltas("alder-1")["top_generated"].to_pylist() for i in row}
    assert ids
    for pair_id in ids:
        assert evaluated.thumbnail("alder-1", pair_id) is not None
        assert evaluated.thumbnail(NATURAL, pair_id) is not None


def test_tables_can_be_recomputed_from_the_kept_energies(evaluated: Bundle) -> None:
    table = measure(
        evaluated.energies(NATURAL), evaluated.energies("alder-1"), MeasureSettings(), paired=True
    )
    kept = evaluated.deltas("alder-1")
    for name in ("gap", "delta_low", "relative_delta_high", "p", "q"):
        assert np.array_equal(kept[name].to_numpy(), table[name], equal_nan=True)


def test_embedded_energies_are_what_evaluate_measures(evaluated: Bundle) -> None:
    """The committed bundle is what this code makes, on this machine, to a stated tolerance."""
    embedded = load_bundle(planted.BUNDLE)
    for source in (NATURAL, "alder-1"):
        rows = {pair_id: row for row, pair_id in enumerate(embedded.image_ids(source))}
        chosen = np.array([rows[i] for i in evaluated.image_ids(source)])
        before = embedded.energies(source).take(chosen).matrix
        after = evaluated.energies(source).matrix
        difference = abs(before - after).sum()
        # Another CPU may decide a near tie between two codes the other way.
        assert difference <= 0.002 * before.sum()


@pytest.mark.parametrize(("shard", "batch"), [(7, 1), (64, 5)])
def test_shard_and_batch_size_do_not_change_a_bit(
    evaluated: Bundle, shard: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "SHARD", shard)
    evaluate(MODEL, tmp_path / "b", pairs=PAIRS, batch_size=batch)
    made, once = (_tables(root) for root in (tmp_path / "b", evaluated.root))
    in_store = {name for name in {*made, *once} if name.startswith("images/")}
    for name in {*made, *once} - in_store:
        assert made[name] == once[name], name
    assert generated(tmp_path / "b/images/alder-1") == generated(evaluated.root / "images/alder-1")


def test_cancelled_and_run_again_ends_the_same(evaluated: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "b"
    for stop_after in (3, 40):
        work = evaluate.stream(MODEL, out, pairs=PAIRS)
        for event in work:
            if event.stage == DRAW and event.done >= stop_after:
                break
        work.close()
    assert 40 <= len(generated(out / "images/alder-1")) < PAIRS
    with pytest.raises(BlindspotsError, match=r"bundle\.json is missing"):
        load_bundle(out)
    evaluate(MODEL, out, pairs=PAIRS)
    assert _tables(out) == _tables(evaluated.root)


def test_killed_and_run_again_ends_the_same(
    evaluated: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "b"
    command = [sys.executable, "-m", "blindspots_hub", "evaluate", MODEL, "--out", str(out)]
    command += ["--pairs", str(PAIRS), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.rglob("*.png"))) < 20:
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # An image without its record, killed between the two, is drawn again.
    single = out / "images/alder-1/.work"
    unrecorded = {f.stem for f in single.glob("*.png") if not f.with_suffix(".json").exists()}
    whole = {*generated(out / "images/alder-1")} - unrecorded
    assert len(whole) >= 19
    drawn: set[str] = set()
    attempt = TextToImage._attempt

    def told(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        drawn.update(name for _, name in pairs)
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", told)
    evaluate(MODEL, out, pairs=PAIRS)
    assert not whole & drawn, "images that were there were drawn again"
    assert _tables(out) == _tables(evaluated.root)


def test_a_finished_bundle_is_opened_not_made_again(evaluated: Bundle) -> None:
    seen: list[Event] = []
    again = drive(evaluate.stream(MODEL, evaluated.root, pairs=PAIRS), seen.append)
    assert again.sha256 == evaluated.sha256
    assert not any(event.stage == DRAW for event in seen)
    with pytest.raises(BlindspotsError, match="another evaluation"):
        evaluate(MODEL, evaluated.root, pairs=PAIRS, seed=1)


def test_events_carry_images_and_counts(tmp_path: Path) -> None:
    seen: list[Event] = []
    work = evaluate.stream("planted/cedar", tmp_path / "b", pairs=33, previews=True)
    bundle = drive(work, seen.append)
    details = [event.detail for event in seen if event.stage == DRAW]
    pictures = [d for d in details if "generated" in d]
    assert len(pictures) == 33
    assert pictures[0]["natural"][:4] == pictures[0]["generated"][:4] == b"RIFF"
    counts = [d["counts"] for d in details if "counts" in d]
    assert counts[-1]["pairs"] == 33
    assert sum(n for k, n in counts[-1]["relative"].items() if k != "certain") == bundle.n_concepts


def test_own_captioned_images(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for pair in world_pairs(12, seed=99):
        (folder / f"{pair.index}.png").write_bytes(encode_png(pair.image))
        (folder / f"{pair.index}.txt").write_text(pair.caption.text)
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "broken.txt").write_text("a broken image")
    (folder / "long.png").write_bytes((folder / "1.png").read_bytes())
    (folder / "long.txt").write_text("x" * 10_000)
    (folder / "empty.png").write_bytes((folder / "2.png").read_bytes())
    (folder / "empty.txt").write_text("  ")
    bundle = evaluate("planted/willow", tmp_path / "b", pairs=13, pairs_from=str(folder))
    entry = bundle.model("willow")
    assert entry.pairs == 12
    assert entry.dropped == {"natural_unreadable": 1}
    assert bundle.manifest.skipped == {"caption_empty": 1, "caption_too_long": 1}


def test_without_natural_images_the_kept_energies_serve(evaluated: Bundle, tmp_path: Path) -> None:
    """A bundle need not redistribute natural images (LAION's are others' property)."""
    base = Path(shutil.copytree(planted.BUNDLE, tmp_path / "base"))
    columns = {name: load_bundle(base).pairs[name] for name in PAIRS_TABLE.names}
    write_table(base, PAIRS_TABLE, columns | {"image": [None] * len(columns["image"])})
    rehash(base)
    bundle = evaluate(MODEL, tmp_path / "b", pairs=PAIRS, bundle=load_bundle(base))
    assert faults(bundle.root) == []
    assert bundle.pairs["image"].null_count == PAIRS
    before, after = evaluated.deltas("alder-1"), bundle.deltas("alder-1")
    for name in ("energy_natural", "gap", "relative_delta"):
        assert after[name].to_numpy() == pytest.approx(before[name].to_numpy(), abs=0.05)
    with pytest.raises(BlindspotsError, match=r"over patches tokens.*--tokens patches"):
        evaluate(
            MODEL,
            tmp_path / "all",
            pairs=PAIRS,
            bundle=load_bundle(base),
            settings=MeasureSettings(tokens="all"),
        )
    shown = {i for row in after["top_natural"].to_pylist() for i in row}
    assert any(bundle.thumbnail(NATURAL, pair_id) for pair_id in shown)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    natural, generated = tmp_path / "natural", tmp_path / "generated"
    natural.mkdir()
    generated.mkdir()
    for pair in world_pairs(24, seed=5):
        (natural / f"{pair.index:03}.png").write_bytes(encode_png(pair.image))
        (generated / f"{pair.index:03}.webp").write_bytes(encode_png(pair.image.rotate(180)))
    return natural, generated


def test_measure_pairs_folders_by_name(folders: tuple[Path, Path], tmp_path: Path) -> None:
    natural, generated = folders
    (generated / "extra.png").write_bytes((generated / "001.webp").read_bytes())
    (generated / "003.webp").write_bytes((generated / "003.webp").read_bytes()[:500])
    bundle = measure_folders(natural, generated, tmp_path / "b")
    assert faults(bundle.root) == []
    entry = bundle.model("generated")
    assert entry.design == "paired"
    assert entry.pairs == 23
    assert entry.dropped == {"generated_unmatched": 1, "generated_unreadable": 1}


def test_measuring_a_folder_against_its_copy_finds_nothing(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    bundle = measure_folders(folders[0], copy, tmp_path / "b")
    assert set(bundle.deltas("copy")["gap"].to_pylist()) == {0.0}
    assert set(bundle.deltas("copy")["relative_state"].to_pylist()) <= {
        "dead",
        "undetermined",
        "aligned",
    }


def test_measure_unpaired(folders: tuple[Path, Path], tmp_path: Path) -> None:
    natural, generated = folders
    for path in list(generated.iterdir()):
        path.rename(path.with_name(f"other-{path.name}"))
    bundle = measure_folders(natural, generated, tmp_path / "b")
    assert faults(bundle.root) == []
    assert bundle.model("generated").design == "unpaired"
    assert set(bundle.distances("generated")["distance"].to_pylist()) == {None}


def test_full_disk_keeps_what_was_drawn(
    evaluated: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    written = 0
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        nonlocal written
        written += 1
        if written == 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    out = tmp_path / "b"
    with pytest.raises(BlindspotsError, match="disk is full"):
        evaluate(MODEL, out, pairs=PAIRS)
    assert len(generated(out / "images/alder-1")) >= 20
    evaluate(MODEL, out, pairs=PAIRS)
    assert _tables(out) == _tables(evaluated.root)


def test_bad_requests_are_told(tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match=r"No model is called 'planted/elder-1'.*alder-1"):
        evaluate("planted/elder-1", tmp_path / "b")
    with pytest.raises(BlindspotsError, match="there are only"):
        evaluate(MODEL, tmp_path / "b", pairs=10**6)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BlindspotsError, match="not a diffusers pipeline folder"):
        evaluate(str(tmp_path / "folder"), tmp_path / "b")
    with pytest.raises(BlindspotsError, match="does not exist"):
        evaluate(MODEL, tmp_path / "b", pairs_from=str(tmp_path / "nothing"))
    single = tmp_path / "single"
    single.mkdir()
    Image.new("RGB", (50, 50)).save(single / "a.png")
    with pytest.raises(BlindspotsError, match="single image"):
        measure_folders(single, tmp_path / "folder", tmp_path / "b")
    assert not (tmp_path / "b").exists()
