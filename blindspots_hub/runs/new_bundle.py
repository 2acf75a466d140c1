"""`new-bundle`: an RA-SAE and natural images in, a bundle out that models can be evaluated on.

Evaluations take their concepts from a bundle. This makes the first one: the natural images of a set
of pairs are measured and the map of all concepts is drawn; models come later, by
`evaluate --bundle`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from blindspots_hub.analysis.concept_map import concept_table
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS, Label, table_of
from blindspots_hub.artifacts.layout import BACKBONE, CARD, QUALITY, SAE
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.domain_fit import IMAGES, LEAST, fitting_domain
from blindspots_hub.concepts.rasae import RASAE, model_files
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.data.images import open_image
from blindspots_hub.data.sources.rows import SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.naming.caption_words import words_without_held_out
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.assemble import Blocks, EncodedImages, assemble
from blindspots_hub.runs.encoding import coded_side
from blindspots_hub.runs.generating import BLOCK, portions
from blindspots_hub.runs.loading import ImageLoader
from blindspots_hub.runs.request import finished, work_folder
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.sources import CaptionedImages, own_pairs, write_skipped
from blindspots_hub.serving.zerogpu import offload_device
from blindspots_hub.utils.files import fingerprint, write_bytes

_OF_A_BACKBONE = (".json", ".safetensors", ".md")
"""Endings of a checkpoint's files that belong in a bundle: nothing that could be executed."""


@Call
def new_bundle(
    sae: str,
    pairs_from: str,
    output_dir: Path,
    *,
    pairs: int = 1000,
    seed: int = 0,
    all_captions: bool = False,
    source_options: SourceOptions | None = None,
    skipped_to: str | Path | None = None,
    backbone: str | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
) -> Work[Bundle]:
    """Write to `output_dir` a bundle of the concepts of `sae`, with natural images, no model yet.

    Concepts have provisional names, words of the captions (`label` finds better ones).

    `sae` is a folder or a Hub id; its backbone is the one that its config.json names, or the folder
    or Hub id `backbone`. `pairs_from`, `all_captions`, `source_options` and `skipped_to` are what
    `evaluate` takes by those names; `seed` chooses `pairs` of them. A backbone in a folder becomes
    part of the bundle. Processes that `accelerate launch` started share the work. Run again it goes
    on where it stopped. Raises `BlindspotsError` for what the user can mend.
    """
    settings = settings or MeasureSettings()
    source = yield from own_pairs(pairs_from, seed, all_captions, source_options, pairs)
    write_skipped(source, skipped_to)
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{pairs_from} holds {len(ids)} usable pairs: give at least 2.")
    workers = Workers.join(device)
    work = _new_bundle(sae, source, ids, output_dir, backbone, workers, settings)
    return (yield from workers.alone(output_dir, f"start {Path(sae).name}", work))


def _new_bundle(
    sae: str,
    source: CaptionedImages,
    ids: list[str],
    out: Path,
    backbone: str | None,
    workers: Workers,
    settings: MeasureSettings,
) -> Work[Bundle]:
    yield Event("load the concept space", 0, 1)
    networks = _Networks.load(sae, backbone, offload_device(workers.device))
    space = ConceptSpace(networks.backbone, networks.sae)
    request = fingerprint(
        {"space": space.description, "pairs": ids, "settings": settings.to_dict()}
    )
    if found := finished(out, request):
        return found

    def natural(pair_id: str) -> Image.Image:
        return open_image(source.image(pair_id) or b"", f"the natural image of pair {pair_id}")

    images: dict[str, ImageLoader] = {pair_id: partial(natural, pair_id) for pair_id in ids}
    place = work_folder(out, request)
    yield from workers.first(_fit_domain(sae, space, images, place))
    session = Session(workers, replace(space, domain=_known_domain(sae, place)))
    coded = yield from session.encode(
        place, images, "encode natural images", "natural", settings.tokens
    )
    if len(coded.ids) < 2:
        why = next(iter(coded.failed.values())).cause if coded.failed else "none were found"
        raise BlindspotsError(f"Only {len(coded.ids)} natural images can be read: {why}.")
    side = coded_side(coded, source.captions, images, settings.tokens)
    identity = {
        "name": f"{Path(sae).name or SAE}-start".lower(),
        "version": "1.0.0",
        "concept_space": space.description,
        "request": request,
        "skipped": dict(source.skipped),
    }
    rows = (source.columns(some) for some in portions(side.ids, BLOCK))
    work = _write(out, identity, rows, networks, session.space, side, settings)
    return (yield from workers.bundle(out, work, request))


@dataclass(frozen=True)
class _Networks:
    """The two networks of the new concept space, and the names that they were loaded by."""

    sae: RASAE
    sae_name: str
    backbone: Backbone
    backbone_name: str

    @classmethod
    def load(cls, sae: str, backbone: str | None, device: str) -> _Networks:
        weights = RASAE.from_pretrained(sae).to(device)
        named = backbone or weights.config.backbone
        if backbone is None and "/" not in named and not Path(named).is_dir():
            raise BlindspotsError(
                f"The RA-SAE {sae} was trained on a backbone in a folder {named!r}: say where that "
                "lies with --backbone."
            )
        revision = None if backbone else weights.config.backbone_revision
        return cls(weights, sae, Backbone.load(named, revision, device), named)


def _write(
    out: Path,
    identity: dict[str, Any],
    pairs: Blocks,
    networks: _Networks,
    space: ConceptSpace,
    side: EncodedImages,
    settings: MeasureSettings,
) -> Work[None]:
    yield Event("draw the map of all concepts", 0, 1)
    concepts = concept_table(space.sae.dictionary.cpu().numpy(), side.energies)
    yield Event("name concepts", 0, 1)
    labels = _provisional_names(side)
    _copy_networks(networks, out)
    if space.domain is not None:
        space.domain.save(out / SAE)
    yield from assemble(out, identity, pairs, concepts, side, [], settings, labels)


def _provisional_names(side: EncodedImages) -> pa.Table:
    """Words of captions for the concepts that fire; `label` finds better names."""
    concepts = np.flatnonzero(side.energies.fires).tolist()
    words = words_without_held_out(side.ids, side.energies, side.captions, concepts)
    day = date.today().isoformat()
    return table_of(
        Label(concept, word.name, CAPTION_WORDS, None, word.zeta, None, day, word.sentence)
        for concept, word in zip(concepts, words, strict=True)
        if word is not None
    )


def _known_domain(sae: str, place: Path) -> Domain | None:
    """What the RA-SAE tells of the images it was trained on, or what `_fit_domain` found."""
    return Domain.load(model_files(sae)) or Domain.load(place)


def _fit_domain(
    sae: str, space: ConceptSpace, images: dict[str, ImageLoader], place: Path
) -> Work[None]:
    """Keep what the first bundle shows of an RA-SAE whose own images are not known.

    These are the natural images of the pairs, where they are enough to say something.
    """
    if _known_domain(sae, place) is not None:
        return
    readable: list[torch.Tensor] = []
    for load in images.values():
        try:
            readable.append(space.backbone.preprocess(load()))
        except BlindspotsError:
            continue  # told of when the images are encoded
        if len(readable) == IMAGES:
            break
    if len(readable) < LEAST:
        return
    fitted = yield from fitting_domain(
        space.sae,
        space.backbone.layout,
        len(readable),
        lambda image: space.backbone.tokens(readable[image][None])[0].cpu().numpy(),
        "the natural images of its first bundle; those it was trained on are not known",
    )
    fitted.save(place)


def _copy_networks(networks: _Networks, out: Path) -> None:
    networks.sae.save_pretrained(out / SAE)
    for name in (CARD, QUALITY):
        told = Path(networks.sae_name).expanduser() / name
        if told.is_file():
            write_bytes(out / SAE / name, told.read_bytes())
    folder = Path(networks.backbone_name).expanduser()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in _OF_A_BACKBONE:
            write_bytes(out / BACKBONE / path.name, path.read_bytes())
