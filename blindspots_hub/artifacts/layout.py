"""Where everything lies in a bundle: the only place that spells its paths."""

from __future__ import annotations

from pathlib import Path

from blindspots_hub.artifacts.schema import TableSpec

MANIFEST = "bundle.json"
SAE = "sae"
BACKBONE = "backbone"
NATURAL = "natural"
"""Source name of the natural images; no model may be called so."""


def table_path(root: Path, table: TableSpec, model: str | None = None) -> Path:
    """Path of a table, for `model` where the table is one a model."""
    return root / (table.path.format(model=model) if model else table.path)


def energies_path(root: Path, source: str) -> Path:
    """Path of the per-image energies of a source ("natural" or a model)."""
    return root / f"deltas/energies/{source}.safetensors"


def heatmaps_path(root: Path, source: str) -> Path:
    """Path of the heatmaps of a source."""
    return root / f"deltas/heatmaps/{source}.safetensors"
