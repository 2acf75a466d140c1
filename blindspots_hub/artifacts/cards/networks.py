"""The cards of a bundle's networks: RA-SAE and backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub.utils import HFValidationError, validate_repo_id

from blindspots_hub import paper
from blindspots_hub.artifacts.cards.facts import sae_quality
from blindspots_hub.artifacts.cards.front_matter import model_front
from blindspots_hub.artifacts.cards.templates import sparsity_rule
from blindspots_hub.artifacts.cards.version import HUB, Card, PublishedVersion, link
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.artifacts.layout import BACKBONE, SAE
from blindspots_hub.artifacts.licences import backbone_licence, is_own, is_published, sae_licence
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json

IMAGENET = "ILSVRC/imagenet-1k"
"""The data that the published RA-SAE was trained on (METHOD section 2)."""

_SAE_FIELDS = ("d", "n_concepts", "sparsity", "k", "threshold", "backbone", "origin")
"""Fields of a RA-SAE's config.json that its card tells."""

_ARCHITECTURE = {
    "model_type": "architecture",
    "hidden_size": "token width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "attention heads",
    "image_size": "image (px)",
    "patch_size": "patch (px)",
    "num_register_tokens": "register tokens",
    "dtype": "stored as",
}
"""Fields of a backbone's config.json that its card shows, and what it calls them."""


def sae_card(of: PublishedVersion, repo: Repo) -> Card:
    """The card of the RA-SAE."""
    config = _config(of.root / SAE, *_SAE_FIELDS)
    quality = sae_quality(of.root / SAE)
    derived = is_published(config)
    backbone = of.repo_of(BACKBONE)
    source = backbone.id if backbone else str(config["backbone"])
    base = [source] if backbone or _is_repo_id(source) else []
    licence = sae_licence(config, of.licence)
    front = model_front(
        repo.id,
        licence,
        library="blindspots_hub",
        tags=["ra-sae", "dinov2"],
        base_model=[paper.PUBLISHED_REPO, *base] if derived else base,
        datasets=[IMAGENET] if derived else [],
        quality=quality,
    )
    fields = {
        "config": config,
        "sparsity": sparsity_rule(config),
        "quality": dict(quality.values()),
        "licence": licence,
        "derived": derived,
        "published": link(paper.PUBLISHED_REPO, f"{HUB}/{paper.PUBLISHED_REPO}"),
        "authors": ", ".join(paper.AUTHORS),
        "backbone": source,
        "backbone_at": of.version.tag if backbone else config.get("backbone_revision") or "",
        "backbone_on_hub": bool(base),
    }
    return "model_card/sae.md", front, fields


def backbone_card(of: PublishedVersion, repo: Repo) -> Card:
    """The card of the backbone."""
    config = _config(of.root / BACKBONE)
    source = str(_config(of.root / SAE, "backbone")["backbone"])
    licence = backbone_licence(source, of.licence)
    front = model_front(
        repo.id,
        licence,
        library="transformers",
        tags=["dinov2"],
        pipeline_tag="image-feature-extraction",
    )
    fields = {
        "architecture": {
            what: config[name] for name, what in _ARCHITECTURE.items() if name in config
        },
        "source": source,
        "licence": licence,
        "planted": is_own(source),
        "original": paper.BACKBONE,
    }
    return "model_card/hub_backbone.md", front, fields


def _config(folder: Path, *needed: str) -> dict[str, Any]:
    """The config.json of a network; `BlindspotsError` where it lacks what its card tells."""
    config = read_json(folder / "config.json")
    if missing := [name for name in needed if name not in config]:
        raise BlindspotsError(
            f"{folder / 'config.json'} lacks {', '.join(missing)}: take the config.json that "
            "belongs to its weights."
        )
    return config


def _is_repo_id(source: str) -> bool:
    """Whether `source` may be a repository of the Hub, as far as its form tells."""
    try:
        validate_repo_id(source)
    except HFValidationError:
        return False
    return "/" in source and not is_own(source)
