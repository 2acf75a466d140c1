"""Bundles with all that an analysis may ask for: features, atoms, counts of tokens, tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hub_fixtures import write_sae
from stress_fixtures import with_tests
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL, features_path, token_codes_path
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import TOKEN_FIRES, TableSpec
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.token_codes import TokenCodes

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
    bundle = Bundle(root)
    for name in (NATURAL, *spec.models):
        token_codes(bundle.image_ids(name), spec.n_concepts, rng).save(token_codes_path(root, name))
    atoms = rng.normal(size=(spec.n_concepts, WIDTH)).astype(np.float32)
    write_sae(root, spec.n_concepts, atoms=atoms)
    write_manifest(root, Manifest.read(root).to_json())
    for name in spec.models:
        counts = rng.integers(0, 3, (6, spec.n_concepts)).astype(np.int32)
        counts[4:, : spec.n_concepts // 2] = 0
        table = pa.table(dict(zip(TOKEN_FIRES.names, counts, strict=True)))
        own = TableSpec(TOKEN_FIRES.path.format(model=name), TOKEN_FIRES.row, TOKEN_FIRES.columns)
        add_tables(root, {own: table})
    with_tests(root, next(iter(spec.models)), {0: 0, 1: 12})
    return root


def token_codes(ids: list[str], n_concepts: int, rng: np.random.Generator) -> TokenCodes:
    """Codes of four tokens an image, each of two neighbouring concepts and a third by chance."""

    def drawn(row: int) -> SparseCodes:
        first = rng.integers(0, n_concepts // 2, 4)
        third = rng.integers(n_concepts // 2 + 1, n_concepts, 4)
        concepts = np.stack([first, first + 1, third], axis=1).ravel().astype(np.int32)
        values = rng.gamma(2, 1, 12).astype(np.float32) + 0.1
        return SparseCodes(np.arange(0, 13, 3, dtype=np.int64), concepts, values, n_concepts)

    return TokenCodes.of(ids, drawn, n_concepts)
