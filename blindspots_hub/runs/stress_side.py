"""One model's images of prompts, drawn and encoded: what a stress test measures of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.data.images import encode_webp
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.plan import Plan
from blindspots_hub.generation.store import GenerationStore
from blindspots_hub.measure.store import CodedImages, CodeStore
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs import encoding
from blindspots_hub.runs.domain_check import warned
from blindspots_hub.runs.encoding import (
    THUMBNAIL,
    THUMBNAIL_QUALITY,
    code_store,
    encode_shards,
)
from blindspots_hub.runs.evaluation import PREVIEW, RunOptions
from blindspots_hub.runs.generating import (
    Generations,
    failures_told,
    opening_stores,
    telling_what_is_kept,
)
from blindspots_hub.runs.pace import Meter
from blindspots_hub.runs.request import how_generated
from blindspots_hub.runs.session import Session
from blindspots_hub.stress.result import DrawnImages
from blindspots_hub.utils.durations import duration

TRUNCATED = "caption_truncated"
"""Flag of an image whose prompt the model did not read to its end."""


@dataclass(frozen=True)
class Side:
    """A model's images of one set of prompts, by id, with their codes."""

    model: KnownModel
    images: Generations
    coded: CodedImages
    texts: Mapping[str, str]

    def drawn(self, concept: int, tokens: str) -> DrawnImages:
        """What it shows of a concept; images of prompts that were cut are left out.

        Raises `BlindspotsError` where no image is left.
        """
        coded, names = self.coded, self.images.store.plan.names
        kept = {name: self.images.get(name) for name in coded.ids}
        rows = [
            row for row, name in enumerate(coded.ids) if TRUNCATED not in kept[name].flags
        ]  # fmt: skip
        if not rows:
            cut = sum(TRUNCATED in one.flags for one in kept.values())
            why = (
                "its text encoder does not read them to their end: shorten them"
                if cut
                else f"the first because of {next(iter(coded.failed.values())).reason}"
            )
            raise BlindspotsError(
                f"None of the images of {self.model.title} for concept {concept}'s prompts can be "
                f"measured, {why}."
            )
        energies = coded.energies(tokens).matrix[:, [concept]].toarray().ravel()
        of_prompt = {prompt: number for number, prompt in enumerate(self.texts)}
        own = [coded.ids[row] for row in rows]

        def picture(i: int) -> bytes:
            image = self.images.image(own[i])
            return encode_webp(image, lossless=False, quality=THUMBNAIL_QUALITY, size=THUMBNAIL)

        return DrawnImages(
            self.model.name,
            self.model.title,
            np.array([of_prompt[names[name][0]] for name in own], np.int64),
            np.array([names[name][1] for name in own], np.int64),
            [kept[name].seed for name in own],
            energies[rows],
            lambda i: coded.heat(rows[i], concept),
            picture,
            [_hash(kept[name].content) for name in own],
            lost=len(names) - len(rows),
        )


def _hash(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


@dataclass(frozen=True)
class SidePlan:
    """What one model draws: a plan a set of prompts, each in its place below the work's folder.

    `key` is the model's of `pace_keys`.
    """

    model: KnownModel
    key: str
    places: Sequence[tuple[Path, Plan]]

    @classmethod
    def of(
        cls,
        model: KnownModel,
        key: str,
        prompt_sets: Sequence[Mapping[str, str]],
        num_images_per_prompt: int,
        seed: int,
        work: Path,
    ) -> SidePlan:
        """The plan for sets of prompts, text by id."""
        how = how_generated(model, seed)
        plans = [
            Plan(how, dict(texts), num_images_per_prompt, pairs_a_shard=encoding.SHARD)
            for texts in prompt_sets
        ]
        places = [work / f"{model.name}-{plan.fingerprint[:16]}" for plan in plans]
        return cls(model, key, list(zip(places, plans, strict=True)))

    @property
    def left(self) -> int:
        """Images that are not there yet."""
        return sum(
            len(plan.names) - GenerationStore(place, plan).kept for place, plan in self.places
        )

    @property
    def folders(self) -> list[Path]:
        """Where its images and their codes lie."""
        return [one for place, _ in self.places for one in (place, _codes_of(place))]


def _codes_of(place: Path) -> Path:
    return place.with_name(f"{place.name}-codes")


def draw_side(
    side: SidePlan, session: Session, options: RunOptions, meter: Meter
) -> Work[list[Side]]:
    """Draw and encode every set of prompts of a side, its model loaded once for all.

    What is there is not made again. Several processes share the shards.
    """
    model, workers = side.model, session.workers
    meter.opens(side.key)
    stores, pipeline = yield from opening_stores(side.places, model, workers)
    meter.loaded()
    stage = f"draw with {model.title}"
    total, done = sum(len(plan.names) for _, plan in side.places), 0
    sides = []
    for (place, plan), store in zip(side.places, stores, strict=True):
        images = Generations(store, list(plan.captions), pipeline)
        codes = code_store(
            _codes_of(place), images.names, session.space, plan.num_images_per_prompt
        )
        work = _drawing(images, codes, session, options, meter)
        for event in telling_what_is_kept(store, work):
            yield Event(stage, done + event.done, total, event.detail)
        yield from workers.first(_finish(store.finish))
        done += len(plan.names)
        drawn = Side(model, images, codes.load(), plan.captions)
        if told := _cut(drawn):
            yield Event(stage, done, total, {"warning": told})
        sides.append(drawn)
    meter.ends()
    return sides


def _drawing(
    images: Generations,
    codes: CodeStore,
    session: Session,
    options: RunOptions,
    meter: Meter,
) -> Work[None]:
    """Draw and encode what is missing of one set, shard by shard; an event an image."""
    processes = session.workers.processes
    missing = {name for name in images.names if not images.store.has(name)}
    loaders = {name: partial(images.image, name) for name in images.names}
    mine = range(processes.rank, len(codes.shards), processes.count)
    done = 0
    for shard in mine:
        for name in images.generate(codes.shards[shard], options.batch_size):
            done += 1
            detail = _preview(images, name, options.previews)
            if name in missing and (seconds := meter.drew()) is not None:
                detail |= _expected(seconds)
            yield Event("draw", done, len(images.names), detail)
        for _ in encode_shards(codes, [shard], session.space, loaders):
            pass
        if (seconds := meter.encoded()) is not None:
            yield Event("draw", done, len(images.names), _expected(seconds))
        if shard == mine[0]:
            told = warned(session.space.domain, "generated", codes.load([shard]))
            if told:
                yield Event("draw", done, len(images.names), told)
    if told := failures_told(images.failures):
        yield Event("draw", done, len(images.names), told)


def _expected(seconds: float) -> dict[str, Any]:
    """Detail of an event: how long the run takes in all, in words and as a number."""
    return {
        "estimate": f"about {duration(seconds)} in all, by the images so far.",
        "seconds": seconds,
    }


def _finish(finish: Callable[[], None]) -> Work[None]:
    yield from ()
    finish()


def _cut(side: Side) -> str:
    """That prompts are longer than what the model reads; "" where none is."""
    cut = {
        side.images.pair_of[name]
        for name in side.coded.ids
        if TRUNCATED in side.images.get(name).flags
    }
    return (
        f"{len(cut):,} of {len(side.texts):,} prompts are longer than what {side.model.title} "
        "reads: their images are left out."
        if cut
        else ""
    )


def _preview(images: Generations, name: str, wanted: bool) -> dict[str, Any]:
    if not wanted:
        return {}
    found = images.get(name)
    detail: dict[str, Any] = {
        "pair_id": name,
        "caption": images.captions[name],
        "status": found.status,
        "sides": ("generated",),
    }
    if found.content is not None:
        small = encode_webp(found.image(), lossless=False, quality=80, size=PREVIEW)
        detail["generated"] = small
    return detail
