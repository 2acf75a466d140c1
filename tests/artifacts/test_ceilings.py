"""Bundles with more than 2 GiB of images or energies: what one Arrow array cannot hold.

Slow: each writes some hundred megabytes. Images are an eighth of noise and the rest zeros, so that
they are large when unpacked and no more suspicious than a real bundle's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_tools import rehash
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.repos import Version
from blindspots_hub.artifacts.hub.staging import NONE, staging
from blindspots_hub.artifacts.layout import NATURAL, energies_path, table_files, table_path
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import GENERATIONS, NATURAL_IMAGES, PAIRS, THUMBNAILS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import image_cell, write_table
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.runs.combine import combine
from blindspots_hub.runs.sources import BundlePairs
from blindspots_hub.utils.files import read_json, write_json

pytestmark = pytest.mark.slow

MODEL = "plain"
PAIRS_N = 2_300
SPEC = Synthetic(n_concepts=30, pairs=PAIRS_N, models={MODEL: "Plain"}, fires_per_image=10)
MEGABYTE = 1_000_000
BEYOND = 2**31


def picture(row: int, source: int, size: int) -> bytes:
    noise = np.random.default_rng([row, source]).bytes(size // 8)
    return b"\x89PNG" + noise + bytes(size - len(noise) - 4)


def blocks(columns: dict[str, Any], source: int, size: int) -> Iterator[dict[str, Any]]:
    """The table with images of `size` bytes, some rows at a time."""
    rows = len(columns["pair_id"])
    for start in range(0, rows, 50):
        some = {name: values[start : start + 50] for name, values in columns.items()}
        some["image"] = [
            image_cell(picture(row, source, size), "x.png")
            for row in range(start, min(start + 50, rows))
        ]
        yield some


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_synthetic(tmp_path_factory.mktemp("large") / "b", SPEC)
    names: list[str] = []
    for source, (spec, model) in enumerate(((PAIRS, None), (GENERATIONS, MODEL))):
        columns = read_table(table_files(root, spec, model)).to_pydict()
        write_table(root, spec, blocks(columns, source, MEGABYTE), model)
    columns = read_table(table_files(root, THUMBNAILS)).to_pydict()
    write_table(root, THUMBNAILS, blocks(columns, 2, MEGABYTE // 2))
    for spec, model in ((PAIRS, None), (GENERATIONS, MODEL), (THUMBNAILS, None)):
        files = table_files(root, spec, model)
        assert len(files) > 4
        names += [path.relative_to(root).as_posix() for path in files]
    manifest = read_json(root / "bundle.json")
    kept = {name: one for name, one in manifest["files"].items() if (root / name).is_file()}
    manifest["files"] = {**kept, **{name: {} for name in names}}
    write_json(root / "bundle.json", manifest)
    rehash(root)
    return root


def test_more_than_two_gigabytes_of_images_open_and_validate(large: Path) -> None:
    assert faults(large) == []
    bundle = load_bundle(large, contents=False)
    ids = bundle.image_ids(NATURAL)
    for row in (0, 1_200, PAIRS_N - 1):
        assert bundle.image(NATURAL, ids[row]) == picture(row, 0, MEGABYTE)
        assert bundle.image(MODEL, ids[row]) == picture(row, 1, MEGABYTE)
        assert bundle.thumbnail(MODEL, ids[row]) is not None
    assert bundle.pairs.num_rows == PAIRS_N
    source = BundlePairs(bundle)
    assert source.columns(ids[-2:])["image"][1]["bytes"] == picture(PAIRS_N - 1, 0, MEGABYTE)


def test_they_are_published_and_combined(large: Path, tmp_path: Path) -> None:
    bundle = load_bundle(large, contents=False)
    for _ in staging(bundle, "large", Version.parse("1.0.0"), NONE, tmp_path / "staged"):
        pass
    assert faults(tmp_path / "staged", contents=False) == []
    other = Synthetic(
        n_concepts=30, pairs=50, models={"other": "Other"}, seed=9, fires_per_image=10
    )
    small = write_synthetic(tmp_path / "small", other)
    whole = combine([bundle, small], tmp_path / "whole")
    assert faults(whole.root, contents=False) == []
    ids = bundle.image_ids(NATURAL)
    assert whole.image(NATURAL, ids[-1]) == picture(PAIRS_N - 1, 0, MEGABYTE)
    assert whole.has_thumbnail(MODEL, ids[-1])
    assert len(whole.image_ids(NATURAL)) == PAIRS_N + 50


def test_more_than_two_gigabytes_of_energies(tmp_path: Path) -> None:
    """Every concept fires in every natural image; what a card asks for reads no more than that."""
    n, images = 4_096, 66_000
    root = write_synthetic(tmp_path / "b", Synthetic(n_concepts=n, pairs=60, models={}))
    ids = [f"{row:08d}" for row in range(images)]
    write_table(root, NATURAL_IMAGES, {"pair_id": ids, "caption": [""] * images})
    table = read_table(table_path(root, PAIRS)).slice(0, 1).to_pydict()
    rows = {name: values * images for name, values in table.items()}
    write_table(root, PAIRS, {**rows, "pair_id": ids})
    write_table(root, THUMBNAILS, read_table(table_files(root, THUMBNAILS)).slice(0, 0).to_pydict())
    nnz = n * images
    energies = ImageEnergies(
        np.arange(0, nnz + 1, n, dtype=np.int64),
        np.tile(np.arange(n, dtype=np.int32), images),
        np.ones(nnz, np.float32),
        n,
    )
    assert energies.concepts.nbytes + energies.energies.nbytes > BEYOND
    energies.save(energies_path(root, NATURAL))
    del energies
    rehash(root)
    assert faults(root) == []
    bundle = load_bundle(root, contents=False)
    column = bundle.concept_energies(NATURAL, n - 1)
    assert column is not None
    assert len(column.rows) == images
    fires = bundle.fires_in(NATURAL, np.array([0, images - 1]))
    assert fires is not None
    assert fires.tolist() == [2] * n
