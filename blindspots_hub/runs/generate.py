"""`generate`: captions in, a store of generated images out, to be measured later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.data.sources.rows import SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.additions import Additions, Memory
from blindspots_hub.generation.models import KnownModel, resolve
from blindspots_hub.generation.plan import Encoding, Plan
from blindspots_hub.generation.store import GenerationStore
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs import encoding
from blindspots_hub.runs.generating import (
    Generations,
    failures_told,
    opening_store,
    telling_what_is_kept,
)
from blindspots_hub.runs.request import how_generated
from blindspots_hub.runs.session import Workers
from blindspots_hub.runs.sources import CaptionedImages, open_pairs, write_skipped
from blindspots_hub.utils.dtypes import DType

STAGE = "generate images"

PAIRS = 200
"""Pairs that are drawn unless the caller says otherwise."""


@Call
def generate(
    model: str,
    output_dir: str | Path,
    *,
    pairs: int = PAIRS,
    seed: int = 0,
    num_images_per_prompt: int = 1,
    bundle: Bundle | None = None,
    pairs_from: str | None = None,
    device: str | None = None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    height: int | None = None,
    width: int | None = None,
    dtype: DType | None = None,
    unet: str | None = None,
    additions: Additions | None = None,
    memory: Memory | None = None,
    batch_size: int = 1,
    quality: int | None = None,
    all_captions: bool = False,
    source_options: SourceOptions | None = None,
    skipped_to: str | Path | None = None,
) -> Work[GenerationStore]:
    """Generate images of captions and return the store of them, written to `output_dir`.

    Arguments are those of `evaluate`, whose images these are: `evaluate(..., generations=out)`
    measures them without the model, on any bundle that has the pairs, as often as you like. Images
    are lossless PNG files in parquet shards, or WebP files of `quality` 1 to 100.

    Processes that `accelerate launch` started share the work. Run again it goes on where it
    stopped; with more pairs or seeds it keeps the images that are there. Raises `BlindspotsError`
    for what the user can mend, and where `output_dir` holds images of another model or of other
    settings.
    """
    planted.register()
    known = with_settings(resolve(model), num_inference_steps, guidance_scale, height, width, dtype)
    known = changed(known, unet, additions, memory)
    base = bundle or load_bundle(planted.BUNDLE)
    source = yield from open_pairs(pairs_from, base, seed, all_captions, source_options, pairs)
    write_skipped(source, skipped_to)
    plan = planned(known, source, pairs, seed, num_images_per_prompt, batch_size, Encoding(quality))
    workers = Workers.join(device)
    work = _generated(Path(output_dir), plan, known, workers, batch_size)
    return (yield from workers.alone(Path(output_dir), f"generate {known.title}", work))


def _generated(
    out: Path, plan: Plan, model: KnownModel, workers: Workers, batch_size: int
) -> Work[GenerationStore]:
    store, pipeline = yield from opening_store(out, plan, model, workers)
    images = Generations(store, list(plan.captions), pipeline)
    yield from telling_what_is_kept(store, generating(images, workers, batch_size, STAGE))
    yield from workers.first(_finished(store))
    return store


def generating(images: Generations, workers: Workers, batch_size: int, stage: str) -> Work[None]:
    """Generate what is missing of a whole store; of several processes each does its own shards."""
    shards = images.store.plan.shards[workers.processes.rank :: workers.processes.count]
    done, total = 0, sum(map(len, shards))
    yield Event(stage, done, total)
    for names in shards:
        for _ in images.generate(names, batch_size):
            done += 1
            yield Event(stage, done, total)
    if told := failures_told(images.failures):
        yield Event(stage, done, total, told)


def _finished(store: GenerationStore) -> Work[None]:
    store.finish()
    yield Event(STAGE, 1, 1)


def planned(
    model: KnownModel,
    source: CaptionedImages,
    pairs: int,
    seed: int,
    num_images_per_prompt: int,
    batch_size: int,
    stored_as: Encoding | None = None,
) -> Plan:
    """The images that these arguments of `evaluate` and `generate` ask for, checked."""
    if batch_size < 1:
        raise BlindspotsError(f"{batch_size} captions cannot be drawn at once: ask for at least 1.")
    if num_images_per_prompt < 1:
        raise BlindspotsError(
            f"A caption cannot be drawn {num_images_per_prompt} times: ask for at least 1."
        )
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{pairs} pair is too few to compare anything: ask for at least 2.")
    captions = {pair_id: source.captions[pair_id] for pair_id in ids}
    how = how_generated(model, seed)
    stored_as = stored_as or Encoding()
    return Plan(how, captions, num_images_per_prompt, stored_as, pairs_a_shard=encoding.SHARD)


def changed(
    model: KnownModel, unet: str | None, additions: Additions | None, memory: Memory | None
) -> KnownModel:
    """The model with what is given in the place of its own."""
    given = {"unet": unet, "additions": additions, "memory": memory}
    fields: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
    return replace(model, **fields)


def with_settings(
    model: KnownModel,
    num_inference_steps: int | None,
    guidance_scale: float | None,
    height: int | None,
    width: int | None,
    dtype: DType | None = None,
) -> KnownModel:
    """The model with the settings that are given in the place of its own."""
    given = {
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "height": height,
        "width": width,
        "dtype": dtype,
    }
    return model.with_settings(**{name: one for name, one in given.items() if one is not None})
