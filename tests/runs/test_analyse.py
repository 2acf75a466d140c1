"""Findings kept in a bundle: tables that come and go, and an identity that does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic_bundle import Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.analysis.answers import ask
from blindspots_hub.analysis.registry import ANALYSES, analysis
from blindspots_hub.analysis.stored import stored_sentences
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.analyse import analyse
from blindspots_hub.runs.remeasure import remeasure


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle") / "b"
    return write_synthetic(root, Synthetic(n_concepts=80, pairs=60))


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "b"))


def test_findings_are_kept_and_the_bundle_stays_who_it_is(root: Path) -> None:
    before = load_bundle(root).identity
    events: list[str] = []
    answers = drive(analyse.stream(root), lambda event: events.append(event.stage))
    assert [answer.name for answer in answers] == [one.name for one in ANALYSES]
    assert set(events) == {"analyse"}
    after = load_bundle(root)
    assert after.identity == before
    assert after.sha256 != before
    assert faults(root) == []
    for answer in answers:
        if not answer.findings:
            assert answer.left_out
            continue
        table = after.optional(analysis(answer.name).spec)
        assert table is not None
        assert table.num_rows >= len(answer.findings)
        kept = stored_sentences(after, answer.name)
        assert kept is not None
        assert list(kept.values()) == answer.sentences
        for models, sentence in zip(answer.groups, answer.sentences, strict=True):
            assert kept[models] == sentence
        assert ("nobody",) not in kept


def test_one_analysis_by_name_and_again(root: Path) -> None:
    drive(analyse.stream(root, ["frequency"]))
    once = load_bundle(root)
    assert once.optional(analysis("distances").spec) is None
    assert stored_sentences(once, "distances") is None
    drive(analyse.stream(root, ["frequency", "distances"]))
    assert load_bundle(root).identity == once.identity
    assert load_bundle(root).optional(analysis("distances").spec) is not None


def test_an_altered_table_is_a_fault(root: Path) -> None:
    drive(analyse.stream(root, ["frequency"]))
    (root / analysis("frequency").spec.path).write_bytes(b"no parquet")
    with pytest.raises(BlindspotsError, match=r"frequency.parquet has \d+ bytes"):
        load_bundle(root)


def test_measured_anew_a_bundle_has_no_old_findings(root: Path, tmp_path: Path) -> None:
    drive(analyse.stream(root))
    bundle = load_bundle(root)
    again = drive(remeasure.stream(bundle, tmp_path / "again", {"tau": 0.4}))
    assert again.optional(analysis("frequency").spec) is None
    assert again.identity != bundle.identity


def test_unpaired_bundles_say_what_they_cannot_answer(tmp_path: Path) -> None:
    root = write_synthetic(
        tmp_path / "u",
        Synthetic(n_concepts=40, pairs=40, unpaired=("plain-a", "plain-b", "plain-c")),
    )
    answer = ask(load_bundle(root), "distances")
    assert not answer.findings
    assert len(answer.left_out) == 3
    assert "was measured unpaired" in repr(answer)


def test_the_command_prints_sentences_and_refuses_unknown_names(root: Path) -> None:
    shown = CliRunner().invoke(cli.app, ["analyse", str(root), "frequency", "--quiet"])
    assert shown.exit_code == 0
    assert "Frequency against misalignment:" in shown.output
    with pytest.raises(BlindspotsError, match="there are delta_histogram"):
        drive(analyse.stream(root, ["nonsense"]))
