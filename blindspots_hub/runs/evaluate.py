"""`evaluate`: captions in, a valid bundle out. The one call that runs it all.

For every chosen pair the model draws the caption, both images become concept codes, and the tables
follow from the codes. Everything is kept as it is made (images one by one, codes in shards), so
that a run that was stopped goes on where it was and ends with the same tables, bit for bit.
"""

from __future__ import annotations

from pathlib import Path

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import load_pipeline
from blindspots_hub.generation.models import KnownModel, resolve
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.evaluation import Run, RunOptions
from blindspots_hub.runs.request import Request, finished
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.sources import open_pairs
from blindspots_hub.serving.zerogpu import GpuRefused, offload_device


@Call
def evaluate(
    model: str,
    out: str | Path,
    *,
    pairs: int = 200,
    seed: int = 0,
    seeds: int = 1,
    bundle: Bundle | None = None,
    pairs_from: str | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    size: int | None = None,
    batch: int = 1,
    previews: bool = False,
) -> Work[Bundle]:
    """Evaluate a text-to-image model and return the bundle written to `out`.

    `model` is a known name (`planted/alder-1`, `sd15`), a diffusers folder, or a Hub id
    `org/name[@revision]`. `pairs` pairs are drawn by `seed` from those of `bundle` (the embedded
    default) or of `pairs_from` (another bundle, a folder of captioned images, a table, a Hub
    dataset). The concepts are those of `bundle`.

    Each caption is drawn `seeds` times, the first as with one; a pair's generated energy is then
    their mean, and the tables tell how much of a difference's spread is the sampler's noise.
    `steps`, `guidance` and `size` (side in pixels) take the place of the model's usual ones.
    `batch` captions are drawn at once, which changes no seed: a GPU draws several faster, and
    images then differ by rounding only.

    Processes that `accelerate launch` started share the work, and each returns the bundle. Run
    again with the same arguments it goes on where it stopped.
    Raises `BlindspotsError` for what the user can mend; what was computed before stays in `out`.

    Where `previews` is true events carry small images, for whoever shows them.
    """
    planted.register()
    out = Path(out)
    if batch < 1:
        raise BlindspotsError(f"{batch} captions cannot be drawn at once: ask for at least 1.")
    if seeds < 1:
        raise BlindspotsError(f"A caption cannot be drawn {seeds} times: ask for at least 1.")
    known = _set(resolve(model), steps, guidance, size)
    base = bundle or load_bundle(planted.BUNDLE)
    settings = settings or MeasureSettings()
    source = yield from open_pairs(pairs_from, base)
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{pairs} pair is too few to compare anything: ask for at least 2.")
    request = Request(known, ids, seed, base.concept_space, settings, seeds)
    if found := finished(out, request.fingerprint):
        return found

    session = yield from Session.opening(base, Workers.join(device))
    device = session.workers.device
    yield Event(f"load {known.title}", 0, 1)
    pipeline = load_pipeline(known, device, offload_device(device))
    run = Run(out, request, source, session, pipeline, base, RunOptions(batch, previews))
    try:
        yield from run.draw()
    except GpuRefused as refused:
        drawn, wanted = run.drawings.kept, len(run.drawings.names)
        raise GpuRefused(
            f"{refused} {drawn:,} of {wanted:,} images are drawn and kept: run the same again to "
            "go on from there."
        ) from refused
    return (yield from session.workers.bundle(out, run.finish()))


def _set(
    model: KnownModel, steps: int | None, guidance: float | None, size: int | None
) -> KnownModel:
    """The model with the settings that are given in the place of its own."""
    given = {"steps": steps, "guidance": guidance, "height": size, "width": size}
    return model.with_settings(**{name: one for name, one in given.items() if one is not None})
