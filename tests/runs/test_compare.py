"""`compare` as a call, as a command and as a gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from synthetic_bundle import Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.compare import compare
from blindspots_hub.runs.condition import NAMES, Condition
from blindspots_hub.runs.evaluate import evaluate

EMBEDDED = str(planted.BUNDLE)


def test_two_models_and_a_series() -> None:
    found = drive(compare.stream("alder-1", "alder-1-tuned", "alder-2", bundle=EMBEDDED))
    assert [step.model for step in found.steps] == ["alder-1-tuned", "alder-2"]
    assert found.last.model == "alder-2"
    assert len(found.sentences) == 2
    frame = found.steps[0].to_pandas()
    assert len(frame) == found.steps[0].changes.judged
    assert (frame.query("change != 'unchanged'").q < 0.05).all()
    assert found.figure().to_json()


def test_a_model_against_itself_changes_nothing() -> None:
    found = drive(compare.stream(f"{EMBEDDED}#cedar", f"{EMBEDDED}#cedar"))
    assert found.last.values["changed_share"] == 0
    assert not found.holds("broken > 0 or fixed > 0")
    assert found.holds("unchanged > 10 and changed_share <= 0.05")


@pytest.mark.parametrize(
    "wrong", ["broken", "broken > x", "__import__('os')", "fixed >", "", "broken >= 0 or nonsense"]
)
def test_a_condition_that_is_none_is_told_before_anything_is_compared(wrong: str) -> None:
    with pytest.raises(BlindspotsError, match="is no condition"):
        Condition.parse(wrong)
    told = CliRunner().invoke(cli.app, ["compare", "no-such", "other", "--fail-if", wrong])
    assert isinstance(told.exception, BlindspotsError)
    assert "is no condition" in str(told.exception)


def test_conditions_are_read_as_they_are_written() -> None:
    values = dict.fromkeys(NAMES, 0.0) | {"broken": 2, "changed_share": 0.2}
    for text, so in (
        ("broken > 1", True),
        ("broken > 2", False),
        ("broken == 2 and changed_share < 0.1", False),
        ("broken > 2 or changed_share >= .2", True),
        ("fixed > 0 and moved > 0 or broken != 0", True),
    ):
        assert Condition.parse(text).holds(values) is so


def test_the_gate_and_its_json() -> None:
    asked = ["compare", "alder-1-tuned", "alder-1", "--bundle", EMBEDDED, "--json"]
    failed = CliRunner().invoke(cli.app, [*asked, "--fail-if", "broken > 0"])
    assert failed.exit_code == 1
    told = json.loads(failed.output)
    assert told["failed"]
    (step,) = told["steps"]
    assert step["broken"] == len(step["concepts"]["broken"]) > 0
    assert {"label", "q", "gap"} <= set(step["concepts"]["broken"][0])
    passed = CliRunner().invoke(cli.app, [*asked, "--fail-if", "broken > 1000"])
    assert passed.exit_code == 0
    assert json.loads(passed.output)["failed"] is False


def test_sentences_without_json() -> None:
    shown = CliRunner().invoke(
        cli.app, ["compare", "alder-1", "alder-2", "--bundle", EMBEDDED, "--fail-if", "judged > 0"]
    )
    assert shown.exit_code == 1
    assert "From Alder 1 to Alder 2, on 1,000 captions" in shown.output
    assert "Failed: judged > 0." in shown.output


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    small = Synthetic(n_concepts=40, pairs=50)
    a = write_synthetic(tmp_path / "a", small)
    other = write_synthetic(tmp_path / "o", Synthetic(n_concepts=40, pairs=50, concept_seed=1))
    apart = write_synthetic(tmp_path / "p", Synthetic(n_concepts=40, pairs=50, seed=9))
    loose = write_synthetic(
        tmp_path / "u", Synthetic(n_concepts=40, pairs=50, unpaired=("plain-a",))
    )
    for first, second, told in (
        (str(a), f"{a}#plain-a", "does not say which model"),
        (f"{a}#plain-a", f"{a}#nobody", "no model 'nobody'"),
        (f"{a}#plain-a", f"{other}#plain-a", "other concepts"),
        (f"{a}#plain-a", f"{apart}#plain-a", "share 0 pairs"),
        (f"{loose}#plain-a", f"{loose}#plain-b", "measured unpaired"),
    ):
        with pytest.raises(BlindspotsError, match=told):
            drive(compare.stream(first, second))
    with pytest.raises(BlindspotsError, match="at least two models"):
        CliRunner().invoke(cli.app, ["compare", str(a)], catch_exceptions=False)


def test_two_bundles_of_the_same_pairs_are_compared(tmp_path: Path) -> None:
    a = write_synthetic(tmp_path / "a", Synthetic(n_concepts=40, pairs=50))
    b = Path(shutil.copytree(a, tmp_path / "b"))
    found = drive(compare.stream(f"{a}#plain-a", f"{b}#plain-b"))
    same = drive(compare.stream("plain-a", "plain-b", bundle=str(a)))
    assert found.last.values == same.last.values


@pytest.mark.slow
def test_a_model_with_another_seed_hardly_changes(tmp_path: Path) -> None:
    """The same captions drawn with other seeds: nothing differs, at most 5% are flagged."""
    all_pairs = load_bundle(EMBEDDED).model("alder-1").pairs
    again = tmp_path / "again"
    drive(evaluate.stream("planted/alder-1", again, pairs=all_pairs, seed=7))
    found = drive(compare.stream(f"{EMBEDDED}#alder-1", f"{again}#alder-1"))
    values = found.last.values
    assert values["judged"] >= 40
    assert values["changed_share"] <= 0.05
    first, second = (load_bundle(path).energies("alder-1") for path in (EMBEDDED, again))
    assert first.matrix.sum() != second.matrix.sum()  # other images of the same captions
