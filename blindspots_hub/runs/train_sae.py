"""`train-sae`: images or a token store in, a RA-SAE out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.artifacts.cards.templates import write_sae_card
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain_fit import LEAST, fitting_domain
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.concepts.tokens.store import MANIFEST, TokenStore
from blindspots_hub.concepts.tokens.write import StoreDtype, store_config, writing_store
from blindspots_hub.concepts.training.checkpoint import Checkpoints
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.data.images import open_image
from blindspots_hub.data.listing import list_images
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.request import WORK
from blindspots_hub.runs.training_log import TrainingLog
from blindspots_hub.utils.distributed import Processes
from blindspots_hub.utils.files import fingerprint, read_json, write_json
from blindspots_hub.utils.folder_lock import only_one_run

HELD_OUT = 20
"""One image in this many is kept from training and measures the quality."""

ORIGIN = "of those it was trained on"
"""Which images the domain of a trained RA-SAE is made of."""

RECORD = "training.json"
"""What was trained with, how well it came out; written last."""


@dataclass(frozen=True)
class TrainerOptions:
    """Where a training happens: which device, which of several processes, how often it is saved.

    log_with: trackers besides metrics.jsonl. keep_tokens: folder that a token store made of images
    stays in; None = it is removed when the training is over.
    """

    device: str | None = None
    checkpoint_seconds: float = 600.0
    log_with: Sequence[str] = ()
    keep_tokens: Path | None = None


@Call
def train_sae(
    source: Path,
    output_dir: Path,
    config: TrainConfig,
    seed: int,
    backbone: str | None = None,
    options: TrainerOptions | None = None,
) -> Work[dict[str, float] | None]:
    """Train a RA-SAE by `config` on a token store, or on all tokens of the images in a folder.

    Images need a `backbone`; a store brings its own. What `config` says of backbone, tokens, origin
    and device is filled in here, and a small set of tokens has fewer centroids. Writes the model,
    its card, metrics.jsonl and training.json to `output_dir`. Run again it goes on from its last
    checkpoint; finished, it returns at once.

    Returns R², codes a token and the share of dead concepts on images that were held out; of
    several processes only the first does, the others None. Raises `BlindspotsError` for images or
    settings that cannot be used, and where `output_dir` holds the work of another training.
    """
    options = options or TrainerOptions()
    device = pick_device(options.device)
    processes = Processes.launched(device)
    try:
        if processes.count > 1:
            device = processes.device
        work = _training(
            source, output_dir, replace(config, device=device), seed, backbone, options, processes
        )
        with only_one_run(output_dir, "train-sae") if processes.is_first else nullcontext():
            return (yield from work)
    finally:
        processes.leave()


def _training(
    source: Path,
    out: Path,
    config: TrainConfig,
    seed: int,
    backbone: str | None,
    options: TrainerOptions,
    processes: Processes,
) -> Work[dict[str, float] | None]:
    network, images = None, []
    if (source / MANIFEST).is_file():
        described = TokenStore.open(source).config
    else:
        images = training_images(source)
        network = _backbone(backbone, config.device)
        described = store_config(network, images, "float32")
    request = fingerprint({"tokens": described, "config": config.to_json(), "seed": seed})
    if (done := finished(out, request)) is not None:
        return done if processes.is_first else None
    log = None
    if processes.is_first:
        log = TrainingLog(out, options.log_with, config.to_json())
    if network is None:
        store = TokenStore.open(source)
    else:
        folder = options.keep_tokens or out / WORK / "tokens"
        store = yield from writing_store(folder, images, open_image, network, "float32", processes)
    _enough(source, store.n_images)
    held_out: NDArray[np.bool_] = np.arange(store.n_images) % HELD_OUT == 0
    used = store.images(~held_out)
    config = replace(
        config,
        n_centroids=min(config.n_centroids, len(used)),
        backbone=described["backbone"],
        backbone_revision=described["backbone_revision"],
        backbone_fingerprint=described["backbone_fingerprint"],
        token_layout=store.layout,
        origin=f"trained on {used.n_images} images with blindspots_hub",
    )
    checkpoints = Checkpoints(out / WORK, options.checkpoint_seconds)
    work = train_on_tokens(used, config, seed, checkpoints=checkpoints, processes=processes)
    sae = yield from _logged(work, log)
    if not processes.is_first:
        processes.wait()  # one that left before the others would take their connection with it
        return None
    yield Event("measure the RA-SAE", 0, 1)
    sae.save_pretrained(out)
    quality = reconstruction_quality(sae, store.images(held_out))
    if used.n_images >= LEAST:
        domain = yield from fitting_domain(
            sae, store.layout, used.n_images, partial(image_tokens, used), ORIGIN
        )
        domain.save(out)
    write_sae_card(out, f"RA-SAE, {config.n_concepts:,} concepts", sae.config.to_json(), quality)
    record = {"request": request, "quality": quality, "seed": seed, "config": config.to_json()}
    write_json(out / RECORD, {**record, "tokens": described, "processes": processes.count})
    shutil.rmtree(out / WORK, ignore_errors=True)
    processes.wait()
    return quality


def image_tokens(store: TokenStore, image: int) -> NDArray[np.floating]:
    """Tokens (T, d) of one image of a store."""
    step = store.layout.tokens
    return store[image * step : (image + 1) * step]


def finished(out: Path, request: str) -> dict[str, float] | None:
    """The quality of the RA-SAE that `out` holds; None where it holds none yet.

    Raises `BlindspotsError` where it is another than that of `request` (a fingerprint).
    """
    if (out / RECORD).is_file():
        record = read_json(out / RECORD)
        if record.get("request") == request:
            quality: dict[str, float] = record["quality"]
            return quality
    elif not (out / "model.safetensors").is_file() or (out / WORK).is_dir():
        return None
    raise BlindspotsError(
        f"{out} holds another RA-SAE, with other settings, another seed or other tokens: choose "
        "another folder."
    )


def token_store(
    images: Path, backbone: str, output_dir: Path, dtype: StoreDtype, device: str | None = None
) -> Work[TokenStore]:
    """Write the tokens of the images in a folder to the store `output_dir`, or go on with it."""
    chosen = pick_device(device)
    processes = Processes.launched(chosen)
    try:
        found = training_images(images)
        network = _backbone(backbone, processes.device if processes.count > 1 else chosen)
        work = writing_store(output_dir, found, open_image, network, dtype, processes)
        with only_one_run(output_dir, "token-store") if processes.is_first else nullcontext():
            return (yield from work)
    finally:
        processes.leave()


def training_images(folder: Path) -> list[Path]:
    """Image files in `folder`, or where it holds none, in its folders (as ImageNet has them)."""
    if not folder.is_dir():
        raise BlindspotsError(
            f"{folder} is not a folder: give the folder that holds the images, or a token store."
        )
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not below or any(path.is_file() for path in folder.iterdir()):
        return list_images(folder)
    return [path for one in below for path in list_images(one)]


def _backbone(source: str | None, device: str) -> Backbone:
    if source is None:
        raise BlindspotsError(
            "Images need a backbone that makes tokens of them: name one with --backbone, or give a "
            "token store."
        )
    return Backbone.load(source, device=device)


def _enough(source: Path, n_images: int) -> None:
    if n_images < 2 * HELD_OUT:
        raise BlindspotsError(
            f"{source} holds {n_images} images that can be read: give at least {2 * HELD_OUT}, and "
            "thousands for concepts that mean something."
        )


def _logged(work: Work[Any], log: TrainingLog | None) -> Work[Any]:
    """`work`, with its events noted in `log`."""
    if log is None:
        return (yield from work)
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                return end.value
            log(event)
            yield event
    finally:
        work.close()
        log.close()
