"""Every table of a bundle in other people's readers: DuckDB, polars and `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_fixtures import write_publishable

from blindspots_hub.artifacts import writer
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import table_files, table_path
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    IMAGE,
    PAIR_DISTANCES,
    PAIRS,
    STRESS_IMAGES,
    THUMBNAILS,
)
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.measure.delta import STATES

MODEL = "plain-a"
ROW_GROUP = 100_000_000
PLACES = ((PAIRS, None), (THUMBNAILS, None), (CONCEPTS, None), (GENERATIONS, MODEL),
          (DELTAS, MODEL), (PAIR_DISTANCES, MODEL))  # fmt: skip


@pytest.fixture(scope="module", params=["files", "shards"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_publishable(tmp_path_factory.mktemp("readers") / "b")
    if request.param == "shards":
        with pytest.MonkeyPatch.context() as small:
            small.setattr(writer, "SHARD_BYTES", 3_000)
            small.setattr(writer, "GROUP_BYTES", 1_000)
            for spec, model in PLACES[:2]:
                write_table(made, spec, read_table(table_files(made, spec, model)).to_pydict())
                assert len(table_files(made, spec, model)) > 1
    return made


@pytest.fixture(scope="module")
def files(root: Path) -> dict[str, list[str]]:
    """The files of every table, by its name."""
    names = {str(p.parent) if "-of-" in p.name else str(p) for p in root.rglob("*.parquet")}
    return {
        Path(name).relative_to(root).as_posix(): (
            [name]
            if name.endswith(".parquet")
            else sorted(str(p) for p in Path(name).glob("*.parquet"))
        )
        for name in names
    }


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows without NaN, which equals nothing."""

    def one(value: Any) -> Any:
        if isinstance(value, float):
            return None if np.isnan(value) else value
        if isinstance(value, np.ndarray):
            return [one(item) for item in value.tolist()]
        return [one(item) for item in value] if isinstance(value, list) else value

    return [{name: one(value) for name, value in row.items()} for row in table.to_pylist()]


def test_duckdb_reads_every_table(files: dict[str, list[str]]) -> None:
    import duckdb

    with duckdb.connect() as base:
        for name, paths in files.items():
            found = base.execute("SELECT * FROM read_parquet(?)", [paths]).to_arrow_table()
            assert plain(found) == plain(read_table([Path(p) for p in paths])), name
        (deltas,) = files[f"deltas/models/{MODEL}.parquet"]
        counted = base.execute(
            "SELECT relative_state, count(*) FROM read_parquet(?) GROUP BY ALL", [deltas]
        ).fetchall()
        states = pq.read_table(deltas)["relative_state"].to_pylist()
        assert dict(counted) == {state: states.count(state) for state in {*states}}
        sql = "SELECT concept, relative_delta FROM read_parquet(?) WHERE concept = 7"
        assert len(base.execute(sql, [deltas]).fetchall()) == 1
        joined = base.execute(
            "SELECT count(*) FROM read_parquet(?) AS t JOIN read_parquet(?) AS p USING (pair_id) "
            "WHERE octet_length(t.image.bytes) > 0",
            [next(v for k, v in files.items() if k.startswith("deltas/thumbnails")),
             next(v for k, v in files.items() if k.startswith("pairs/"))],
        ).fetchone()  # fmt: skip
        assert joined is not None
        assert joined[0] > 0


def test_polars_reads_every_table(files: dict[str, list[str]]) -> None:
    import polars

    for name, paths in files.items():
        found = polars.read_parquet(paths).to_arrow()
        assert plain(found) == plain(read_table([Path(p) for p in paths])), name
    (deltas,) = files[f"deltas/models/{MODEL}.parquet"]
    lazily = polars.scan_parquet(deltas).filter(polars.col("relative_state").is_in([*STATES]))
    assert lazily.select(polars.len()).collect().item() == pq.read_metadata(deltas).num_rows


def test_datasets_reads_every_table(files: dict[str, list[str]], tmp_path: Path) -> None:
    for name, paths in files.items():
        found = datasets.load_dataset(
            "parquet", data_files=paths, split="train", cache_dir=str(tmp_path / "cache")
        )
        expected = read_table([Path(p) for p in paths])
        assert found.num_rows == expected.num_rows, name
        assert set(found.column_names) == set(expected.column_names)
        if "image" in found.column_names and name.partition("/")[2] != "stress_images.parquet":
            assert isinstance(found.features["image"], datasets.Image)
        bare = [one for one in found.column_names if one != "image"]
        assert plain(found.select_columns(bare).data.table) == plain(expected.select(bare)), name


def test_row_groups_are_small_and_columns_have_statistics(files: dict[str, list[str]]) -> None:
    """What a query over the Hub needs to fetch no more than what may answer it."""
    for name, paths in files.items():
        for path in paths:
            described = pq.read_metadata(path)
            schema = pq.read_schema(path)
            for number in range(described.num_row_groups):
                group = described.row_group(number)
                assert group.total_byte_size <= ROW_GROUP
                for i in range(group.num_columns):
                    column = group.column(i)
                    field = column.path_in_schema.split(".")[0]
                    if field in ("concept", "pair_id", "source") or field.endswith("state"):
                        assert column.statistics is not None, (name, field)
                        assert column.statistics.has_min_max or not group.num_rows, (name, field)
                    assert column.has_column_index or schema.field(field).type != pa.string()


def test_large_optional_tables_are_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of stress tests are written into a bundle that is there already."""
    root = write_publishable(tmp_path / "b")
    monkeypatch.setattr(writer, "GROUP_BYTES", 1_000)
    rows = 40
    columns: dict[str, Any] = {}
    for column in STRESS_IMAGES.columns:
        blank: Any = "x"
        if column.type == IMAGE:
            blank = {"bytes": b"x" * 200, "path": "x.webp"}
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            blank = 0
        elif pa.types.is_boolean(column.type):
            blank = False
        elif not pa.types.is_string(column.type):
            blank = None
        columns[column.name] = [blank] * rows
    arrays = [pa.array(columns[c.name], c.type) for c in STRESS_IMAGES.columns]
    add_tables(root, {STRESS_IMAGES: pa.Table.from_arrays(arrays, schema=STRESS_IMAGES.schema)})
    described = pq.read_metadata(table_path(root, STRESS_IMAGES))
    assert described.num_row_groups == 8
    assert load_bundle(root, contents=False).model(MODEL)
