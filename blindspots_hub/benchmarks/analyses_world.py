"""A bundle of five models at the paper's size, of synthetic energies: only what analyses read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import (
    NATURAL,
    SAE_WEIGHTS,
    energies_path,
    features_path,
    token_codes_path,
)
from blindspots_hub.artifacts.schema import CONCEPTS, NATURAL_IMAGES, TOKEN_FIRES
from blindspots_hub.artifacts.writer import write_manifest, write_table
from blindspots_hub.benchmarks.measure_world import paired_energies
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.token_codes import TokenCodes
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.tables import EnergyPair, write_tables
from blindspots_hub.utils.files import write_json

WIDTH = 768
"""Width of a token."""

PATCHES, CODES = 256, 10
"""Of an image; concepts that fire on a patch."""


def made(root: Path, pairs: int, n_concepts: int, models: int, seed: int = 0) -> Work[Bundle]:
    """Write the bundle below `root`; half of a model's fires are those of its natural images."""
    rng = np.random.default_rng(seed)
    natural, _ = paired_energies(pairs, n_concepts, seed)
    ids = [f"{number:08d}" for number in range(pairs)]
    captions = [f"a photo of thing {number % 997} on a table" for number in range(pairs)]
    write_table(root, NATURAL_IMAGES, {"pair_id": ids, "caption": captions})
    natural.save(energies_path(root, NATURAL))
    centre = rng.normal(size=(2, WIDTH))
    tokens = centre + rng.normal(size=(pairs, 2, WIDTH))
    ImageFeatures.stacked(tokens.astype(np.float16)).save(features_path(root, NATURAL))
    entries = []
    for number in range(models):
        yield Event("make models", number, models)
        name = f"model-{number}"
        _, own = paired_energies(pairs, n_concepts, seed + 1 + number)
        generated = _mixed(natural, own, rng)
        generated.save(energies_path(root, name))
        drawn = tokens + 0.7 * rng.normal(size=tokens.shape) + 0.05 * number
        ImageFeatures.stacked(drawn.astype(np.float16)).save(features_path(root, name))
        compared = EnergyPair(natural, generated, ids, ids, paired=True)
        entry = write_tables(root, name, compared, MeasureSettings()).entry
        entries.append(
            {"name": name, "title": f"Model {number}", "dropped": {}, "run": {}, **entry}
        )
        counts = dict.fromkeys(TOKEN_FIRES.names, natural.fires)
        write_table(root, TOKEN_FIRES, counts, name)
        _token_codes(generated, ids, rng).save(token_codes_path(root, name))
    _token_codes(natural, ids, rng).save(token_codes_path(root, NATURAL))
    _write_concepts(root, natural, rng)
    _write_atoms(root, n_concepts, rng)
    space = {
        "backbone": "synthetic", "preprocessing": {}, "sae": "synthetic",
        "layout": {"cls": 1, "registers": 4, "grid": [16, 16]}, "n_concepts": n_concepts,
    }  # fmt: skip
    write_json(root / "sae/config.json", {"n_concepts": n_concepts})
    fields = {"name": "synthetic", "version": "1.0.0", "concept_space": space, "models": entries}
    write_manifest(root, fields)
    yield Event("make models", models, models)
    return Bundle(root)


def _token_codes(side: ImageEnergies, ids: list[str], rng: np.random.Generator) -> TokenCodes:
    """Every image's concepts, each on the patches that fall to it by chance."""

    def spread(row: int) -> SparseCodes:
        own = side.concepts[side.indptr[row] : side.indptr[row + 1]]
        token = rng.integers(0, PATCHES, (CODES * PATCHES,))
        place = np.unique(token * side.n_concepts + rng.choice(own, len(token)))
        token, concepts = np.divmod(place, side.n_concepts)
        values = rng.gamma(2.0, 0.5, len(place)).astype(np.float32) + np.float32(1e-3)
        starts = np.searchsorted(token, np.arange(PATCHES + 1)).astype(np.int64)
        return SparseCodes(starts, concepts.astype(np.int32), values, side.n_concepts)

    return TokenCodes.of(ids, spread, side.n_concepts)


def _mixed(natural: ImageEnergies, own: ImageEnergies, rng: np.random.Generator) -> ImageEnergies:
    def half(side: ImageEnergies) -> sparse.csr_matrix:
        matrix = side.matrix.copy()
        matrix.data *= (rng.random(matrix.nnz) < 0.5) * rng.uniform(0.7, 1.3, matrix.nnz)
        matrix.eliminate_zeros()
        return matrix

    both = (half(natural) + half(own)).tocsr()
    both.sort_indices()
    return ImageEnergies(
        both.indptr.astype(np.int64),
        both.indices.astype(np.int32),
        both.data.astype(np.float32),
        natural.n_concepts,
    )


def _write_concepts(root: Path, natural: ImageEnergies, rng: np.random.Generator) -> None:
    n = natural.n_concepts
    xy = rng.normal(size=(4, n)).astype(np.float32)
    near = rng.integers(0, n, (n, 8)).astype(np.int32)
    cosine = -np.sort(-rng.beta(4, 3, (n, 8)), axis=1).astype(np.float32)
    columns = {
        "concept": np.arange(n, dtype=np.int32),
        **dict(zip(("x", "y", "x_codes", "y_codes"), xy, strict=True)),
        "cluster": np.zeros(n, np.int32),
        "images": natural.fires,
        "frequency": natural.fires / natural.n_images,
        "nearest": list(near),
        "nearest_cosine": list(cosine),
        "often_with": list(near),
        "often_with_cosine": list(cosine),
    }
    write_table(root, CONCEPTS, columns)


def _write_atoms(root: Path, n: int, rng: np.random.Generator) -> None:
    from safetensors.numpy import save_file

    path = root / SAE_WEIGHTS
    path.parent.mkdir(parents=True, exist_ok=True)
    atoms = rng.standard_normal((n, WIDTH), dtype=np.float32)
    save_file({"dictionary": atoms.astype(np.float16)}, path)
