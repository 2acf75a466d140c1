"""How long a run's images take: measured as they are drawn, told before most are, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from blindspots_hub.utils.files import fingerprint, write_json

WORK = ".stress"
"""Hidden folder of a bundle, or of what was given for one: images and codes of stress tests."""

FILE = "pace.json"
"""What was measured in a folder of stress tests, by `pace_keys`."""

FILE_BYTES = 1024**2

TRIED = 3
"""Images after which a run's time is told by theirs."""

SLOW = 1.0
"""Seconds an image from which on encoding does not count; else the first shard is waited for."""


@dataclass(frozen=True)
class Pace:
    """Seconds that a model takes to load and to draw its first image's likes, encoding included."""

    loading: float
    seconds: float


def pace_keys(model: str, against: str | None, settings: Sequence[object]) -> list[str]:
    """What names each model as it is run: as the user named it, with what was set for it.

    `settings` are steps, guidance, height, width and dtype, of which the second model has the last.
    """
    asked = [[model, *settings]]
    if against is not None:
        asked.append([against, settings[-1]])
    return [fingerprint(one)[:16] for one in asked]


def measured_before(
    root: Path,
    model: str,
    against: str | None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    height: int | None = None,
    width: int | None = None,
    dtype: str | None = None,
    **_: object,
) -> list[tuple[float, float] | None]:
    """Seconds to load and seconds an image of both models, where earlier runs have measured them.

    `root` is the folder that keeps the tests' images; what does not change an image's time is taken
    and passed over.
    """
    known = kept_paces(root / WORK)
    settings = (num_inference_steps, guidance_scale, height, width, dtype)
    found = (known.get(key) for key in pace_keys(model, against, settings))
    return [None if one is None else (one.loading, one.seconds) for one in found]


def kept_paces(folder: Path) -> dict[str, Pace]:
    """What earlier runs in `folder` have measured; what cannot be read is left out."""
    try:
        with open(folder / FILE, "rb") as handle:
            told = json.loads(handle.read(FILE_BYTES))
        return {
            str(key): Pace(float(one["loading"]), float(one["seconds"]))
            for key, one in told.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


class Meter:
    """Times the models of a run, one after the other, by a `clock` that tells seconds.

    `left` are the images that each one has to draw, by its key of `pace_keys`.
    """

    def __init__(self, folder: Path, left: Mapping[str, int], clock: Callable[[], float]) -> None:
        self._folder, self._left, self._clock = folder, dict(left), clock
        self._known = kept_paces(folder)
        self._began = self._opened = self._ready = clock()
        self._key, self._made, self._told = "", 0, 0

    def opens(self, key: str) -> None:
        """A model is about to be loaded."""
        self._key, self._made, self._told = key, 0, 0
        self._opened = self._ready = self._clock()

    def loaded(self) -> None:
        """It was loaded."""
        self._ready = self._clock()

    def drew(self) -> float | None:
        """One more image of it is there; seconds that the run takes in all where these are news."""
        self._made += 1
        self._left[self._key] -= 1
        if self._told or self._made < TRIED:
            return None
        self._measure()
        return self._expected(1) if self._known[self._key].seconds >= SLOW else None

    def encoded(self) -> float | None:
        """One more shard is encoded; as `drew`."""
        if self._made < TRIED:
            return None
        self._measure()
        return self._expected(2) if self._told < 2 else None

    def ends(self) -> None:
        """All its images are there: what was measured is kept for the next run."""
        if self._made >= TRIED:
            self._measure()
            known = {**kept_paces(self._folder), self._key: self._known[self._key]}
            write_json(self._folder / FILE, {key: asdict(one) for key, one in known.items()})

    def _measure(self) -> None:
        seconds = (self._clock() - self._ready) / self._made
        self._known[self._key] = Pace(self._ready - self._opened, seconds)

    def _expected(self, told: int) -> float | None:
        """Of models that were never timed it is taken that they are like this one."""
        self._told = told
        like = self._known[self._key]
        before = self._clock() - self._began
        own = self._left[self._key] * like.seconds
        keys = list(self._left)
        coming = [self._known.get(key, like) for key in keys[keys.index(self._key) + 1 :]]
        images = [self._left[key] for key in keys[keys.index(self._key) + 1 :]]
        return (
            before
            + own
            + sum(
                one.loading + count * one.seconds
                for one, count in zip(coming, images, strict=True)
                if count
            )
        )
