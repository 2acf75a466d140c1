"""The manifest: typed, told of in words, and open to what a newer minor version adds."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundle_tools import rehash
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.analysis.summary import summary
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.cards.facts import measured, origin_of, preprocessing
from blindspots_hub.artifacts.layout import MANIFEST, table_path
from blindspots_hub.artifacts.manifest import Manifest, manifest_faults
from blindspots_hub.artifacts.schema import DELTAS, LABELS, SCHEMA_VERSION
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page import commands
from blindspots_hub.explorer.page.catalog import Catalog, Entry, menu
from blindspots_hub.explorer.page.counts import counts_line, verdict_line
from blindspots_hub.explorer.page.domain_notice import result_notice
from blindspots_hub.explorer.page.example import example_notice
from blindspots_hub.explorer.page.header import bundle_words
from blindspots_hub.explorer.tabs.compare_parts.all_models import series_of
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.utils.files import json_bytes, read_json, write_json

SCHEMA_1 = Path(__file__).parents[1] / "golden" / "schema1"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = Synthetic(n_concepts=30, pairs=24, models={"plain-a": "Plain A"})
    return write_synthetic(tmp_path_factory.mktemp("bundle") / "b", spec)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def change(root: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of the bundle at `root`."""
    manifest = read_json(root / MANIFEST)
    how(manifest)
    write_json(root / MANIFEST, manifest)


@pytest.mark.parametrize("which", ["today", "schema 1"])
def test_what_is_read_is_written_back_to_the_byte(written: Path, which: str) -> None:
    path = (written if which == "today" else SCHEMA_1) / MANIFEST
    again = Manifest.from_json(read_json(path)).to_json()
    if which == "schema 1":
        again = {k: v for k, v in again.items() if k in read_json(path)}
    assert json_bytes(again) == path.read_bytes()


def test_fields_of_a_newer_minor_are_kept(root: Path) -> None:
    def newer(manifest: dict[str, Any]) -> None:
        manifest["schema_version"] = "2.99"
        manifest["weather"] = {"sky": "blue"}
        manifest["models"][0]["mood"] = [1, 2]

    change(root, newer)
    manifest = Manifest.read(root)
    assert manifest.extra == {"weather": {"sky": "blue"}}
    assert manifest.models[0].extra == {"mood": [1, 2]}
    assert manifest.to_json() == read_json(root / MANIFEST)


def test_wrong_types_are_told_all_at_once(root: Path) -> None:
    def wrong(manifest: dict[str, Any]) -> None:
        manifest["name"] = 7
        manifest["concept_space"]["layout"]["grid"] = [16]
        model = manifest["models"][0]
        model["pairs"] = "many"
        model["title"] = None
        model["settings"]["tau"] = "warm"
        model["counts"]["relative"]["dead"] = -1
        del model["design"]
        manifest["files"]["sae/config.json"] = []
        manifest["models"].append("no model")

    change(root, wrong)
    found = faults(root)
    for told in (
        "bundle.json.name is 7 instead of a text",
        "bundle.json.concept_space.layout.grid is [16] instead of a list of 2",
        "bundle.json.models[0].pairs is 'many' instead of a whole number from 0",
        "bundle.json.models[0].title is None instead of a text",
        "bundle.json.models[0].settings.tau is 'warm' instead of a number",
        "bundle.json.models[0].counts.relative.dead is -1 instead of a whole number from 0",
        "bundle.json.models[0] lacks 'design'",
        "bundle.json.files.sae/config.json is [] instead of an object",
        "bundle.json.models[1] is 'no model' instead of an object",
    ):
        assert told in found
    assert len(found) == 9
    with pytest.raises(BlindspotsError, match=r"is not a whole bundle: .*'many'.*'warm'"):
        load_bundle(root)


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [{}], {"a": 1}, True])
def test_no_type_of_any_field_is_a_traceback(root: Path, value: object) -> None:
    whole = read_json(root / MANIFEST)
    for name in whole:
        write_json(root / MANIFEST, {**whole, name: value})
        faults(root)
    for name in whole["models"][0]:
        change(root, lambda m, name=name: m.update(models=[{**whole["models"][0], name: value}]))
        faults(root)


WEIRD = [None, 7, -1.5, 1e299, "x", "a/b", [], ["x"], {}, {"a": [1]}, True]
NOWHERE = object()


def places(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON object, as keys."""
    inner = value.items() if isinstance(value, dict) else ()
    for key, one in enumerate(value) if isinstance(value, list) else inner:
        yield (*at, key)
        yield from places(one, (*at, key))


def full(root: Path) -> dict[str, Any]:
    """A manifest that says all that one may say of a model."""
    example = read_json(planted.BUNDLE / MANIFEST)
    whole, told = read_json(root / MANIFEST), example["models"][0]
    told["domain"]["generated"]["is_outside"] = True
    told["domain"]["natural"] |= {"is_outside": True, "feature": "within"}
    run = {**told["run"], "skipped": {"url": 3}, "joined": {"lora": "1"}, "additions": {"a": 1}}
    whole["models"][0] |= {"domain": told["domain"], "run": run}
    whole["models"][0]["null"]["generations"] = {"pairs": 9, "flagged": 0.1}
    whole["concept_space"] |= {key: example["concept_space"][key] for key in ("backbone", "sae")}
    return {**whole, "results": example["results"], "skipped": {"url": 2}, "note": "A note."}


def read_as_pages_do(bundle: Bundle) -> None:
    for model in bundle.models:
        entry, told = Entry(bundle, model), bundle.model(model)
        for kind in KINDS:
            verdict_line(entry, kind)
            counts_line(entry, kind)
        summary(bundle, model)
        result_notice(bundle, model)
        series_of(bundle, model)
        commands.spec_of(bundle, model)
        measured(told)
        origin_of(told.run)
    example_notice(bundle)
    bundle_words(bundle)
    menu(Catalog(bundle).entries())
    preprocessing(bundle.concept_space)


def test_what_pages_read_is_validated_or_done_without(root: Path) -> None:
    """Every value of a manifest is left out, and made to be something else."""
    bundle, whole = load_bundle(root), full(root)
    read_as_pages_do(bundle)
    tried = 0
    for *path, last in places({k: v for k, v in whole.items() if k not in ("files", "packages")}):
        for value in (NOWHERE, *WEIRD):
            changed = copy.deepcopy(whole)
            place = reduce(lambda inner, key: inner[key], path, changed)
            if value is NOWHERE:
                del place[last]
            else:
                place[last] = value
            if not changed.get("models") or list(manifest_faults(changed)):
                continue
            bundle.manifest = Manifest.from_json(changed)
            bundle.__dict__.pop("models", None)
            if list(bundle.models) != ["plain-a"]:
                continue
            read_as_pages_do(bundle)
            tried += 1
    assert tried > 300


def test_two_models_of_one_name_are_a_fault(root: Path) -> None:
    change(root, lambda m: m["models"].append(m["models"][0]))
    assert "bundle.json has two models called 'plain-a'" in faults(root)


def test_a_newer_minor_opens_with_what_it_adds_ignored(root: Path, tmp_path: Path) -> None:
    """Tables, columns and files that this program has never heard of."""
    path = table_path(root, DELTAS, "plain-a")
    table = pq.read_table(path)
    pq.write_table(table.append_column("surprise", pa.array([0.5] * len(table))), path)
    (root / "deltas/surprises").mkdir()
    pq.write_table(pa.table({"x": [1]}), root / "deltas/surprises/all.parquet")
    labels = pq.read_table(table_path(root, LABELS)).drop_columns(["method"])
    pq.write_table(labels, table_path(root, LABELS))  # labels in a form of another version
    change(root, lambda m: m.update(schema_version="2.99"))
    change(root, lambda m: m["files"].update({"deltas/surprises/all.parquet": {
        "sha256": "", "bytes": 0}}))  # fmt: skip
    rehash(root)
    assert faults(root) == []
    bundle = load_bundle(root)
    assert bundle.labels == [""] * 30
    assert [entry.title for entry in Catalog(bundle).entries()] == ["Plain A"]
    again = remeasure(bundle, tmp_path / "again", {})
    assert again.deltas("plain-a").column_names == list(DELTAS.names)


@pytest.mark.parametrize("version", ["3.0", 99, None])
def test_a_newer_major_is_one_sentence(root: Path, version: object) -> None:
    change(root, lambda m: (m.clear(), m.update(schema_version=version, shape="unknown")))
    (told,) = faults(root)
    assert f"this program reads versions up to {SCHEMA_VERSION}" in told
    with pytest.raises(BlindspotsError, match="use the version of blindspots_hub that wrote it"):
        load_bundle(root)
