"""`evaluate`: captions in, a valid bundle out. The one call that runs it all.

For every chosen pair the model draws the caption, both images become concept codes, and the tables
follow from the codes. Everything is kept as it is made (images one by one, codes in shards), so
that a run that was stopped goes on where it was and ends with the same tables, bit for bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.data.generate import load_pipeline, pick_device
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.data.models import resolve
from blindspots_hub.encoding import open_space
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.progress import Event, Work, drive
from blindspots_hub.run import WORK, Request, Run, finished
from blindspots_hub.sources import open_pairs


def evaluate(
    model: str,
    out: str | Path,
    *,
    pairs: int = 200,
    seed: int = 0,
    bundle: Bundle | None = None,
    pairs_from: str | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
    batch: int = 1,
    show: Callable[[Event], None] | None = None,
) -> Bundle:
    """Evaluate a text-to-image model and return the bundle written to `out`.

    `model` is a known name (`planted/alder-1`, `sd15`), a diffusers folder, or a Hub id
    `org/name[@revision]`. `pairs` pairs are drawn by `seed` from those of `bundle` (the embedded
    default) or of `pairs_from` (another bundle, a folder of captioned images, a table, a Hub
    dataset). The concepts are those of `bundle`. `batch` captions are drawn at once, which changes
    no seed: a GPU draws several faster, and images then differ by rounding only. Run again with the
    same arguments it goes on where
    it stopped. `show` receives progress events. Raises `BlindspotsError` for what the user can
    mend; what was computed before stays in `out`.
    """
    work = evaluation(
        model,
        Path(out),
        pairs=pairs,
        seed=seed,
        bundle=bundle,
        pairs_from=pairs_from,
        device=device,
        settings=settings,
        batch=batch,
    )
    return drive(work, show)


def evaluation(
    model: str,
    out: Path,
    *,
    pairs: int = 200,
    seed: int = 0,
    bundle: Bundle | None = None,
    pairs_from: str | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
    batch: int = 1,
) -> Work[Bundle]:
    """`evaluate` as a generator of events, for whoever wants to watch or to stop."""
    planted.register()
    if batch < 1:
        raise BlindspotsError(f"{batch} captions cannot be drawn at once: ask for at least 1.")
    known = resolve(model)
    base = bundle or load_bundle(planted.BUNDLE)
    settings = settings or MeasureSettings()
    source = yield from open_pairs(pairs_from, base)
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{pairs} pair is too few to compare anything: ask for at least 2.")
    request = Request(known, ids, seed, base.concept_space, settings)
    if found := finished(out, request.fingerprint):
        return found

    chosen = pick_device(device)
    yield Event("load the concept space", 0, 1)
    space = open_space(base, chosen)
    yield Event(f"load {known.title}", 0, 1)
    pipeline = load_pipeline(known, chosen)
    run = Run(out, request, source, space, pipeline, base, batch)
    yield from run.draw()
    yield from run.finish()
    shutil.rmtree(out / WORK)
    return load_bundle(out)
