"""Cards: README.md files beside artifacts, rendered from the templates of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.layout import CARD, table_path
from blindspots_hub.artifacts.schema import DELTAS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.files import write_bytes

TEMPLATES = Path(__file__).resolve().parents[2]
"""Where `model_card/` and `dataset_card/` lie: at the top of a checkout or of a Space."""


def render(template: str, front: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    """Fill a template ("model_card/ra_sae.md"); a field that it names and lacks is an error."""
    import yaml
    from jinja2 import Environment, StrictUndefined

    path = TEMPLATES / template
    if not path.is_file():
        raise BlindspotsError(
            f"{path} is missing: run from a checkout of blindspots_hub, which holds its cards."
        )
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    front_matter = f"---\n{yaml.safe_dump(dict(front), sort_keys=True, allow_unicode=True)}---\n"
    text = environment.from_string(path.read_text(encoding="utf-8")).render(
        front_matter=front_matter, **fields
    )
    return text.encode()


def write_sae_card(folder: Path, title: str, config: Mapping[str, Any], quality: Any) -> None:
    """Write the card of a trained RA-SAE beside its weights; `quality` is of `evaluate_sae`."""
    front = {
        "library_name": "blindspots_hub",
        "license": "apache-2.0",
        "tags": ["sparse-autoencoder", "interpretability", "ra-sae"],
    }
    rule = f"the {config['k']} largest codes of a token"
    if config["sparsity"] == "batch_topk":
        rule = f"codes of at least {config['threshold']:.4g} (batch top-k, k = {config['k']})"
    fields = {
        "title": title,
        "origin": config["origin"],
        "backbone": config["backbone"],
        "d": config["d"],
        "n_concepts": config["n_concepts"],
        "sparsity": rule,
        "r2": f"{quality['r2']:.3f}",
        "l0": f"{quality['l0']:.2f}",
        "dead_share": f"{quality['dead_share']:.1%}",
        "folder": folder.name,
    }
    write_bytes(folder / CARD, render("model_card/ra_sae.md", front, fields))


def write_bundle_card(root: Path, manifest: Mapping[str, Any], created_with: str) -> None:
    """Write the card of a bundle from the fields of its manifest."""
    front = {
        "license": "other",
        "tags": ["blindspots", "text-to-image", "interpretability"],
        "pretty_name": f"{manifest['name']} {manifest['version']}",
    }
    models = []
    for entry in manifest["models"]:
        counts, flagged = entry["counts"]["relative"], entry["null"]["relative_flagged"]
        models.append(
            {
                "name": entry["name"],
                "title": entry["title"],
                "pairs": f"{entry['pairs']:,}",
                "suppressed": counts.get("suppressed", 0),
                "exaggerated": counts.get("exaggerated", 0),
                "certain": counts["certain"],
                "null": "not measured" if flagged is None else f"{flagged:.1%}",
            }
        )
    first = table_path(root, DELTAS, manifest["models"][0]["name"]).relative_to(root)
    fields = {
        "title": f"Blindspots: {manifest['name']}",
        "created_with": created_with,
        "note": manifest.get("note", ""),
        "models": models,
        "first_table": first.as_posix(),
    }
    write_bytes(root / CARD, render("dataset_card/bundle.md", front, fields))
