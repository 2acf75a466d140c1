"""Where everything lies in a bundle: the only place that spells its paths."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from blindspots_hub.artifacts.schema import (
    LABELS,
    OPTIONAL,
    STRESS_IMAGES,
    STRESS_TESTS,
    TABLES,
    TableSpec,
)

MANIFEST = "bundle.json"
CARD = "README.md"
"""A card; it belongs to the people who read it, not to what a manifest vouches for."""

QUALITY = "quality.json"
"""In `sae/`, where it is known: R², codes a token and dead share on held-out tokens."""

LOCK = "bundle.lock.json"
"""Beside the manifest of a bundle that was published: which commits on the Hub belong to it."""

DELTAS_PART = "deltas"
PAIRS_PART = "pairs"
GENERATIONS_PART = "generations"
SAE = "sae"
SAE_WEIGHTS = "sae/model.safetensors"
BACKBONE = "backbone"
PARTS = (PAIRS_PART, GENERATIONS_PART, DELTAS_PART, SAE, BACKBONE)
"""The folders at the top of a bundle: each is there whole or, but for `deltas`, not at all."""

IMAGES = "images"
"""Folder beside the parts, none of them: the images that evaluations generated, a store a model.
No manifest names it and nothing publishes it; a bundle is whole without."""

FINDINGS = "deltas/analyses"
"""Folder of the optional tables of analyses: they belong to the tables that they were made from."""


def of_results(name: str) -> bool:
    """Whether a file belongs to the results: labels, findings and stress tests come and go."""
    beside = {one.path for one in (LABELS, STRESS_TESTS, STRESS_IMAGES)}
    return name not in beside and not name.startswith(f"{FINDINGS}/")


NETWORK_FILES = {
    SAE: ("config.json", "model.safetensors", QUALITY, "domain.safetensors"),
    BACKBONE: ("config.json", "model.safetensors", "preprocessor_config.json"),
}
"""Files of the parts that hold a network; nothing else in them is read, copied or published."""

NATURAL = "natural"
"""Source name of the natural images; no model may be called so."""


def part_of(name: str) -> str:
    """The part that a file of the manifest belongs to."""
    return name.split("/", 1)[0]


def cards(root: Path) -> list[str]:
    """The cards that lie in the bundle at `root` and its parts."""
    return [
        name
        for name in (CARD, *(f"{part}/{CARD}" for part in PARTS))
        if (root / name).is_file() and not (root / name).is_symlink()
    ]


def table_path(root: Path, table: TableSpec, model: str | None = None) -> Path:
    """Path of a table, for `model` where the table is one a model."""
    return root / (table.path.format(model=model) if model else table.path)


def energies_path(root: Path, source: str) -> Path:
    """Path of the per-image energies of a source ("natural" or a model)."""
    return root / f"deltas/energies/{source}.safetensors"


def generation_energies_path(root: Path, model: str) -> Path:
    """Path of the energies of a model's single generations, where captions have several."""
    return root / f"deltas/generations/{model}.safetensors"


def features_path(root: Path, source: str) -> Path:
    """Path of the per-image features of a source, where they were kept."""
    return root / f"deltas/features/{source}.safetensors"


def token_codes_path(root: Path, source: str) -> Path:
    """Path of the codes of single tokens of some images of a source, where they were kept."""
    return root / f"deltas/token_codes/{source}.safetensors"


def heatmaps_path(root: Path, source: str) -> Path:
    """Path of the heatmaps of a source."""
    return root / f"deltas/heatmaps/{source}.safetensors"


_SPARSE = ("energies", "generations", "features", "heatmaps", "token_codes")


def is_known(name: str, models: Collection[str]) -> bool:
    """Whether a bundle with these `models` may have a file `name`: by its place, not its content.

    Only such files are read, copied or published.
    """
    folder, _, last = name.rpartition("/")
    if folder in NETWORK_FILES:
        return last in NETWORK_FILES[folder]
    if folder == FINDINGS:
        return last.endswith(".parquet") and not last.startswith(".")
    if any(folder == f"{DELTAS_PART}/{kind}" for kind in _SPARSE):
        source, dot, ending = last.rpartition(".")
        return bool(dot) and ending == "safetensors" and source in {NATURAL, *models}
    for table in (*TABLES, *OPTIONAL):
        if "{model}" not in table.path:
            if name == table.path:
                return True
            continue
        before, after = table.path.split("{model}")
        if name.startswith(before) and name.endswith(after):
            return name[len(before) : len(name) - len(after)] in models
    return False
