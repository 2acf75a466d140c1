"""The two networks of the planted world, trained from nothing: a DINOv2 and a RA-SAE on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.artifacts.cards.templates import render, write_sae_card
from blindspots_hub.artifacts.layout import BACKBONE, CARD, SAE
from blindspots_hub.artifacts.licences import OWN
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.domain_fit import fitting_domain
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.scene import FLATTENED, NATURAL, sample_scene
from blindspots_hub.planted.train_backbone import IMAGE, PATCH, train_backbone
from blindspots_hub.planted.train_unlabelled import train_unlabelled
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.train_sae import ORIGIN
from blindspots_hub.utils.files import write_bytes

CONCEPTS = 512
"""Concepts of the small RA-SAE."""

TRAINING_IMAGES = 4000
"""Images whose tokens the small RA-SAE is trained on: half natural, half with a lifted tail, as
ImageNet's classes are more even than the web's."""

SHARPER = 2.0
"""The inference threshold over the one that training ends with. At the latter a rare concept also
fires faintly on many images where it does not belong, and its energy says little; above it a code
has to be clear. Chosen once, by how much of a concept's energy lies on one kind of thing."""

TRAINING_WORLD = 7
"""Seed of the world that the RA-SAE is trained on."""


def training(out: Path) -> Work[str]:
    """Train the small DINOv2 and the small RA-SAE into `out`/backbone and `out`/sae."""
    report = yield from train_backbone(out / BACKBONE)
    _backbone_card(out / BACKBONE, report)
    quality = yield from training_sae(out)
    worst = min(report["auroc"].items(), key=lambda item: item[1])
    return (
        f"backbone: patch AUROC ≥ {worst[1]:.3f} ({worst[0]}); RA-SAE: R² {quality['r2']:.3f}, "
        f"{quality['l0']:.1f} codes a token, {quality['dead_share']:.1%} dead"
    )


def training_unlabelled(out: Path) -> Work[str]:
    """Train the DINOv2 that never sees a label, and a RA-SAE on it, into the same two folders."""
    report = yield from train_unlabelled(out / BACKBONE)
    fields = {
        "steps": report["steps"],
        "parameters": f"{report['parameters']:,}",
        "image": IMAGE,
        "patch": PATCH,
        "prototypes": f"{report['prototypes']:.0f}",
    }
    front = {"library_name": "transformers", "license": OWN, "tags": ["planted"]}
    write_bytes(out / BACKBONE / CARD, render("model_card/unlabelled.md", front, fields))
    # Without labels a token is of several things at once, none of which stands out twice over.
    quality = yield from training_sae(out, k=8, sharper=1.0)
    return (
        f"backbone without labels: patches spread over {report['prototypes']:.0f} prototypes; "
        f"RA-SAE: R² {quality['r2']:.3f}, {quality['l0']:.1f} codes a token, "
        f"{quality['dead_share']:.1%} dead"
    )


def training_sae(out: Path, k: int = 2, sharper: float = SHARPER) -> Work[dict[str, float]]:
    """Train the small RA-SAE on the tokens of `out`/backbone; it never sees a label.

    Of its codes a token keeps `k` on average while training, and those above `sharper` times the
    threshold that training ends with afterwards.
    """
    backbone = Backbone.load(out / BACKBONE)
    tokens = np.empty((TRAINING_IMAGES, backbone.layout.tokens, backbone.width), np.float32)
    for done in range(TRAINING_IMAGES):
        tokens[done] = _training_tokens(backbone, done)
        if done % 50 == 0:
            yield Event("tokens to train on", done, TRAINING_IMAGES)
    config = TrainConfig(
        n_concepts=CONCEPTS,
        n_centroids=CONCEPTS,
        sparsity="batch_topk",
        k=k,
        steps=1500,
        peak_rate=5e-3,
        backbone="planted/backbone",
        backbone_fingerprint=backbone.fingerprint,
        origin="trained on the planted world; stands in for RA-SAE-DINOv2-32k",
    )
    held_out = TRAINING_IMAGES // 20
    sae = yield from train_on_tokens(tokens[held_out:].reshape(-1, backbone.width), config, seed=0)
    threshold = sharper * (sae.config.threshold or 0.0)
    sae = RASAE.from_weights(replace(sae.config, threshold=threshold), sae.state_dict())
    sae = sae.stored_as("float16")
    sae.save_pretrained(out / SAE)
    domain = yield from fitting_domain(
        sae, backbone.layout, len(tokens) - held_out, tokens[held_out:].__getitem__, ORIGIN
    )
    domain.save(out / SAE)
    quality = reconstruction_quality(sae, tokens[:held_out].reshape(-1, backbone.width))
    write_sae_card(out / SAE, "RA-SAE of the planted world", sae.config.to_json(), quality)
    return quality


def _training_tokens(backbone: Backbone, number: int) -> np.ndarray:
    prior = FLATTENED if number % 2 else NATURAL
    image = draw(sample_scene(derive(TRAINING_WORLD, number, "sae"), prior))
    return backbone.tokens(backbone.preprocess(image)[None])[0].numpy()


def _backbone_card(folder: Path, report: dict[str, Any]) -> None:
    factor, auroc = min(report["auroc"].items(), key=lambda item: item[1])
    fields = {
        "title": "DINOv2 of the planted world",
        "steps": report["steps"],
        "parameters": f"{report['parameters']:,}",
        "image": IMAGE,
        "patch": PATCH,
        "worst_auroc": f"{auroc:.3f} ({factor})",
    }
    front = {"library_name": "transformers", "license": OWN, "tags": ["planted"]}
    write_bytes(folder / CARD, render("model_card/backbone.md", front, fields))


def load_space(folder: Path) -> ConceptSpace:
    """The concept space that `training` wrote to `folder`."""
    backbone = Backbone.load(folder / BACKBONE)
    sae = RASAE.from_pretrained(folder / SAE)
    return ConceptSpace(backbone, sae, Domain.load(folder / SAE))
