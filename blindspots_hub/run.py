"""One evaluation under way: draws, encodes, shows counts, writes the bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL
from blindspots_hub.artifacts.schema import CONCEPTS
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.assemble import ModelSide, Side, assemble
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.drawings import Drawing, DrawingStore
from blindspots_hub.data.generate import TextToImage
from blindspots_hub.data.images import encode_webp, open_image
from blindspots_hub.data.models import KnownModel
from blindspots_hub.data.pipeline_files import revision_of
from blindspots_hub.encoding import (
    Load,
    code_store,
    coded_side,
    copy_space,
    encode_shard,
    kept_side,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.files import fingerprint
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.store import CodedImages
from blindspots_hub.measure.table import MeasureSettings, count_states, measure
from blindspots_hub.progress import Event
from blindspots_hub.sources import CaptionedImages

DRAW = "draw and measure"
"""The long stage: its events carry the images as they come and the counts as they tighten."""

WORK = ".work"
"""Folder of what is in progress below the output folder; removed when the bundle is whole."""

PREVIEW = 160
"""Longer side in pixels of the images that events carry."""


@dataclass(frozen=True)
class Request:
    """What an evaluation's result depends on; recorded in its manifest."""

    model: KnownModel
    pair_ids: Sequence[str]
    seed: int
    concept_space: dict[str, Any]
    settings: MeasureSettings

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the request: the same request gives the same tables."""
        return fingerprint(
            {
                "how": self.how,
                "pairs": list(self.pair_ids),
                "space": self.concept_space,
                "settings": self.settings.to_dict(),
            }
        )

    @cached_property  # hashes every file of a local checkpoint
    def how(self) -> dict[str, Any]:
        """What an image depends on besides its caption."""
        folder = Path(self.model.source).expanduser()
        # A folder has no revision of its own: the hash of its files tells when a newer checkpoint
        # took its place. A Hub id without a revision means what is newest when it is drawn.
        return {
            "source": self.model.title if self.model.is_local else self.model.source,
            "revision": revision_of(folder) if self.model.is_local else self.model.revision,
            "unet": self.model.unet,
            "settings": asdict(self.model.settings),
            "seed": self.seed,
        }


def finished(out: Path, request: str) -> Bundle | None:
    """The whole bundle that `out` holds, None where it holds none yet.

    Raises `BlindspotsError` where it answers another request than `request` (a fingerprint), or is
    damaged.
    """
    if not (out / MANIFEST).is_file():
        return None
    found = load_bundle(out)
    if found.manifest.get("request") != request:
        raise BlindspotsError(
            f"{out} holds the bundle of another evaluation ({found.name}): choose another folder."
        )
    return found


class Run:
    """One evaluation under way."""

    def __init__(
        self,
        out: Path,
        request: Request,
        source: CaptionedImages,
        space: ConceptSpace,
        pipeline: TextToImage,
        base: Bundle,
        batch: int,
    ) -> None:
        self.batch = batch
        self.out, self.request, self.source = out, request, source
        self.space, self.pipeline, self.base = space, pipeline, base
        self.ids = list(request.pair_ids)
        self.natural_images: dict[str, Load] = {i: partial(self._natural, i) for i in self.ids}
        self.drawn_images: dict[str, Load] = {i: partial(self._drawn, i) for i in self.ids}
        self.natural_store = code_store(out / WORK, self.ids, space)
        self.drawings = DrawingStore(out / WORK, request.how)
        # Codes of drawings lie beside the drawings: another way of drawing has other codes.
        self.drawn_store = code_store(self.drawings.folder, self.ids, space)

    def _natural(self, pair_id: str) -> Image.Image:
        content = self.source.image(pair_id)
        if content is None:
            raise BlindspotsError(f"The natural image of pair {pair_id} is not in the bundle.")
        return open_image(content, f"the natural image of pair {pair_id}")

    def _drawn(self, pair_id: str) -> Image.Image:
        drawing = self._drawing(pair_id)
        if drawing.status != "ok":
            raise BlindspotsError(drawing.status)
        return drawing.image()

    def _drawing(self, pair_id: str) -> Drawing:
        drawing = self.drawings.get(pair_id)
        if drawing is None:  # removed by somebody while its shard of codes stayed
            self._draw_missing([pair_id])
            return self._drawing(pair_id)
        return drawing

    def _draw_missing(self, pair_ids: Sequence[str]) -> None:
        missing = [i for i in pair_ids if self.drawings.get(i) is None]
        captions = [(self.source.captions[i], i) for i in missing]
        outcomes = self.pipeline.generate_batch(captions, self.request.seed)
        for pair_id, outcome in zip(missing, outcomes, strict=True):
            self.drawings.put(pair_id, outcome)

    @property
    def has_natural_images(self) -> bool:
        """Whether natural images are at hand, or only the energies that the bundle keeps."""
        return self.source.images_at_hand

    def draw(self) -> Iterator[Event]:
        """Draw and encode shard by shard; an event an image, counts when the sample doubled."""
        total, done = len(self.ids), 0
        for shard, ids in enumerate(self.drawn_store.shards):
            if self.has_natural_images:
                encode_shard(self.natural_store, shard, self.space, self.natural_images)
            if self.drawn_store.has(shard):
                done += len(ids)
                yield Event(DRAW, done, total)
                continue
            for start in range(0, len(ids), self.batch):
                some = ids[start : start + self.batch]
                self._draw_missing(some)
                for pair_id in some:
                    done += 1
                    yield Event(DRAW, done, total, self._preview(pair_id))
            encode_shard(self.drawn_store, shard, self.space, self.drawn_images)
            if (shard + 1) & shard == 0:  # 1, 2, 4, 8, … shards: the counts cost little
                counts = self._interim(shard + 1)
                if counts:
                    yield Event(DRAW, done, total, {"counts": counts})

    def _preview(self, pair_id: str) -> dict[str, Any]:
        drawing = self._drawing(pair_id)
        detail: dict[str, Any] = {
            "pair_id": pair_id,
            "caption": self.source.captions[pair_id],
            "status": drawing.status,
        }
        small = partial(encode_webp, lossless=False, quality=80, size=PREVIEW)
        content = self.source.image(pair_id)
        try:
            if content is not None:
                detail["natural"] = small(open_image(content, pair_id))
            elif kept := self.base.thumbnail(NATURAL, pair_id):
                detail["natural"] = kept.image
        except BlindspotsError:
            detail["status"] = "natural_unreadable"  # counted when its shard is encoded
        if drawing.png is not None:
            detail["generated"] = small(drawing.image())
        return detail

    def _interim(self, shards: int) -> dict[str, Any] | None:
        drawn = self.drawn_store.load(range(shards))
        natural, rows, drawn = self._both(drawn, range(shards))
        if len(rows) < 2:
            return None
        tokens = self.request.settings.tokens
        table = measure(
            natural.energies.take(rows), drawn.energies(tokens), self.request.settings, paired=True
        )
        return {
            "pairs": len(rows),
            "absolute": count_states(table["state"], table["certain"]),
            "relative": count_states(table["relative_state"], table["relative_certain"]),
        }

    def _both(
        self, drawn: CodedImages, shards: Sequence[int] | None
    ) -> tuple[Side, np.ndarray, CodedImages]:
        """The natural side, and the drawings whose natural image could be read, with its rows."""
        natural = self._natural_side(shards)
        row = {pair_id: i for i, pair_id in enumerate(natural.ids)}
        kept = [pair_id for pair_id in drawn.ids if pair_id in row]
        return natural, np.array([row[i] for i in kept], np.int64), drawn.take(kept)

    def _natural_side(self, shards: Sequence[int] | None) -> Side:
        if not self.has_natural_images:
            return kept_side(self.base, self.ids)
        coded = self.natural_store.load(shards)
        return coded_side(
            coded, self.source.captions, self.natural_images, self.request.settings.tokens
        )

    def finish(self) -> Iterator[Event]:
        """Write the bundle from what was drawn and encoded."""
        drawn = self.drawn_store.load()
        natural, rows, kept = self._both(drawn, None)
        dropped = Counter(drawn.failed.values())
        dropped["natural_unreadable"] += len(drawn.ids) - len(kept.ids)
        if len(rows) < 2:
            causes = ", ".join(f"{n} × {cause}" for cause, n in dropped.items() if n)
            raise BlindspotsError(
                f"Only {len(rows)} of {len(self.ids)} pairs can be measured ({causes}): "
                "mend the cause and run again."
            )
        known = self.request.model
        model = ModelSide(
            name=known.name,
            title=known.title,
            side=coded_side(
                kept, self.source.captions, self.drawn_images, self.request.settings.tokens
            ),
            natural_rows=rows,
            generations=self._generations(),
            run={**self.pipeline.describe(), "seed": self.request.seed},
            dropped={cause: n for cause, n in sorted(dropped.items()) if n},
        )
        copy_space(self.base, self.out)
        identity = {
            "name": f"{known.name}-{len(self.ids)}-pairs",
            "version": "1.0.0",
            "concept_space": self.request.concept_space,
            "request": self.request.fingerprint,
            "skipped": dict(self.source.skipped),
        }
        yield from assemble(
            self.out,
            identity,
            self.source.columns(natural.ids),
            {name: self.base.concepts[name] for name in CONCEPTS.names},
            natural,
            [model],
            self.request.settings,
            null_from=self._null_from(natural),
        )

    def _null_from(self, natural: Side) -> ImageEnergies:
        """Natural energies for the null: all of the base's where they are of this measurement."""
        same = all(
            model["settings"]["tokens"] == self.request.settings.tokens
            for model in self.base.models.values()
        )
        kept = self.base.energies(NATURAL)
        return kept if same and kept.n_images > natural.energies.n_images else natural.energies

    def _generations(self) -> dict[str, Any]:
        drawings = {pair_id: self._drawing(pair_id) for pair_id in self.ids}
        kept = drawings.values()
        return {
            "pair_id": self.ids,
            "seed": [d.seed for d in kept],
            "image": [image_cell(d.png, f"{i}.png") for i, d in drawings.items()],
            "image_sha256": [sha256(d.png).hexdigest() if d.png else None for d in kept],
            "flags": [list(d.flags) for d in kept],
            "status": [d.status for d in kept],
        }
