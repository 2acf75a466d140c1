"""Before an evaluation starts: how long it may take, and what that many pairs can show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub import planted
from blindspots_hub.analysis.planning import Promise, promise
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.serving.zerogpu import on_zerogpu

START = (8.0, 30.0)
"""Seconds to import and load the networks, from a warm to a cold disk."""

SMALL = (0.02, 0.2)
"""Seconds an image where the model's weights are below `SMALL_BYTES`, encoding included."""

SMALL_BYTES = 50 * 1024**2
ON_GPU = (0.7, 15.0)
"""Seconds an image of a diffusion model of some billion parameters on a recent GPU."""

ON_CPU = (60.0, 1200.0)
"""The same on a CPU: the number of cores and of denoising steps makes most of the range."""


@dataclass(frozen=True)
class Estimate:
    """A range of seconds, and the sentence that the form shows."""

    seconds_low: float
    seconds_high: float
    sentence: str


def estimate(
    model: str,
    pairs: int,
    bundle: Bundle,
    num_images_per_prompt: int = 1,
    then: Sequence[str] = (),
) -> Estimate:
    """Rough time of `evaluate` with these arguments, without loading or asking anything.

    A guess by the model's size until its first images are drawn; the running page then tells the
    time left from the measured rate. `then` are models that draw the same pairs after it.
    """
    images = pairs * num_images_per_prompt
    rates = [_seconds_an_image(one) for one in (model, *then)]
    low = sum(START[0] + images * rate for rate, _ in rates)
    high = sum(START[1] + images * rate for _, rate in rates)
    shows = _shows(promise(bundle, pairs), pairs)
    each = (
        f"Each caption is drawn {num_images_per_prompt} times: {images:,} images. "
        if num_images_per_prompt > 1
        else ""
    )
    whose = "models’" if then else "model’s"
    guess = f"The time is a guess by the {whose} size until the first images are drawn."
    row = f"{len(rates)} models draw them, one after the other, into one bundle. " if then else ""
    return Estimate(low, high, f"{shows} {each}{row}{guess}")


SPREAD = 1.25
"""How many times longer or shorter than measured before a run may take."""


def stress_estimate(
    model: str,
    against: str | None,
    prompts: int,
    num_images_per_prompt: int,
    measured: Sequence[tuple[float, float] | None] = (),
) -> Estimate:
    """Time of a stress test: every prompt drawn so often, by each of the models.

    `measured` are seconds to load and seconds an image of each model where it was run before with
    such settings; where it was not its size is what they are guessed by.
    """
    images = prompts * num_images_per_prompt
    models = [model, *([against] if against else [])]
    low = high = 0.0
    for place, name in enumerate(models):
        known = measured[place] if place < len(measured) else None
        if known is None:
            rate = _seconds_an_image(name)
            low, high = low + START[0] + images * rate[0], high + START[1] + images * rate[1]
        else:
            seconds = known[0] + images * known[1]
            low, high = low + seconds / SPREAD, high + seconds * SPREAD
    each = "by each of two models" if against else "by the model"
    guessed = sum(one is None for one in measured) if measured else len(models)
    by = "guessed by the models’ size" if guessed else "as measured here before"
    return Estimate(
        low,
        high,
        f"{prompts:,} prompts, {num_images_per_prompt} image{'s' * (num_images_per_prompt != 1)} "
        f"each, are {images:,} images {each}: "
        f"{_duration(low)} to {_duration(high)}, {by}; images that are kept are not drawn again.",
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _shows(found: Promise | None, pairs: int) -> str:
    """What this many pairs can show, as a sentence."""
    if found is None:
        return f"{pairs:,} pairs: nothing measured here tells yet what that many can show."
    judged = f"{pairs:,} pairs can judge about {found.share:.0%} of the concepts that occur"
    if found.gap is None:
        return f"{judged}, and show no change in a middling one for sure: more pairs are needed."
    return (
        f"{judged}, and show for sure relative gaps of about {found.gap:.2g} and more in a "
        "middling one of these; rarer concepts need more pairs."
    )


def _seconds_an_image(model: str) -> tuple[float, float]:
    name = model.strip().removeprefix("planted/")
    folder = planted.MODEL_FOLDER / name if name in planted.TITLES else Path(model)
    try:
        folder = folder.expanduser()
        here = model.strip() and (folder / "model_index.json").is_file()
    except (OSError, RuntimeError, ValueError):  # a name that no folder can have
        here = False
    if here:
        weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
        if weights < SMALL_BYTES:
            return SMALL
    # Asking torch would cost seconds; the device file or the Space's variable tells as much.
    on_gpu = Path("/dev/nvidia0").exists() or on_zerogpu(os.environ)
    return ON_GPU if on_gpu else ON_CPU
