"""`evaluate`: captions in, a valid bundle out. The one call that runs it all.

For every chosen pair the model draws the caption, both images become concept codes, and the tables
follow from the codes. Everything is kept as it is made (images one by one, codes in shards), so
that a run that was stopped goes on where it was and ends with the same tables, bit for bit.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import BACKBONE, MANIFEST, NATURAL, SAE
from blindspots_hub.artifacts.schema import CONCEPTS
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.assemble import ModelSide, Side, assemble
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data.drawings import Drawing, DrawingStore
from blindspots_hub.data.generate import TextToImage, load_pipeline, pick_device
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.data.images import encode_webp, open_image
from blindspots_hub.data.models import KnownModel, resolve
from blindspots_hub.encoding import Load, code_store, coded_side, encode_shard, open_space
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.files import fingerprint, read_json
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.store import CodedImages
from blindspots_hub.measure.table import MeasureSettings, count_states, measure
from blindspots_hub.progress import Event, Work, drive
from blindspots_hub.sources import CaptionedImages, open_pairs

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

    @property
    def fingerprint(self) -> str:
        """Identity of the request: the same request gives the same tables."""
        return fingerprint(
            {
                "how": self.how(),
                "pairs": list(self.pair_ids),
                "space": self.concept_space,
                "settings": self.settings.to_dict(),
            }
        )

    def how(self) -> dict[str, Any]:
        """What an image depends on besides its caption."""
        index = Path(self.model.source).expanduser() / "model_index.json"
        return {
            "source": self.model.source,
            "revision": self.model.revision,
            "unet": self.model.unet,
            "settings": asdict(self.model.settings),
            "seed": self.seed,
            # A local model has no revision: its index tells when another one took its place.
            "index": read_json(index) if index.is_file() else None,
        }


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
    show: Callable[[Event], None] | None = None,
) -> Bundle:
    """Evaluate a text-to-image model and return the bundle written to `out`.

    `model` is a known name (`planted/alder-1`, `sd15`), a diffusers folder, or a Hub id
    `org/name[@revision]`. `pairs` pairs are drawn by `seed` from those of `bundle` (the embedded
    default) or of `pairs_from` (another bundle, a folder of captioned images, a table, a Hub
    dataset). The concepts are those of `bundle`. Run again with the same arguments it goes on where
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
) -> Work[Bundle]:
    """`evaluate` as a generator of events, for whoever wants to watch or to stop."""
    planted.register()
    known = resolve(model)
    base = bundle or load_bundle(planted.BUNDLE)
    settings = settings or MeasureSettings()
    source = yield from open_pairs(pairs_from, base)
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{pairs} pair is too few to compare anything: ask for at least 2.")
    request = Request(known, ids, seed, base.concept_space, settings)
    if (out / MANIFEST).is_file():
        yield Event("open the finished bundle", 0, 1)
        return _finished(out, request)

    chosen = pick_device(device)
    yield Event("load the concept space", 0, 1)
    space = open_space(base, chosen)
    yield Event(f"load {known.title}", 0, 1)
    pipeline = load_pipeline(known, chosen)
    run = _Run(out, request, source, space, pipeline, base)
    yield from run.draw()
    yield from run.finish()
    shutil.rmtree(out / WORK)
    return load_bundle(out)


def _finished(out: Path, request: Request) -> Bundle:
    found = load_bundle(out)
    if found.manifest.get("request") != request.fingerprint:
        raise BlindspotsError(
            f"{out} holds the bundle of another evaluation ({found.name}): choose another folder."
        )
    return found


class _Run:
    """One evaluation under way."""

    def __init__(
        self,
        out: Path,
        request: Request,
        source: CaptionedImages,
        space: ConceptSpace,
        pipeline: TextToImage,
        base: Bundle,
    ) -> None:
        self.out, self.request, self.source = out, request, source
        self.space, self.pipeline, self.base = space, pipeline, base
        self.ids = list(request.pair_ids)
        self.natural_images: dict[str, Load] = {i: partial(self._natural, i) for i in self.ids}
        self.drawn_images: dict[str, Load] = {i: partial(self._drawn, i) for i in self.ids}
        self.natural_store = code_store(out / WORK, self.ids, space)
        self.drawings = DrawingStore(out / WORK, request.how())
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
        if drawing is None:
            outcome = self.pipeline.generate(
                self.source.captions[pair_id], pair_id, self.request.seed
            )
            drawing = self.drawings.put(pair_id, outcome)
        return drawing

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
            for pair_id in ids:
                drawing = self._drawing(pair_id)
                done += 1
                yield Event(DRAW, done, total, self._preview(pair_id, drawing))
            encode_shard(self.drawn_store, shard, self.space, self.drawn_images)
            if (shard + 1) & shard == 0:  # 1, 2, 4, 8, … shards: the counts cost little
                counts = self._interim(shard + 1)
                if counts:
                    yield Event(DRAW, done, total, {"counts": counts})

    def _preview(self, pair_id: str, drawing: Drawing) -> dict[str, Any]:
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
            "delta": count_states(table["state"], table["certain"]),
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
            return _kept_side(self.base, self.ids)
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


def _kept_side(base: Bundle, ids: Sequence[str]) -> Side:
    """The natural side from what a bundle keeps, where it does not redistribute the images."""
    order = {pair_id: row for row, pair_id in enumerate(base.image_ids(NATURAL))}
    grid = base.grid

    def heat(row: int, concept: int) -> tuple[np.ndarray, np.ndarray]:
        kept = base.heatmap(NATURAL, concept, ids[row])
        flat = np.zeros(grid[0] * grid[1], np.float32) if kept is None else kept.ravel()
        patches = np.flatnonzero(flat)
        return patches, flat[patches]

    def thumbnail(row: int) -> bytes | None:
        found = base.thumbnail(NATURAL, ids[row])
        return None if found is None else found.image

    rows = np.array([order[pair_id] for pair_id in ids], np.int64)
    energies = base.energies(NATURAL).take(rows)
    return Side(list(ids), base.captions(list(ids)), energies, heat, thumbnail)


def copy_space(base: Bundle, out: Path) -> None:
    """Copy the concept space of `base` (SAE and its own backbone) into `out`."""
    for name in (SAE, BACKBONE):
        if (base.root / name).is_dir():
            shutil.copytree(base.root / name, out / name, dirs_exist_ok=True)
