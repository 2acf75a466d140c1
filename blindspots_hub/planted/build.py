"""The embedded bundle, made from nothing: train the two networks, evaluate the five models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub import planted
from blindspots_hub.analysis.concept_map import concept_table
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.cards.templates import render, write_sae_card
from blindspots_hub.artifacts.labels import TRUTH, named
from blindspots_hub.artifacts.layout import BACKBONE, CARD, NETWORK_FILES, SAE
from blindspots_hub.artifacts.licences import OWN
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.domain_fit import fitting_domain
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import resolve
from blindspots_hub.generation.plan import Plan
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.planted.concept_match import labels as factor_names
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.measured import Natural, natural_pairs, thumbnail
from blindspots_hub.planted.models import MODELS, planted_pipeline
from blindspots_hub.planted.scene import FLATTENED, NATURAL, sample_scene
from blindspots_hub.planted.train_backbone import IMAGE, PATCH, train_backbone
from blindspots_hub.planted.train_unlabelled import train_unlabelled
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.assemble import EncodedImages, ModelImages, assemble
from blindspots_hub.runs.domain_check import domain_entry
from blindspots_hub.runs.encoding import SHARD
from blindspots_hub.runs.generate import generating
from blindspots_hub.runs.generating import Generations, opening_store
from blindspots_hub.runs.loading import ImageLoader
from blindspots_hub.runs.request import how_generated, work_folder
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.train_sae import ORIGIN
from blindspots_hub.utils.files import copy_files, write_bytes

CONCEPTS = 512
"""Concepts of the small RA-SAE."""

TRAINING_IMAGES = 4000
"""Images whose tokens the small RA-SAE is trained on: half natural, half with a lifted tail, as
ImageNet's classes are more even than the web's."""

SHARPER = 2.0
"""The inference threshold over the one that training ends with. At the latter a rare concept also
fires faintly on many images where it does not belong, and its energy says little; above it a code
has to be clear. Chosen once, by how much of a concept's energy lies on one kind of thing."""

TRAINING_WORLD, BUNDLE_WORLD = 7, 0
"""Seeds of the worlds that the RA-SAE is trained on and that the bundle shows: disjoint."""

PAIRS = 1000
"""Pairs of the embedded bundle."""

TOKEN_IMAGES = 100
"""Images of a source of which it keeps the codes of single tokens. With features of all images,
which it does without, the planted world would pass 20 MB."""

LABEL_IMAGES = 2000
"""Images of the training world by which concepts are named."""


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


def fitting_known(folder: Path) -> Work[Domain]:
    """The domain of the RA-SAE in `folder`/sae, from its training images, drawn anew."""
    space = load_space(folder)
    domain = yield from fitting_domain(
        space.sae,
        space.backbone.layout,
        TRAINING_IMAGES - TRAINING_IMAGES // 20,
        lambda image: _training_tokens(space.backbone, TRAINING_IMAGES // 20 + image),
        ORIGIN,
    )
    domain.save(folder / SAE)
    return domain


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


_REQUEST = "build"
"""What the work on the embedded bundle is kept by: there is only one."""


def building(
    trained: Path, out: Path, pairs: int = PAIRS, label_images: int = LABEL_IMAGES
) -> Work[Bundle]:
    """Evaluate the five planted models on `pairs` pairs and write the bundle to `out`.

    Processes that `accelerate launch` started share the work.
    """
    planted.register()
    workers = Workers.join("cpu")
    yield from workers.first(_preparing(trained))
    session = Session(workers, load_space(trained))
    natural = yield from natural_pairs(pairs, BUNDLE_WORLD)
    place = work_folder(out, _REQUEST)
    coded = yield from _encoded(natural, session, place / "natural")
    drawn = []
    for name in planted.TITLES:
        drawn.append((yield from _draw_model(name, natural, session, place / name)))
    training_world = yield from natural_pairs(label_images, TRAINING_WORLD)
    by_name = yield from _encoded(training_world, session, place / "labels")
    labels = factor_names(by_name.energies("patches"), training_world.factors)
    work = _write(trained, out, session.space, natural, coded, drawn, labels)
    return (yield from workers.bundle(out, work, _REQUEST))


def _preparing(trained: Path) -> Work[None]:
    if Domain.load(trained / SAE) is None:  # trained before there were any
        yield from fitting_known(trained)
    for name in MODELS:
        planted_pipeline(name).save_pretrained(planted.MODEL_FOLDER / name)


def _encoded(natural: Natural, session: Session, folder: Path) -> Work[CodedImages]:
    images: dict[str, ImageLoader] = {
        i: partial(open_image, file) for i, file in zip(natural.ids, natural.files, strict=True)
    }
    return (yield from session.encode(folder, images, "encode natural images"))


@dataclass(frozen=True)
class _Model:
    """What a planted model drew, and its codes."""

    name: str
    images: Generations
    coded: CodedImages


def _draw_model(name: str, natural: Natural, session: Session, folder: Path) -> Work[_Model]:
    """Draw every caption, as `evaluate` does; the images go when the bundle is whole.

    Nobody misses them: `evaluate planted/NAME` draws the same ones again from the seeds.
    """
    known = resolve(f"planted/{name}")
    plan = Plan(how_generated(known, 0), natural.captions, pairs_a_shard=SHARD)
    store, pipeline = yield from opening_store(folder / "images", plan, known, session.workers)
    images = Generations(store, natural.ids, pipeline)
    yield from generating(images, session.workers, 1, f"draw {name}")
    loaders: dict[str, ImageLoader] = {i: partial(images.image, i) for i in natural.ids}
    coded = yield from session.encode(folder / "codes", loaders, f"encode {name}")
    if coded.failed:
        reason = next(iter(coded.failed.values())).reason
        raise BlindspotsError(f"planted/{name} failed on a caption: {reason}")
    return _Model(name, images, coded)


def _write(
    trained: Path,
    out: Path,
    space: ConceptSpace,
    natural: Natural,
    coded: CodedImages,
    drawn: list[_Model],
    factor_labels: list[str],
) -> Work[None]:
    if trained.resolve() != out.resolve():
        for part, files in NETWORK_FILES.items():
            own = [f"{part}/{name}" for name in (*files, CARD)]
            copy_files(trained, out, [name for name in own if (trained / name).is_file()])
    settings = MeasureSettings()
    sums = coded.summed(settings.tokens)
    energies = sums.energies
    yield Event("lay out the map", 0, 1)
    concepts = concept_table(space.sae.dictionary.numpy(), energies)
    captions = list(natural.captions.values())
    side = EncodedImages(
        natural.ids,
        captions,
        energies,
        coded.heat,
        lambda row: thumbnail(natural.pairs[row].image),
        token_fires=sums.token_fires,
        token_codes=coded.token_codes(natural.ids, settings.tokens, TOKEN_IMAGES),
    )
    identity = {
        "name": "planted",
        "version": "1.0.0",
        "licence": OWN,
        "concept_space": space.description,
        "note": "The embedded default: a small world with known blindspots, not a real model.",
    }
    models = [_model_side(item, captions, settings, coded, space.domain) for item in drawn]
    names = named(factor_labels, TRUTH)
    yield from assemble(out, identity, _pairs(natural), concepts, side, models, settings, names)


def _pairs(natural: Natural) -> dict[str, Any]:
    return {
        "pair_id": natural.ids,
        "caption": list(natural.captions.values()),
        "url": [None] * len(natural.ids),
        "image": [
            image_cell(file, f"{i}.webp")
            for i, file in zip(natural.ids, natural.files, strict=True)
        ],
        "image_sha256": [sha256(file).hexdigest() for file in natural.files],
        "image_size": [len(file) for file in natural.files],
    }


def _model_side(
    drawn: _Model,
    captions: list[str],
    settings: MeasureSettings,
    natural: CodedImages,
    domain: Domain | None,
) -> ModelImages:
    coded, ids = drawn.coded, drawn.coded.ids
    sums = coded.summed(settings.tokens)
    return ModelImages(
        name=drawn.name,
        title=planted.TITLES[drawn.name],
        side=EncodedImages(
            ids,
            captions,
            sums.energies,
            coded.heat,
            lambda row: thumbnail(drawn.images.image(ids[row])),
            token_fires=sums.token_fires,
            token_codes=coded.token_codes(ids, settings.tokens, TOKEN_IMAGES),
        ),
        natural_rows=np.arange(len(ids)),
        generations=drawn.images.tables({}, embed=False),
        run={**drawn.images.store.about["run"], "seed": 0},
        domain=domain_entry(domain, {"natural": natural, "generated": coded}),
    )
