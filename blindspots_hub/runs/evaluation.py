"""One evaluation under way: draws, encodes, shows counts, writes the bundle."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.data.images import encode_webp, open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.table import count_states, measure
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.assemble import EncodedImages, ModelImages, assemble
from blindspots_hub.runs.domain_check import domain_entry, warned
from blindspots_hub.runs.encoding import (
    code_store,
    coded_side,
    encode_shards,
    generated_side,
    kept_side,
    load_shared,
)
from blindspots_hub.runs.generating import Generations, blocks, failures_told
from blindspots_hub.runs.loading import ImageLoader, NoImage
from blindspots_hub.runs.pairing import Paired, pair_up
from blindspots_hub.runs.request import Request, work_folder
from blindspots_hub.runs.session import Session, copy_space
from blindspots_hub.runs.sources import CaptionedImages
from blindspots_hub.utils.passing import PassingFault

DRAW = "draw and measure"
"""The long stage: its events carry the images as they come and the counts as they tighten."""

PREVIEW = 160
"""Longer side in pixels of the images that events carry."""


@dataclass(frozen=True)
class RunOptions:
    """How an evaluation goes about its work; nothing in its result depends on it.

    `batch_size` captions are drawn at once, and where `previews` is false no event carries an
    image. `natural_codes` is a folder that keeps codes of natural images for any evaluation.
    """

    batch_size: int = 1
    previews: bool = True
    natural_codes: Path | None = None


@dataclass(frozen=True)
class _Sides:
    """Both sides of the pairs that can be measured, and what became of the others."""

    natural: EncodedImages
    generated: EncodedImages
    coded: CodedImages
    paired: Paired

    @cached_property
    def rows(self) -> np.ndarray:
        """Row of each pair's natural image."""
        row = {pair_id: i for i, pair_id in enumerate(self.natural.ids)}
        return np.array([row[pair_id] for pair_id in self.generated.ids], np.int64)


class Run:
    """One evaluation under way."""

    def __init__(
        self,
        out: Path,
        request: Request,
        source: CaptionedImages,
        session: Session,
        generations: Generations,
        base: Bundle,
        options: RunOptions,
        natural_at: Path | None = None,
    ) -> None:
        """`natural_at` keeps codes of natural images beyond this run, for models that follow.

        Where that is a folder for any evaluation, what the images are counts, too.
        """
        self.out, self.request, self.source, self.options = out, request, source, options
        self.session, self.base = session, base
        self.space = space = session.space
        self.ids = list(request.pair_ids)
        self.generations = generations
        self.natural_images: dict[str, ImageLoader] = {
            i: partial(self._natural, i) for i in self.ids
        }
        self.generated_images: dict[str, ImageLoader] = {
            name: partial(generations.image, name) for name in generations.names
        }
        self._generated: CodedImages
        self._natural_coded: CodedImages | None = None
        work = work_folder(out, request.fingerprint)
        shared = options.natural_codes is not None and self.has_natural_images
        contents = self._contents() if shared else None
        self.natural_store = code_store(natural_at or work, self.ids, space, contents=contents)
        plan = request.plan  # images that are made in another way have other codes
        folder = work / f"generated-{plan.identity[:16]}"
        self.generated_store = code_store(
            folder, generations.names, space, plan.num_images_per_prompt
        )

    def _natural(self, pair_id: str) -> Image.Image:
        try:
            content = self.source.image(pair_id)
        except PassingFault:
            raise
        except BlindspotsError as error:  # its file has gone since the captions were read
            raise NoImage("missing", str(error)) from error
        if content is None:
            raise NoImage("missing", f"The natural image of pair {pair_id} is not there.")
        return open_image(content, f"the natural image of pair {pair_id}")

    def _contents(self) -> str:
        """A hash of the files of all natural images, in their order."""
        digest = hashlib.sha256()
        for pair_id in self.ids:
            try:
                content = self.source.image(pair_id)
            except PassingFault:
                raise
            except BlindspotsError:  # counted when it is to be encoded
                content = None
            digest.update(hashlib.sha256(content or b"").digest())
        return digest.hexdigest()

    @property
    def has_natural_images(self) -> bool:
        """Whether natural images are at hand, or only the energies that the bundle keeps."""
        return self.source.images_at_hand

    def draw(self) -> Work[None]:
        """Draw and encode shard by shard; an event an image, counts when the sample doubled.

        Of several processes each does its own shards, and tells of them alone.
        """
        processes = self.session.workers.processes
        mine = range(processes.rank, len(self.generated_store.shards), processes.count)
        total, done = sum(len(self.generated_store.shards[shard]) for shard in mine), 0
        natural = encode_shards(
            self.natural_store,
            mine if self.has_natural_images else [],
            self.space,
            self.natural_images,
        )
        try:
            for turn, shard in enumerate(mine, start=1):
                next(natural, None)
                if turn == 1 and self.has_natural_images:
                    natural_images = self.natural_store.load([shard])
                    told = warned(self.space.domain, "natural", natural_images)
                    if told:
                        yield Event(DRAW, done, total, told)
                names = self.generated_store.shards[shard]
                encoded = self.generated_store.has(shard)
                for name in self.generations.generate(names, self.options.batch_size):
                    done += 1
                    if not encoded:
                        yield Event(DRAW, done, total, self._preview(name))
                if encoded:
                    yield Event(DRAW, done, total)
                    continue
                for _ in encode_shards(
                    self.generated_store, [shard], self.space, self.generated_images
                ):
                    pass
                if turn == 1:
                    told = warned(
                        self.space.domain, "generated", self.generated_store.load([shard])
                    )
                    if told:
                        yield Event(DRAW, done, total, told)
                if turn & (turn - 1) == 0:  # 1, 2, 4, 8, … shards: the counts cost little
                    counts = self._interim(mine[:turn])
                    if counts:
                        yield Event(DRAW, done, total, {"counts": counts})
            if told := failures_told(self.generations.failures):
                yield Event(DRAW, done, total, told)
        finally:
            natural.close()

    def gather(self) -> None:
        """Sum what was encoded, each process its own shards; `finish` needs that of all."""
        processes, tokens = self.session.workers.processes, self.request.settings.tokens
        self._generated = load_shared(self.generated_store, processes, tokens)
        if self.has_natural_images:
            self._natural_coded = load_shared(self.natural_store, processes, tokens)

    def _preview(self, name: str) -> dict[str, Any]:
        if not self.options.previews:
            return {}
        generation = self.generations.get(name)
        pair_id = self.generations.pair_of[name]
        detail: dict[str, Any] = {
            "pair_id": pair_id,
            "caption": self.source.captions[pair_id],
            "status": generation.status,
        }
        small = partial(encode_webp, lossless=False, quality=80, size=PREVIEW)
        try:
            if self.has_natural_images:
                detail["natural"] = small(self._natural(pair_id))
            elif kept := self.base.thumbnail(NATURAL, pair_id):
                detail["natural"] = kept.image
        except BlindspotsError:
            detail["status"] = "natural_unreadable"  # counted when its shard is encoded
        if generation.content is not None:
            detail["generated"] = small(generation.image())
        return detail

    def _interim(self, shards: Sequence[int]) -> dict[str, Any] | None:
        sides = self._sides(shards)
        if len(sides.rows) < 2:
            return None
        natural = sides.natural.energies.take(sides.rows)
        generated = sides.generated
        table = measure(
            natural,
            generated.energies,
            self.request.settings,
            paired=True,
            generation_energies=generated.generation_energies,
        )
        return {
            "pairs": len(sides.rows),
            "absolute": count_states(table["state"], table["certain"]),
            "relative": count_states(table["relative_state"], table["relative_certain"]),
        }

    def _sides(self, shards: Sequence[int] | None = None) -> _Sides:
        """Both sides as far as `shards` are encoded; unless said otherwise, what was gathered."""
        tokens = self.request.settings.tokens
        if shards is None:
            coded, images = self._generated, self._natural_coded
        else:
            coded = self.generated_store.load(shards, tokens)
            images = self.natural_store.load(shards, tokens) if self.has_natural_images else None
        without: dict[str, str] = {}
        if images is not None:
            natural = coded_side(images, self.source.captions, self.natural_images, tokens)
            without = {pair_id: one.cause for pair_id, one in images.failed.items()}
        else:
            natural = kept_side(self.base, self.ids)
        seen = {*coded.ids, *coded.failed}
        of_pair = {i: names for i, names in self.generations.of_pair.items() if names[0] in seen}
        paired = pair_up(of_pair, without, {name: one.cause for name, one in coded.failed.items()})
        generated = generated_side(
            coded, paired, self.generations.captions, self.generated_images, tokens
        )
        return _Sides(natural, generated, coded, paired)

    def finish(self) -> Work[None]:
        """Write the bundle from what was drawn, encoded and gathered."""
        sides = self._sides()
        dropped = Counter(sides.paired.dropped.values())
        if len(sides.rows) < 2:
            causes = ", ".join(f"{n} × {cause}" for cause, n in sorted(dropped.items()))
            if self.generations.failures:
                causes += f"; the first failed because of {self.generations.failures[0]}"
            raise BlindspotsError(
                f"Only {len(sides.rows)} of {len(self.ids)} pairs can be measured ({causes}): "
                "mend the cause and run again."
            )
        plan, about = self.request.plan, self.generations.store.about
        skipped = dict(self.source.skipped)
        model = ModelImages(
            name=about["name"],
            title=about["title"],
            side=sides.generated,
            natural_rows=sides.rows,
            generations=self.generations.tables(sides.paired.out, self.request.embed_images),
            run={
                **about["run"],
                "seed": plan.how["seed"],
                "num_images_per_prompt": plan.num_images_per_prompt,
                "images": plan.encoding.to_json(),
                **({"skipped": skipped} if skipped else {}),
            },
            dropped=dict(sorted(dropped.items())),
            domain=self._domain(sides),
        )
        copy_space(self.base, self.out)
        identity = {
            "name": f"{about['name']}-{len(self.ids)}-pairs",
            "version": "1.0.0",
            "concept_space": self.request.concept_space,
            "request": self.request.fingerprint,
            "skipped": skipped,
        }
        yield from assemble(
            self.out,
            identity,
            (self.source.columns(ids) for ids in blocks(sides.natural.ids)),
            self.base.concept_columns,
            sides.natural,
            [model],
            self.request.settings,
            self.base.label_table,
        )

    def _domain(self, sides: _Sides) -> dict[str, Any] | None:
        coded = {"generated": sides.coded}
        if self._natural_coded is not None:
            coded = {"natural": self._natural_coded, **coded}
        return domain_entry(self.space.domain, coded)
