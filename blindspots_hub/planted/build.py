"""The embedded bundle, made from the two trained networks: evaluate the five models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub import planted
from blindspots_hub.analysis.concept_map import concept_table
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import TRUTH, named
from blindspots_hub.artifacts.layout import CARD, NETWORK_FILES
from blindspots_hub.artifacts.licences import OWN
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import resolve
from blindspots_hub.generation.plan import Plan
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.planted.concept_match import labels as factor_names
from blindspots_hub.planted.measured import Natural, natural_pairs, thumbnail
from blindspots_hub.planted.models import MODELS, planted_pipeline
from blindspots_hub.planted.training import TRAINING_WORLD, load_space
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.assemble import EncodedImages, ModelImages, assemble
from blindspots_hub.runs.domain_check import domain_entry
from blindspots_hub.runs.encoding import SHARD
from blindspots_hub.runs.generate import generating
from blindspots_hub.runs.generating import Generations, opening_store
from blindspots_hub.runs.loading import ImageLoader
from blindspots_hub.runs.request import how_generated, work_folder
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.utils.files import copy_files

BUNDLE_WORLD = 0
"""Seed of the world that the bundle shows: another than the RA-SAE's, so disjoint from it."""

PAIRS = 1000
"""Pairs of the embedded bundle."""

TOKEN_IMAGES = 100
"""Images of a source of which it keeps the codes of single tokens. With features of all images,
which it does without, the planted world would pass 20 MB."""

LABEL_IMAGES = 2000
"""Images of the training world by which concepts are named."""


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
    yield from workers.first(_saving_pipelines())
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


def _saving_pipelines() -> Work[None]:
    """The five models' folders: of the work that one process does for all."""
    for done, name in enumerate(MODELS):
        yield Event("save the planted models", done, len(MODELS))
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
