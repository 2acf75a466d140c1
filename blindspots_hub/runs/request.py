"""What an evaluation is asked for, and whether a folder holds its result already."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.pipeline_files import revision_of
from blindspots_hub.generation.plan import Encoding, Plan
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.utils.files import fingerprint, sha256_file, sweep

WORK = ".work"
"""Folder below the output folder of what is in progress, a folder a request."""


def work_folder(out: Path, request: str) -> Path:
    """Where the work on `request` (a fingerprint) is kept; removed when its bundle is whole."""
    return out / WORK / request[:16]


@dataclass(frozen=True)
class Request:
    """What an evaluation's result depends on; recorded in its manifest."""

    name: str
    """Name of the model in the bundle."""
    plan: Plan
    """The generated images; those of `pair_ids` are evaluated."""
    pair_ids: Sequence[str]
    concept_space: dict[str, Any]
    settings: MeasureSettings
    embed_images: bool = True
    """Whether the bundle's own table holds the generated images."""

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the request: the same request gives the same tables."""
        asked = {
            "how": dict(self.plan.how),
            "pairs": list(self.pair_ids),
            "space": self.concept_space,
            "settings": self.settings.to_dict(),
            "num_images_per_prompt": self.plan.num_images_per_prompt,
        }
        if self.plan.encoding != Encoding():
            asked["encoding"] = self.plan.encoding.to_json()
        if not self.embed_images:
            asked["embed_images"] = False
        return fingerprint(asked)


def how_generated(model: KnownModel, seed: int) -> dict[str, Any]:
    """What an image depends on besides its caption, JSON-able; hashes a local checkpoint."""
    folder = Path(model.source).expanduser()
    # A folder has no revision of its own: the hash of its files tells when a newer checkpoint
    # took its place. A Hub id without a revision means what is newest when it is drawn.
    revision = revision_of(folder) if model.is_local else model.revision
    if model.is_file:
        revision = f"sha256:{sha256_file(folder)}"
    added = model.additions.to_json()
    return {
        "source": model.title if model.is_local or model.is_file else model.source,
        "revision": revision,
        "unet": model.unet,
        "settings": asdict(model.settings),
        "seed": seed,
        # Named only where there are any, so that stores of before still are what they were.
        **({"additions": added} if added else {}),
    }


def finished(out: Path, request: str) -> Bundle | None:
    """The whole bundle that `out` holds, None where it holds none yet.

    Raises `BlindspotsError` where it answers another request than `request` (a fingerprint), or is
    damaged.
    """
    if not (out / MANIFEST).is_file():
        return None
    found = load_bundle(out)
    if found.manifest.request != request:
        raise BlindspotsError(
            f"{out} holds the bundle of another evaluation ({found.name}): choose another folder."
        )
    tidy(out, request)  # a kill may have come between the manifest and this
    return found


def tidy(out: Path, request: str) -> None:
    """Remove what was in progress for `request` alone, now that its bundle is whole."""
    shutil.rmtree(work_folder(out, request), ignore_errors=True)
    with suppress(OSError):  # other runs were stopped in this folder, or there was none
        (out / WORK).rmdir()
    sweep(out)
