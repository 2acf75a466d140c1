"""`evaluate`: captions in, a valid bundle out. The one call that runs it all.

For every chosen pair the model draws the caption, both images become concept codes, and the tables
follow from the codes. Everything is kept as it is made (images one by one, then in shards; codes in
shards), so that a run that was stopped goes on where it was and ends with the same tables, bit for
bit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import IMAGES, MANIFEST
from blindspots_hub.data.sources.rows import SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.additions import Additions, Memory
from blindspots_hub.generation.models import resolve
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.progress import Call, Work
from blindspots_hub.runs.adding import (
    NATURAL_CODES,
    begin,
    beside,
    forget,
    made_anew,
    make_anew,
    settle,
)
from blindspots_hub.runs.asked_images import Kept, Planned, kept
from blindspots_hub.runs.evaluation import Run, RunOptions
from blindspots_hub.runs.generate import PAIRS, changed, planned, with_settings
from blindspots_hub.runs.generating import Generations, telling_what_is_kept
from blindspots_hub.runs.request import Request, finished
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.sources import CaptionedImages, open_pairs, write_skipped
from blindspots_hub.utils.dtypes import DType


@Call
def evaluate(
    model: str | None,
    output_dir: str | Path,
    *,
    pairs: int | None = None,
    seed: int = 0,
    num_images_per_prompt: int = 1,
    bundle: Bundle | None = None,
    pairs_from: str | None = None,
    generations: str | Path | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    height: int | None = None,
    width: int | None = None,
    dtype: DType | None = None,
    unet: str | None = None,
    additions: Additions | None = None,
    memory: Memory | None = None,
    batch_size: int = 1,
    all_captions: bool = False,
    source_options: SourceOptions | None = None,
    skipped_to: str | Path | None = None,
    embed_images: bool = True,
    natural_codes: str | Path | None = None,
    previews: bool = False,
    access: Access = OWNER,
) -> Work[Bundle]:
    """Evaluate a text-to-image model and return the bundle written to `output_dir`.

    `model` is a known name (`planted/alder-1`, `sd15`), a diffusers folder, a checkpoint in one
    .safetensors file, or a Hub id `org/name[@revision]`. `pairs` (200) pairs are drawn by `seed`
    from those of `bundle` (the embedded default) or of `pairs_from` (another bundle, a folder of
    captioned images, a table, a Hub dataset; `data.pairs` has all). The concepts are those of
    `bundle`.

    Each caption is drawn `num_images_per_prompt` times, the first as with one; a pair's generated
    energy is then their mean, and the tables tell how much of a difference's spread is the
    sampler's noise. `num_inference_steps`, `guidance_scale`, `height` and `width` (pixels) take the
    place of the model's usual ones, and `dtype` ("float32", "float16", "bfloat16") that of the
    weights' own number format (on CUDA; of float32 elsewhere). `unet` and `additions` (LoRA
    weights, textual inversions, another VAE, transformer or scheduler, a negative prompt) change
    the model, and are part of what its images are known by; `memory` makes it fit. Of an image with
    a list of captions `seed` chooses one, or with `all_captions` each is a pair. `batch_size`
    captions are drawn at once, which changes no seed: a GPU draws several faster, and images then
    differ by rounding only. Where `output_dir` holds a bundle of the same concepts, the model is
    added to it.

    The images stay in `output_dir`/images/NAME, a store as `generate` writes it; the bundle's own
    table holds them too unless `embed_images` is false. `generations` is the folder of such a
    store, or of an evaluation that has one: its images are measured and no pipeline is loaded, with
    the concepts of any `bundle` that has the pairs. `model` may then be None, and `pairs` are all
    of the store's.

    `source_options` names columns, split or configuration of `pairs_from`, where it does not say so
    itself; what of it is no pair is listed row by row in the CSV file `skipped_to`.

    Codes of natural images are kept in the folder `natural_codes`, where evaluations of other
    models on the same images, into whichever folder, find them: a series of checkpoints encodes
    them once. It may be deleted at any time.

    Processes that `accelerate launch` started share the work, and each returns the bundle. Run
    again with the same arguments it goes on where it stopped. Raises `BlindspotsError` for what the
    user can mend; what was computed before stays in `output_dir`.

    Where `previews` is true events carry small images, for whoever shows them. `access` says for
    whom the model is loaded, where that is a visitor of a public page.
    """
    planted.register()
    output_dir = Path(output_dir).resolve()
    known = (
        None
        if model is None
        else with_settings(
            resolve(model), num_inference_steps, guidance_scale, height, width, dtype
        )
    )
    known = known and changed(replace(known, access=access), unet, additions, memory)
    base = bundle or load_bundle(planted.BUNDLE)
    wanted = (PAIRS if pairs is None else pairs) if generations is None else pairs
    source = yield from open_pairs(pairs_from, base, seed, all_captions, source_options, wanted)
    write_skipped(source, skipped_to)
    asked: Kept | Planned
    if generations is not None:
        fixed = {
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
            "height": height,
            "width": width,
            "dtype": dtype,
        }
        given = [name for name, value in fixed.items() if value is not None]
        given += [name for name, one in (("unet", unet), ("additions", additions)) if one]
        given += ["num_images_per_prompt"] if num_images_per_prompt != 1 else []
        asked = kept(Path(generations), known, source, pairs, seed, given)
    elif known is not None:
        plan = planned(
            known,
            source,
            PAIRS if pairs is None else pairs,
            seed,
            num_images_per_prompt,
            batch_size,
        )
        asked = Planned(known, plan)
    else:
        raise BlindspotsError("No model is named: name one, or the folder of its generated images.")
    settings = settings or MeasureSettings()
    if not source.images_at_hand and settings.tokens != base.tokens:
        raise BlindspotsError(
            f"{base.name} keeps the energies of its natural images, summed over {base.tokens} "
            f"tokens, and not the images: evaluate with --tokens {base.tokens}, or give the pairs "
            "with their images."
        )
    space = base.concept_space
    request = Request(asked.name, asked.plan, asked.pair_ids, space, settings, embed_images)
    workers = Workers.join(device)
    shared = None if natural_codes is None else Path(natural_codes).expanduser().resolve()
    options = RunOptions(max(batch_size, 1), previews, shared)
    work = _evaluated(output_dir, request, asked, source, base, workers, options)
    return (yield from workers.alone(output_dir, f"evaluate {asked.name}", work))


def _evaluated(
    out: Path,
    request: Request,
    asked: Kept | Planned,
    source: CaptionedImages,
    base: Bundle,
    workers: Workers,
    options: RunOptions,
) -> Work[Bundle]:
    found, place = begin(out, request)
    # Beside the bundle at `out` and not in `place`, which goes when the model is added.
    images_at = out / IMAGES / asked.name
    if found:
        # The only model of a bundle is made anew in it, one of several beside it.
        place = beside(out, request) if len(found.models) > 1 else out
        begun, failed = made_anew(place), asked.failed(images_at)
        if failed and place != out:
            yield from workers.first(make_anew(place))
        more = failed and (
            yield from asked.trying_again(images_at, failed, workers, options.batch_size)
        )
        if not (more or begun):
            if place != out:
                yield from workers.first(_forgotten(place))
            return found
        if place == out:
            yield from workers.first(_unmade(out))
    if finished(place, request.fingerprint) is None:
        session = yield from Session.opening(base, workers)
        store, pipeline = yield from asked.opening(images_at, workers)
        images = Generations(store, asked.pair_ids, pipeline)
        # Whoever adds models to a bundle compares them on the same natural images mostly.
        natural_at = options.natural_codes or (None if place == out else out / NATURAL_CODES)
        run = Run(place, request, source, session, images, base, options, natural_at)
        yield from telling_what_is_kept(store, run.draw())
        run.gather()
        yield from workers.bundle(place, asked.finishing(store, run), request.fingerprint)
    yield from workers.first(settle(place, out, asked.name))
    return load_bundle(out)


def _unmade(out: Path) -> Work[None]:
    """Let the bundle be made anew: more of its images could be drawn."""
    yield from ()
    (out / MANIFEST).unlink()


def _forgotten(place: Path) -> Work[None]:
    yield from ()
    forget(place)
