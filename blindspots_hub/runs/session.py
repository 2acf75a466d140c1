"""One encoding session: device, processes and concept space of a run, for every flow alike.

A run's processes (`accelerate launch` starts several) share the images, each encodes its own shards
and has the codes of all; the first alone writes what follows from them, while the others wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.inventory import files_to_copy
from blindspots_hub.artifacts.layout import BACKBONE, SAE
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.encoding import code_store, encode_all
from blindspots_hub.runs.loading import ImageLoader
from blindspots_hub.runs.request import tidy
from blindspots_hub.serving.zerogpu import offload_device
from blindspots_hub.utils.distributed import ALONE, Processes, barrier
from blindspots_hub.utils.files import copy_files
from blindspots_hub.utils.folder_lock import only_one_run

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """The device that this process works on, and the processes that it shares the work with."""

    device: str = "cpu"
    processes: Processes = ALONE

    @classmethod
    def join(cls, device: str | None) -> Workers:
        """Those of this run; of several processes each has a device of its own.

        Raises `BlindspotsError` where `device` is not on this machine.
        """
        chosen = pick_device(device)
        processes = Processes.launched(chosen)
        return cls(processes.device if processes.count > 1 else chosen, processes)

    def alone(self, folder: Path, what: str, work: Work[T]) -> Work[T]:
        """`work`, while no other run may write to `folder`: the first process sees to that.

        Raises `FolderInUse` where another run, which does `what` it says, has it.
        """
        with only_one_run(folder, what) if self.processes.is_first else nullcontext():
            return (yield from work)

    def first(self, work: Work[None]) -> Work[None]:
        """`work` done by the first process alone; when this ends, all know that it is done."""
        barrier(self.processes)
        if self.processes.is_first:
            yield from work
        else:
            work.close()
        barrier(self.processes)

    def bundle(self, out: Path, work: Work[None], request: str) -> Work[Bundle]:
        """The bundle that `work`, of the first process alone, writes to `out` for `request`."""

        def whole() -> Work[None]:
            yield from work
            tidy(out, request)

        yield from self.first(whole())
        return load_bundle(out)


@dataclass(frozen=True)
class Session:
    """A concept space ready to encode, and the workers that share it."""

    workers: Workers
    space: ConceptSpace

    @classmethod
    def opening(cls, bundle: Bundle, workers: Workers) -> Work[Session]:
        """The session with the concept space of a bundle."""
        yield Event("load the concept space", 0, 1)
        return cls(workers, open_space(bundle, offload_device(workers.device)))

    def encode(
        self,
        folder: Path,
        images: Mapping[str, ImageLoader],
        stage: str,
        side: str | None = None,
        tokens: str | None = None,
    ) -> Work[CodedImages]:
        """Codes of all `images`, by id, kept below `folder`: those that are there stay.

        Events of the `stage` warn where the images of that `side` are none that the concept space
        was trained for. Where `tokens` are named, codes are summed over them meanwhile.
        """
        store = code_store(folder, list(images), self.space)
        processes = self.workers.processes
        return (yield from encode_all(store, self.space, images, stage, processes, side, tokens))


def open_space(bundle: Bundle, device: str = "cpu") -> ConceptSpace:
    """The concept space of a bundle: its SAE, and its own backbone or the one of the Hub.

    Raises `BlindspotsError` where they are not those that the bundle was measured with.
    """
    bundle.require(*(part for part in (SAE, BACKBONE) if part == SAE or part in bundle.parts))
    bundle.check_parts(SAE, BACKBONE)
    sae = RASAE.from_pretrained(bundle.root / SAE).to(device)
    if BACKBONE in bundle.parts:
        backbone = Backbone.load(bundle.root / BACKBONE, device=device)
    else:
        config = sae.config
        backbone = Backbone.load(config.backbone, config.backbone_revision, device)
    space = ConceptSpace(backbone, sae, Domain.load(bundle.root / SAE))
    if space.description != bundle.concept_space:
        raise BlindspotsError(
            f"The bundle {bundle.name} was measured with another backbone or RA-SAE than the one "
            f"in {bundle.root}: fetch the bundle again."
        )
    return space


def copy_space(base: Bundle, out: Path) -> None:
    """Copy the concept space of `base` (SAE and its own backbone) into `out`."""
    copy_files(base.root, out, files_to_copy(base.root, base.manifest.files, (SAE, BACKBONE)))
