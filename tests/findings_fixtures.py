"""Bundles with all that an analysis may ask for: features, atoms, counts by kind of token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hub_fixtures import write_sae
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.layout import NATURAL, features_path
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import TOKEN_FIRES, TableSpec
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.measure.features import ImageFeatures

WIDTH = 16


def write_rich(root: Path, spec: Synthetic) -> Path:
    """A synthetic bundle whose k-th model's features are shifted by k / 2 in every direction."""
    import pyarrow as pa

    write_synthetic(root, spec)
    rng = np.random.default_rng(spec.seed)
    natural = rng.normal(size=(spec.pairs, 2, WIDTH))
    tokens = {NATURAL: natural}
    for number, name in enumerate(spec.models, start=1):
        tokens[name] = natural + 0.3 * rng.normal(size=natural.shape) + number / 2
    for name, both in tokens.items():
        ImageFeatures.stacked(both.astype(np.float16)).save(features_path(root, name))
    atoms = rng.normal(size=(spec.n_concepts, WIDTH)).astype(np.float32)
    write_sae(root, spec.n_concepts, atoms=atoms)
    write_manifest(root, Manifest.read(root).to_json())
    for name in spec.models:
        counts = rng.integers(0, 3, (6, spec.n_concepts)).astype(np.int32)
        counts[4:, : spec.n_concepts // 2] = 0
        table = pa.table(dict(zip(TOKEN_FIRES.names, counts, strict=True)))
        own = TableSpec(TOKEN_FIRES.path.format(model=name), TOKEN_FIRES.row, TOKEN_FIRES.columns)
        add_tables(root, {own: table})
    return root
