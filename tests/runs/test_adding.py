"""Evaluating into a folder that holds a bundle of the same concepts adds the model to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST, energies_path
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive
from blindspots_hub.runs import adding, encoding
from blindspots_hub.runs.adding import ADDING
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.evaluation import DRAW
from blindspots_hub.utils.files import replace_folder, restore_folder

PAIRS = 12


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return evaluate("planted/cedar", tmp_path_factory.mktemp("first") / "b", pairs=PAIRS)


@pytest.fixture
def out(first: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first.root, tmp_path / "b"))


def stages(model: str, out: Path, **more: int) -> set[str]:
    """The stages that an evaluation goes through."""
    seen: list[Event] = []
    drive(evaluate.stream(model, out, pairs=PAIRS, **more), seen.append)
    return {event.stage for event in seen}


def test_the_model_is_added_and_found_again(first: Bundle, out: Path) -> None:
    (out / "notes.txt").write_text("mine")
    found = evaluate("planted/willow", out, pairs=PAIRS, seed=5)
    assert faults(out) == []
    assert list(found.models) == ["cedar", "willow"]
    assert found.deltas("cedar").num_rows == first.n_concepts
    assert found.labels == first.labels
    assert len(found.pairs) > PAIRS  # another seed chose other captions
    assert sorted(path.name for path in out.parent.iterdir()) == ["b"]
    assert not (out / ADDING).exists()
    assert (out / "notes.txt").read_text() == "mine"
    # Both are known again, and a third is added beside them.
    before = found.sha256
    assert DRAW not in stages("planted/cedar", out)
    assert DRAW not in stages("planted/willow", out, seed=5)
    assert load_bundle(out).sha256 == before
    third = evaluate("planted/alder-2", out, pairs=PAIRS)
    assert list(third.models) == ["cedar", "willow", "alder-2"]


def test_natural_images_are_encoded_once_for_the_models_that_are_added(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate("planted/willow", out, pairs=PAIRS)
    encoded: list[str] = []
    encode = encoding.encode

    def seen(space, pixels):  # type: ignore[no-untyped-def]
        encoded.extend("image" for _ in pixels)
        return encode(space, pixels)

    monkeypatch.setattr(encoding, "encode", seen)
    found = evaluate("planted/alder-2", out, pairs=PAIRS)
    assert len(encoded) == PAIRS, "those that the model generated, and no natural one"
    assert list(found.models) == ["cedar", "willow", "alder-2"]
    assert faults(out) == []
    # What belongs to one model alone is not copied when another is added.
    energies = energies_path(out, "cedar")
    before = energies.stat().st_ino
    evaluate("planted/alder-1", out, pairs=PAIRS)
    assert energies.stat().st_ino == before


def test_another_evaluation_of_a_model_and_other_concepts_are_refused(
    out: Path, tmp_path: Path
) -> None:
    before = load_bundle(out).sha256
    with pytest.raises(BlindspotsError, match="another evaluation of cedar"):
        evaluate("planted/cedar", out, pairs=PAIRS, seed=5)
    elsewhere = write_synthetic(tmp_path / "e", Synthetic(n_concepts=20, pairs=24))
    other = load_bundle(elsewhere).sha256
    with pytest.raises(BlindspotsError, match="another concept space"):
        evaluate("planted/cedar", elsewhere, pairs=PAIRS)
    assert (load_bundle(out).sha256, load_bundle(elsewhere).sha256) == (before, other)


def test_stopped_it_leaves_the_bundle_whole_and_goes_on(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_bundle(out).sha256
    work = evaluate.stream("planted/willow", out, pairs=PAIRS)
    for event in work:
        if event.stage == DRAW and event.done >= 5:
            break
    work.close()
    assert load_bundle(out).sha256 == before

    def no_swap(*arguments: object) -> None:
        raise BlindspotsError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(adding, "replace_folder", no_swap)
        with pytest.raises(BlindspotsError, match="disk is full"):
            evaluate("planted/willow", out, pairs=PAIRS)
    assert load_bundle(out).sha256 == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["b"]
    assert DRAW not in stages("planted/willow", out), "what was evaluated is only added"
    assert list(load_bundle(out).models) == ["cedar", "willow"]


def test_a_kill_while_folders_change_places_is_mended(out: Path) -> None:
    """Between the two renames `out` lies beside its name; and what else it held, afterwards."""
    before = load_bundle(out).sha256
    out.rename(out.with_name(".b.replaced"))
    assert DRAW not in stages("planted/cedar", out)
    assert load_bundle(out).sha256 == before
    aside = out.with_name(".b.replaced")
    aside.mkdir()
    (aside / "notes.txt").write_text("mine")
    (aside / MANIFEST).write_text("of before")
    restore_folder(out)
    assert (out / "notes.txt").read_text() == "mine"
    assert load_bundle(out).sha256 == before
    assert not aside.exists()


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    for folder, text in ((new, "new"), (old, "old")):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub/a").write_text(text)
    (old / "sub/b").write_text("gone")
    (old / "kept").write_text("kept")
    (old / "lock").write_text("of the old one")
    replace_folder(new, old, ("lock",))
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"old/sub/a", "old/kept"}
    assert (old / "sub/a").read_text() == "new"
