"""Names of concepts: in a table of their own, changed without changing any result."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_bundle import WORDS, Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.labels import Label, best, changed, rows_of, table_of
from blindspots_hub.artifacts.labels_csv import read_csv
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog

SCHEMA_1 = Path(__file__).parents[1] / "golden" / "schema1"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = Synthetic(n_concepts=30, pairs=24, models={"plain-a": "Plain A"})
    return write_synthetic(tmp_path_factory.mktemp("bundle") / "b", spec)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def labels(*arguments: str) -> str:
    """What the command says; an error it raises is raised here."""
    told = CliRunner().invoke(cli.app, ["labels", *arguments])
    if told.exception and not isinstance(told.exception, SystemExit):
        raise told.exception
    return told.output


def test_new_bundles_have_names_in_a_table_of_their_own(root: Path) -> None:
    bundle = load_bundle(root)
    assert bundle.concepts["label"].null_count == 30
    assert bundle.labels[1] == WORDS[1]
    assert bundle.labels[0] == ""


def test_the_best_name_is_shown() -> None:
    by = [
        Label(3, "rope", "clip", "m", score=0.9, date="2026-01-01"),
        Label(3, "string", "clip", "n", score=0.7, faithfulness=0.6),
        Label(5, "old", "clip", "m", date="2025-01-01"),
        Label(5, "new", "clip", "n", date="2026-01-01"),
        Label(1, "by hand"),
        Label(1, "sure", "clip", "m", score=1.0, faithfulness=1.0),
    ]
    for order in (by, by[::-1]):
        table = table_of(order)
        assert best(table, 6) == ["", "by hand", "", "string", "", "new"]
        assert set(rows_of(table)) == set(by)
        assert table["concept"].to_pylist() == [1, 1, 3, 3, 5, 5]
    again = changed(table, [Label(1, ""), Label(3, "cord", "clip", "m", score=1.0)])
    assert best(again, 6) == ["", "sure", "", "string", "", "new"]
    assert len(again) == 5
    assert best(table_of([]), 2) == ["", ""]


def test_changing_names_changes_no_id_no_link_no_result(root: Path) -> None:
    before = load_bundle(root)
    key, names = Catalog(before).entries()[0].key, before.labels
    files = {n: e for n, e in before.manifest.files.items() if n != LABELS.path}
    told = labels(str(root), "--set", "0", "bird feeder")
    assert told == "21 of 30 concepts have a name.\n"
    after = load_bundle(root)
    assert after.labels[0] == "bird feeder"
    assert after.labels[1:] == names[1:]
    assert after.identity == before.identity
    assert Catalog(after).entry(key).bundle is after
    assert {n: e for n, e in after.manifest.files.items() if n != LABELS.path} == files
    assert after.manifest.models == before.manifest.models
    labels(str(root), "--set", "#0", "")
    assert load_bundle(root).labels == names


def test_a_bundle_is_known_by_its_results_named_or_not(root: Path, tmp_path: Path) -> None:
    """Its identity is what it would be had nobody named anything."""
    named = load_bundle(root)
    bare = tmp_path / "bare"
    shutil.copytree(root, bare)
    (bare / LABELS.path).unlink()
    write_manifest(bare, replace(named.manifest, results=None).to_json())
    without = load_bundle(bare)
    assert LABELS.path not in without.manifest.files
    assert without.manifest.results is None
    assert without.identity == without.sha256 == named.identity != named.sha256
    add_tables(bare, {LABELS: named.label_table})
    assert load_bundle(bare).identity == named.identity


def test_names_of_older_bundles_are_carried_over(tmp_path: Path) -> None:
    old = Path(shutil.copytree(SCHEMA_1, tmp_path / "old"))
    before = load_bundle(old)
    assert LABELS.path not in before.manifest.files
    assert any(before.labels)
    labels(str(old), "--set", "2", "a new name")
    after = load_bundle(old)
    assert after.labels == [*before.labels[:2], "a new name", *before.labels[3:]]
    assert (after.identity, after.manifest.schema_version) == (before.identity, 1)


def test_csv_goes_out_and_comes_back(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    labels(str(root), "--set", "4", 'a "quoted", name')
    labels(str(root), "--export", str(file))
    before = load_bundle(root)
    assert set(read_csv(file, 30)) >= {one for one in rows_of(before.label_table) if one.date}
    file.write_text('concept,label\n7,"kettle, black"\n#8,clock\n', encoding="utf-8")
    labels(str(root), "--import", str(file))
    after = load_bundle(root)
    assert (after.labels[7], after.labels[8]) == ("kettle, black", "clock")
    assert after.labels[4] == 'a "quoted", name'
    assert after.identity == before.identity


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("number,label\n1,x\n", "no column concept"),
        ("concept,name\n1,x\n", "no column label"),
        ("concept,label\n1,x\nred,y\n", "line 3: 'red' is no concept"),
        ("concept,label\n30,x\n", "line 2: '30' is no concept: they are numbered from 0 to 29"),
        ("concept,label\n-1,x\n", "line 2: '-1' is no concept"),
        ("concept,label\n1,x,y\n", "line 2 has another number of fields"),
        ("concept,label,method\n1,x\n", "line 2 has another number of fields"),
        ("concept,label,score\n1,x,high\n", "line 2: score 'high' is no number"),
        ("concept,label,faithfulness\n1,x,nan\n", "line 2: faithfulness 'nan' is no number"),
        ("concept,label,faithfulness\n1,x,2\n", "line 2: faithfulness '2' is no AUROC"),
        ("concept,label,shuffled\n1,x,-1\n", "line 2: shuffled '-1' is no AUROC"),
        ("concept,label,date\n1,x,today\n", "line 2: 'today' is no day"),
        ("", "no column concept"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_changes(
    root: Path, tmp_path: Path, content: str, told: str
) -> None:
    file = tmp_path / "names.csv"
    file.write_text(content, encoding="utf-8")
    before = load_bundle(root).sha256
    with pytest.raises(BlindspotsError, match=r"names\.csv") as error:
        labels(str(root), "--import", str(file))
    assert told in str(error.value)
    assert load_bundle(root).sha256 == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [";", "\t", ", "])
def test_names_as_a_spreadsheet_saves_them(
    root: Path, tmp_path: Path, encoding: str, separator: str
) -> None:
    file = tmp_path / "names.csv"
    file.write_text(f"Concept{separator}Label\n7{separator}großer Vogel\n", encoding=encoding)
    labels(str(root), "--import", str(file))
    assert load_bundle(root).labels[7] == "großer Vogel"


def test_names_are_plain_text_and_one_each(root: Path, tmp_path: Path) -> None:
    labels(str(root), "--set", "7", "a\x1b[31m red\u202e\x00one")
    assert load_bundle(root).labels[7] == "a [31m red  one"
    (tmp_path / "names.csv").write_text("concept,label\n7,x\n7,y\n")
    with pytest.raises(BlindspotsError, match="2 names of concept 7 by one method"):
        labels(str(root), "--import", str(tmp_path / "names.csv"))
    with pytest.raises(BlindspotsError, match="is a folder: name a file in it"):
        labels(str(root), "--export", str(tmp_path))


def test_no_file_no_csv_no_concept(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match=r"none\.csv cannot be read"):
        labels(str(root), "--import", str(tmp_path / "none.csv"))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BlindspotsError, match=r"binary\.csv is not UTF-16"):
        labels(str(root), "--import", str(tmp_path / "binary.csv"))
    with pytest.raises(BlindspotsError, match="--set: '99' is no concept"):
        labels(str(root), "--set", "99", "x")


def test_names_of_no_concept_are_a_fault(root: Path) -> None:
    add_tables(root, {LABELS: table_of([Label(30, "x")])})
    with pytest.raises(BlindspotsError, match="names a concept that is none of the 30"):
        load_bundle(root, contents=True)
    with pytest.raises(BlindspotsError, match="names a concept that is none of the 30"):
        _ = load_bundle(root).label_table
