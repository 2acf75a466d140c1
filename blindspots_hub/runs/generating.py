"""The generated images of a run: read from their store, generated where they are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.data.identity import generation_id
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, Outcome, TextToImage, load_pipeline
from blindspots_hub.generation.image_files import GeneratedImage
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.plan import Plan
from blindspots_hub.generation.store import GenerationStore
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.first_images import FirstImages
from blindspots_hub.runs.gpu_work import draw
from blindspots_hub.runs.loading import NoImage
from blindspots_hub.runs.session import Workers
from blindspots_hub.serving.zerogpu import GpuRefused, offload_device
from blindspots_hub.utils.distributed import barrier

BLOCK = 256
"""Rows of a table with images that are written at once."""


def opening_store(
    folder: Path, plan: Plan, model: KnownModel, workers: Workers
) -> Work[tuple[GenerationStore, TextToImage | None]]:
    """The store of a plan's images, and the pipeline that makes them: None where all are there.

    Raises `BlindspotsError` where `folder` holds other images, and for what `load_pipeline` does.
    """
    (store,), pipeline = yield from opening_stores([(folder, plan)], model, workers)
    return store, pipeline


def opening_stores(
    asked: Sequence[tuple[Path, Plan]], model: KnownModel, workers: Workers
) -> Work[tuple[list[GenerationStore], TextToImage | None]]:
    """Several stores of one model, which is loaded once, unless all their images are there."""
    stores = [GenerationStore(folder, plan) for folder, plan in asked]
    if workers.processes.is_first:
        for store in stores:
            yield from store.set_aside_damaged()
    barrier(workers.processes)
    if all(store.complete and not store.failed for store in stores):
        return stores, None
    yield Event(f"load {model.title}", 0, 1)
    pipeline = load_pipeline(model, workers.device, offload_device(workers.device))
    if pipeline.note:
        yield Event(f"load {model.title}", 1, 1, {"warning": pipeline.note})
    for store in stores:
        yield from workers.first(store.begin(model.name, model.title, pipeline.describe()))
        store.forget()
    return stores, pipeline


class Generations:
    """Images of these pairs' captions, several a caption perhaps; a store may hold more pairs."""

    def __init__(
        self, store: GenerationStore, pair_ids: Sequence[str], pipeline: TextToImage | None
    ) -> None:
        self.store, self._pipeline = store, pipeline
        self.failures: list[str] = []
        """Why captions could not be drawn by this process, in their order."""
        self._first: FirstImages | None = None
        plan = store.plan
        self._seed = int(plan.how["seed"])
        self.of_pair: dict[str, list[str]] = {
            pair_id: [
                generation_id(pair_id, number) for number in range(plan.num_images_per_prompt)
            ]
            for pair_id in pair_ids
        }
        self.pair_of = {name: i for i, names in self.of_pair.items() for name in names}
        self.captions = {name: plan.captions[i] for name, i in self.pair_of.items()}

    @property
    def names(self) -> list[str]:
        """Names of all images: by pair, then by number."""
        return list(self.captions)

    def generate(self, names: Sequence[str], batch_size: int) -> Iterator[str]:
        """Generate those that are not there yet, `batch_size` at once; yields every name in turn.

        Shards that are whole by then are written. Raises `BlindspotsError` where memory does not
        hold a single image: more memory may, so that this is no fact about the caption.
        """
        waiting: list[str] = []
        for some in portions(names, batch_size):
            self._generate_missing(some, len(names))
            waiting += some
            if self._first is None or not self._first.holds:
                yield from waiting
                waiting = []
        if self._first is not None:
            self._keep(self._first.rest())
        yield from waiting
        self.store.pack(names)

    def _keep(self, outcomes: list[tuple[str, Outcome]]) -> None:
        for name, outcome in outcomes:
            if isinstance(outcome, Failed):
                self.failures.append(outcome.reason)
            self.store.put(name, outcome)

    def _generate_missing(self, names: Sequence[str], of: int) -> None:
        missing = [name for name in names if not self.store.has(name)]
        if not missing:
            return
        if self._pipeline is None:
            raise self._removed(missing[0])
        if self._first is None:
            self._first = FirstImages(self._pipeline, of, self.store.kept > 0)
        asked = [(self.captions[name], name) for name in missing]
        no_room = None
        for name, outcome in zip(missing, draw(self._pipeline, asked, self._seed), strict=True):
            if isinstance(outcome, Failed) and outcome.cause == "out_of_memory":
                no_room = outcome.reason
            else:
                self._keep(self._first.take(name, outcome))
        if no_room is not None:
            raise BlindspotsError(
                f"{no_room} Close what else uses it, or ask for smaller images (--size); what is "
                "drawn is kept."
            )

    def get(self, name: str) -> GeneratedImage:
        """What became of an image that was generated."""
        found = self.store.get(name)
        if found is None:
            raise self._removed(name)
        return found

    def _removed(self, name: str) -> BlindspotsError:
        return BlindspotsError(
            f"The generated image {name} was removed from {self.store.folder} while it was needed: "
            "run the same again."
        )

    def image(self, name: str) -> Image.Image:
        """The image of this name; `NoImage` by its status where there is none."""
        found = self.get(name)
        if found.status != "ok":
            raise NoImage(found.status, f"The image {name} has the status {found.status}.")
        return found.image()

    def tables(self, out: Mapping[str, str], embed: bool) -> Iterator[dict[str, Any]]:
        """The bundle's table GENERATIONS in blocks of rows; `out` is the cause of an image.

        Where `embed` is false the table holds no image, only its sha256.
        """
        plan = self.store.plan
        for names in blocks(self.names):
            kept = [self.get(name) for name in names]
            yield {
                "pair_id": [self.pair_of[name] for name in names],
                "draw": [plan.names[name][1] for name in names],
                "seed": [one.seed for one in kept],
                "image": [
                    image_cell(one.content if embed else None, f"{name}.{plan.encoding.suffix}")
                    for name, one in zip(names, kept, strict=True)
                ],
                "image_sha256": [
                    None if one.content is None else sha256(one.content).hexdigest() for one in kept
                ],
                "flags": [list(one.flags) for one in kept],
                "status": [out.get(name, "ok") for name in names],
            }


def failures_told(failures: Sequence[str]) -> dict[str, Any]:
    """Detail of an event that warns of captions that could not be drawn; {} where all were."""
    if not failures:
        return {}
    return {
        "warning": f"{len(failures):,} captions could not be drawn (the first: {failures[0]}): "
        "they are left out, and tried again when the same command is run again."
    }


def telling_what_is_kept(store: GenerationStore, work: Work[None]) -> Work[None]:
    """`work`, whose refusals of a GPU then say how many images need not be generated again."""
    try:
        yield from work
    except GpuRefused as refused:
        raise GpuRefused(
            f"{refused} {store.kept:,} of {len(store.plan.names):,} images are drawn and kept: run "
            "the same again to go on from there."
        ) from refused


def blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """`names` in portions whose images memory holds at once."""
    return portions(names, BLOCK)


def portions(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """`names` in turn, `size` at a time."""
    return (names[start : start + size] for start in range(0, len(names), size))
