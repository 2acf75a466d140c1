"""The generated images that an evaluation is asked for: yet to be made, or those of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.artifacts.layout import IMAGES
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import TextToImage
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.plan import Plan
from blindspots_hub.generation.store import ABOUT, GenerationStore
from blindspots_hub.progress import Work
from blindspots_hub.runs.evaluation import DRAW, Run
from blindspots_hub.runs.generate import generating
from blindspots_hub.runs.generating import Generations, opening_store
from blindspots_hub.runs.request import how_generated
from blindspots_hub.runs.session import Workers
from blindspots_hub.runs.sources import CaptionedImages
from blindspots_hub.utils.distributed import barrier


@dataclass(frozen=True)
class Planned:
    """Images that are yet to be generated."""

    model: KnownModel
    plan: Plan

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    @property
    def pair_ids(self) -> list[str]:
        """Pairs whose captions are drawn."""
        return list(self.plan.captions)

    def opening(
        self, folder: Path, workers: Workers
    ) -> Work[tuple[GenerationStore, TextToImage | None]]:
        """The store in `folder`, and the pipeline that makes what is missing, if anything is."""
        return (yield from opening_store(folder, self.plan, self.model, workers))

    def failed(self, folder: Path) -> int:
        """Images that could not be drawn for a bundle that is finished."""
        return GenerationStore(folder, self.plan).failed if (folder / ABOUT).is_file() else 0

    def trying_again(
        self, folder: Path, before: int, workers: Workers, batch_size: int
    ) -> Work[bool]:
        """Draw those `before` that could not be drawn; whether some now could."""
        store, pipeline = yield from self.opening(folder, workers)
        images = Generations(store, self.pair_ids, pipeline)
        yield from generating(images, workers, batch_size, DRAW)
        barrier(workers.processes)
        if workers.processes.is_first:
            store.finish()
        return store.failed < before

    def finishing(self, store: GenerationStore, run: Run) -> Work[None]:
        """Write the bundle, once all images are there."""
        store.finish()
        yield from run.finish()


@dataclass(frozen=True)
class Kept:
    """Images of a store, of all its pairs or some."""

    store: GenerationStore
    pair_ids: list[str]

    @property
    def name(self) -> str:
        """Of the model."""
        return str(self.store.about["name"])

    @property
    def plan(self) -> Plan:
        """What the images of the store are."""
        return self.store.plan

    def opening(
        self, folder: Path, workers: Workers
    ) -> Work[tuple[GenerationStore, TextToImage | None]]:
        """The store in `folder`, and the pipeline that makes what is missing, if anything is."""
        yield from ()
        return self.store, None

    def failed(self, folder: Path) -> int:
        """Images that could not be drawn for a bundle that is finished: none of these."""
        return 0

    def trying_again(
        self, folder: Path, before: int, workers: Workers, batch_size: int
    ) -> Work[bool]:
        """Nothing of these is drawn."""
        yield from ()
        return False

    def finishing(self, store: GenerationStore, run: Run) -> Work[None]:
        """Write the bundle, once all images are there."""
        yield from run.finish()


def kept(
    folder: Path,
    model: KnownModel | None,
    source: CaptionedImages,
    pairs: int | None,
    seed: int,
    given: list[str],
) -> Kept:
    """The images in `folder`, held against what else was asked for."""
    store = GenerationStore.open(_store_folder(folder.expanduser(), model))
    folder = store.folder
    if given:
        raise BlindspotsError(
            f"The images in {folder} are generated already: leave out {', '.join(given)}."
        )
    if model is not None:
        how = how_generated(model, store.plan.how["seed"])
        encoding = store.plan.encoding.to_json()
        if other := store.plan.differences(how, encoding):
            raise BlindspotsError(
                f"{folder} holds images of {store.about['title']}, generated otherwise than those "
                f"of {model.title} would be ({', '.join(other)}): leave the model out to take them "
                "as they are."
            )
    captions = store.plan.captions
    ids = list(captions) if pairs is None else choose_pairs(captions, pairs, seed)
    if missing := [pair_id for pair_id in ids if pair_id not in source.captions]:
        raise BlindspotsError(
            f"{len(missing):,} of {len(ids):,} pairs whose images are in {folder} are not in the "
            f"source of pairs ({missing[0]} is one): name the source that they were generated from."
        )
    if len(ids) < 2:
        raise BlindspotsError("1 pair is too few to compare anything: ask for at least 2.")
    return Kept(store, ids)


def _store_folder(folder: Path, model: KnownModel | None) -> Path:
    """The store that `folder` is, or that an evaluation left in it, of `model` if one is given."""
    if (folder / ABOUT).is_file():
        return folder
    left = sorted(about.parent for about in (folder / IMAGES).glob(f"*/{ABOUT}"))
    named = [one for one in left if model is not None and one.name == model.name] or left
    if len(named) > 1:
        raise BlindspotsError(
            f"{folder} holds the images of {len(named)} models: name one of "
            f"{', '.join(str(one) for one in named)}."
        )
    return named[0] if named else folder
