"""The map by atoms and by codes; bundles that have one of them only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.schema import CONCEPTS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.layout_switch import lay_out, layout_switch, map_key, points
from blindspots_hub.explorer.page.catalog import Catalog


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("layouts") / "b"
    return load_bundle(write_synthetic(root, Synthetic(n_concepts=60, pairs=40)))


def changed(bundle: Bundle, **columns: list[float | None] | None) -> Bundle:
    """The bundle with columns of its table of concepts replaced, or taken out where None."""
    path = bundle.root / CONCEPTS.path
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place)
        if values is not None:
            table = table.add_column(
                place, CONCEPTS.schema.field(name), [pa.array(values, pa.float32())]
            )
    pq.write_table(table, path)
    write_manifest(bundle.root, replace(bundle.manifest, results=None).to_json())
    assert faults(bundle.root) == []
    return load_bundle(bundle.root)


def test_each_layout_has_its_own_points(bundle: Bundle) -> None:
    catalog = Catalog(bundle)
    atoms, codes = (points(catalog, map_key(catalog, name)) for name in ("atoms", "codes"))
    assert np.array_equal(atoms.xy[:, 0], bundle.concepts["x"].to_numpy())
    assert np.array_equal(codes.xy[:, 1], bundle.concepts["y_codes"].to_numpy())
    assert not np.array_equal(atoms.xy, codes.xy)
    assert layout_switch(catalog).visible
    update = lay_out(catalog, "codes", 7).props
    assert update["data_key"] == map_key(catalog, "codes")
    assert update["selected"][0] == 7
    assert lay_out(catalog, "forged", None).props["data_key"] == map_key(catalog)
    with pytest.raises(BlindspotsError, match="reload"):
        points(catalog, "forged/elsewhere")


def test_dead_concepts_are_nowhere(tmp_path: Path) -> None:
    bundle = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=60, pairs=40)))
    dead = [None, None] + [float(k) for k in range(58)]
    catalog = Catalog(changed(bundle, x=dead, y=dead))
    xy = points(catalog, map_key(catalog)).xy
    assert np.isnan(xy[:2]).all()
    assert np.isfinite(xy[2:]).all()


def test_a_bundle_of_an_earlier_version_has_no_switch(tmp_path: Path) -> None:
    bundle = load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=60, pairs=40)))
    old = changed(bundle, x_codes=None, y_codes=None)
    assert old.concepts["x_codes"].null_count == 60
    assert {name: old.concepts[name] for name in CONCEPTS.names}
    assert not layout_switch(Catalog(old)).visible
