"""Bundles: reading, validation of every fault at once, the written specification."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundle_tools import rehash
from hypothesis import given
from hypothesis import strategies as st
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.artifacts import schema
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.layout import NATURAL, table_path
from blindspots_hub.artifacts.schema import CONCEPTS, DELTAS, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.spec import spec_markdown
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.runs.session import open_space
from blindspots_hub.utils.files import read_json, write_json


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(
        tmp_path_factory.mktemp("bundle") / "b", Synthetic(n_concepts=60, pairs=40)
    )


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def test_spec_is_the_rendered_schema() -> None:
    spec = Path(schema.__file__).with_name("SPEC.md").read_text(encoding="utf-8")
    assert spec == spec_markdown()


def test_a_whole_bundle_reads_back(written: Path) -> None:
    assert faults(written) == []
    bundle = load_bundle(written)
    name = next(iter(bundle.models))
    table = bundle.deltas(name)
    assert table.num_rows == bundle.n_concepts == 60
    top = table["top_natural"].to_pylist()
    concept = next(k for k, ids in enumerate(top) if ids)
    thumbnail = bundle.thumbnail(NATURAL, top[concept][0])
    assert thumbnail is not None
    assert thumbnail.image[:4] == b"RIFF"
    grid = bundle.heatmap(NATURAL, concept, top[concept][0])
    assert grid is not None
    assert grid.shape == bundle.grid
    assert grid.max() > 0
    assert bundle.heatmap(NATURAL, concept, "no such pair") is None
    with pytest.raises(BlindspotsError, match="has no model 'nobody'"):
        bundle.deltas("nobody")


def test_token_codes_tell_where_any_concept_fires_in_their_images() -> None:
    bundle = load_bundle(planted.BUNDLE)
    codes, kept = bundle.token_codes(NATURAL), bundle._heatmaps(NATURAL)
    assert codes is not None
    ids, energies = bundle.image_ids(NATURAL), bundle.energies(NATURAL)
    row = int(codes.row[3])
    for concept in energies.take(np.array([row])).concepts.tolist():
        found = bundle.heatmap(NATURAL, concept, ids[row])
        assert found is not None
        assert found.shape == bundle.grid
        assert float(found.sum()) == pytest.approx(energies.matrix[row, concept], rel=0.01)
    silent = bundle.heatmap(NATURAL, 0, ids[row])
    assert silent is not None
    assert not silent.any()
    both = [k for k, (_, image) in enumerate(kept.keys.tolist()) if image in set(codes.row)]
    for k in both[:40]:
        concept, image = kept.keys[k].tolist()
        of_tokens = codes.of_image(image, concept)
        assert of_tokens is not None
        stored = kept.grid(concept, image, bundle.grid)
        np.testing.assert_allclose(of_tokens[-64:].reshape(bundle.grid), stored)
    other = next(i for row, i in enumerate(ids) if row not in set(codes.row.tolist()))
    assert bundle.heatmap(NATURAL, 0, other) is None, "neither a card's image nor of the sample"


def test_images_are_decoded_by_datasets(written: Path, tmp_path: Path) -> None:
    """The viewer and `load_dataset` see images, not structs of bytes."""
    import datasets

    loaded = datasets.Dataset.from_parquet(
        str(table_path(written, THUMBNAILS)), cache_dir=str(tmp_path)
    )
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded[0]["image"].size[0] > 0


def test_every_fault_is_listed_at_once(bundle: Path) -> None:
    names = list(load_bundle(bundle).models)
    pairs = table_path(bundle, PAIRS)
    content = bytearray(pairs.read_bytes())
    content[len(content) // 2] ^= 1
    pairs.write_bytes(content)
    table_path(bundle, DELTAS, names[0]).unlink()
    with open(table_path(bundle, CONCEPTS), "ab") as handle:
        handle.write(b"x")
    found = faults(bundle)
    assert len(found) == 3
    assert any("pairs.parquet was altered" in fault for fault in found)
    assert any(f"{names[0]}.parquet is missing" in fault for fault in found)
    assert any("concepts.parquet has" in fault for fault in found)
    with pytest.raises(BlindspotsError) as told:
        load_bundle(bundle, contents=True)
    assert all(fault in str(told.value) for fault in found)


def test_a_flipped_bit_is_told_when_its_file_is_first_read(bundle: Path) -> None:
    """Opening looks at names and sizes; nothing of a file that was altered is ever given."""
    name = next(iter(load_bundle(bundle).models))
    for spec, model in ((DELTAS, name), (CONCEPTS, None)):
        path = table_path(bundle, spec, model)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    opened = load_bundle(bundle)
    assert opened.image_ids(name), "which is whole"
    with pytest.raises(BlindspotsError, match=f"{name}.parquet was altered"):
        opened.deltas(name)
    with pytest.raises(BlindspotsError, match=f"{name}.parquet was altered"):
        opened.frame(name)
    with pytest.raises(BlindspotsError, match=r"concepts\.parquet was altered"):
        _ = opened.concepts
    with pytest.raises(BlindspotsError, match=r"was altered.*was altered"):
        opened.check()
    with pytest.raises(BlindspotsError, match=r"was altered.*was altered"):
        load_bundle(bundle, contents=True)


def test_of_some_columns_these_alone_are_read_and_checked(bundle: Path) -> None:
    """A view that reads two columns of a hundred models' tables does not check the others."""
    name = next(iter(load_bundle(bundle).models))
    path = table_path(bundle, DELTAS, name)
    table = pq.read_table(path)
    wrong = pa.array(np.full(table.num_rows, -1.0), table["support"].type)
    place = table.column_names.index("support")
    pq.write_table(table.set_column(place, table.schema.field("support"), wrong), path)
    rehash(bundle)
    opened, columns = load_bundle(bundle), ["relative_state", "relative_gap"]
    assert opened.some_deltas(name, columns).equals(table.select(columns))
    with pytest.raises(BlindspotsError, match="'support' lies between"):
        opened.some_deltas(name, ["support"])
    with pytest.raises(BlindspotsError, match="'support' lies between"):
        opened.deltas(name)
    assert opened.some_deltas(name, columns).num_rows == 60
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BlindspotsError, match="was altered"):
        load_bundle(bundle).some_deltas(name, columns)


def test_no_picture_of_an_altered_table_is_given(bundle: Path) -> None:
    path = table_path(bundle, THUMBNAILS)
    content = bytearray(path.read_bytes())
    place = content.index(b"RIFF")
    content[place + 20] ^= 1
    path.write_bytes(content)
    opened = load_bundle(bundle)
    some = opened.image_ids(NATURAL)[0]
    shown = next(i for i in opened.image_ids(NATURAL) if opened.has_thumbnail(NATURAL, i))
    assert opened.caption(NATURAL, some), "a caption is the natural image's"
    with pytest.raises(BlindspotsError, match=r"thumbnails\.parquet was altered"):
        opened.thumbnail(NATURAL, shown)


def test_networks_are_looked_at_before_they_are_loaded(tmp_path: Path) -> None:
    root = tmp_path / "b"
    shutil.copytree(planted.BUNDLE, root)
    path = root / "sae/model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BlindspotsError, match=r"sae/model\.safetensors was altered"):
        open_space(load_bundle(root))


def test_wrong_columns_and_rows_are_told(bundle: Path) -> None:
    path = table_path(bundle, CONCEPTS)
    table = pq.read_table(path).slice(0, 50).drop_columns(["cluster"])
    table = table.set_column(0, "concept", table["concept"].cast("int64"))
    pq.write_table(table, path)
    rehash(bundle)
    found = " ".join(faults(bundle))
    assert "lacks the column 'cluster'" in found
    assert "column 'concept' is int64 instead of int32" in found
    assert "50 rows for 60 concepts" in found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.pop("models"), "lacks 'models'"),
        (lambda m: m.update(schema_version=99), "schema version 99"),
        (lambda m: m["files"].update({"../secret": {"sha256": "", "bytes": 0}}), "lies outside"),
        (lambda m: m["models"][0].update(name="../x"), "not allowed"),
        (lambda m: m["models"][0].update(name="natural"), "not allowed"),
        (lambda m: m["files"].pop("sae/config.json"), "not in the manifest"),
    ],
)
def test_manifest_faults(bundle: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    manifest = read_json(bundle / "bundle.json")
    change(manifest)
    write_json(bundle / "bundle.json", manifest)
    assert any(told in fault for fault in faults(bundle))


def test_no_bundle_at_all(tmp_path: Path) -> None:
    assert "is not a folder" in faults(tmp_path / "nothing")[0]
    assert "bundle.json is missing" in faults(tmp_path)[0]
    (tmp_path / "bundle.json").write_text("[1, 2")
    assert "not valid JSON" in faults(tmp_path)[0]


def test_a_table_with_other_columns_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns differ"):
        write_table(tmp_path, THUMBNAILS, {"source": []})


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 20), st.integers(0, 10)),
        st.dictionaries(st.integers(0, 63), st.floats(0.125, 60, width=16), max_size=6),
        max_size=25,
    )
)
def test_heatmaps_give_back_what_was_put_in(kept: dict[tuple[int, int], dict[int, float]]) -> None:
    entries = [
        (
            c,
            row,
            np.array(sorted(patches), np.int64),
            np.array([patches[p] for p in sorted(patches)]),
        )
        for (c, row), patches in kept.items()
    ]
    heatmaps = Heatmaps.build(entries)
    for concept in range(21):
        for row in range(11):
            grid = heatmaps.grid(concept, row, (8, 8))
            patches = kept.get((concept, row))
            if not patches:
                assert grid is None
            else:
                assert grid is not None
                expected = np.zeros(64, np.float32)
                expected[list(patches)] = list(patches.values())
                assert np.array_equal(grid.ravel(), expected)
