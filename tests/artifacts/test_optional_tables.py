"""Tables and files that a bundle may have: whole they are whole, and every damage is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from findings_fixtures import write_rich
from synthetic_bundle import Synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.labels import Label, changed
from blindspots_hub.artifacts.layout import SAE_WEIGHTS, token_codes_path
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import IMAGE_TEXT, LABELS, TOKEN_FIRES, TableSpec
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.token_codes import TokenCodes
from blindspots_hub.utils.folder_lock import in_turn

MODEL = "plain-a"
SPEC = Synthetic(n_concepts=40, pairs=30)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_rich(tmp_path / "bundle", SPEC)


def _scores(root: Path) -> dict[str, list[Any]]:
    ids = load_bundle(root).image_ids(MODEL)
    numbers = np.linspace(0, 1, len(ids)).tolist()
    return {
        "pair_id": ids,
        "natural": [None, *numbers[1:]],
        "mismatched": numbers,
        "generated": numbers,
        "scorer": ["a model"] * len(ids),
    }


def _add(root: Path, spec: TableSpec, columns: dict[str, Any]) -> None:
    own = TableSpec(spec.path.format(model=MODEL), spec.row, spec.columns)
    add_tables(root, {own: pa.table(columns).cast(spec.schema)})


def test_whole_they_are_whole(root: Path) -> None:
    _add(root, IMAGE_TEXT, _scores(root))
    assert list(faults(root)) == []


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("pair_id", "nobody", "which deltas/pairs/plain-a.parquet does not have"),
        ("natural", 1e30, "'natural'"),
        ("scorer", None, "'scorer'"),
    ],
)
def test_scores_that_cannot_be_are_told(root: Path, column: str, value: Any, told: str) -> None:
    columns = _scores(root)
    columns[column] = [*columns[column][:-1], value]
    if column == "pair_id":
        columns[column][-1] = "~" + str(value)
        told = "~nobody"
    _add(root, IMAGE_TEXT, columns)
    assert any(told in fault for fault in faults(root))


@pytest.mark.parametrize("wrong", [{"rows": 39}, {"value": -1}])
def test_counts_that_cannot_be_are_told(root: Path, wrong: dict[str, int]) -> None:
    counts = np.ones(wrong.get("rows", SPEC.n_concepts), np.int32) * wrong.get("value", 1)
    _add(root, TOKEN_FIRES, dict.fromkeys(TOKEN_FIRES.names, counts))
    assert any("token_fires" in fault for fault in faults(root))


def test_token_codes_of_another_space_are_told(root: Path) -> None:
    path = token_codes_path(root, MODEL)
    codes = TokenCodes.load(path)
    kept = vars(codes) | {"concepts": np.full(len(codes.concepts), SPEC.n_concepts, np.int32)}
    TokenCodes(**kept).save(path)
    write_manifest(root, Manifest.read(root).to_json())
    assert any("names a concept that is none of the 40" in fault for fault in faults(root))


def test_what_is_read_as_one_looks_is_checked_first(root: Path) -> None:
    """Token codes and atoms are files like the others: altered ones are told, not computed with."""
    whole = load_bundle(root, contents=False)
    assert whole.atoms().shape[0] == SPEC.n_concepts
    assert whole.token_codes(MODEL) is not None
    for name in (f"deltas/token_codes/{MODEL}.safetensors", SAE_WEIGHTS):
        content = bytearray((root / name).read_bytes())
        content[-1] ^= 1
        (root / name).write_bytes(content)
    opened = load_bundle(root, contents=False)
    with pytest.raises(BlindspotsError, match=r"token_codes/plain-a.safetensors was altered"):
        opened.token_codes(MODEL)
    with pytest.raises(BlindspotsError, match=r"sae/model.safetensors was altered"):
        opened.atoms()


def test_two_programs_that_add_tables_at_once_both_keep_theirs(root: Path) -> None:
    names = [Label(k, f"name {k}", date="2026-01-01") for k in range(12)]

    def name(one: Label) -> None:
        with in_turn(root):
            add_tables(root, {LABELS: changed(load_bundle(root).label_table, [one])})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(name, names))
    assert load_bundle(root).labels[:12] == [one.label for one in names]
    assert faults(root) == []
