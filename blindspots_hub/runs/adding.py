"""Evaluating into a folder that holds a bundle of the same concepts: the model is added to it.

The evaluation runs in a hidden folder below; what it finds and the bundle that is there become one
beside that, which then takes its place: the old bundle is whole until the new one is.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import LOCK, MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Work
from blindspots_hub.runs.combine import combining
from blindspots_hub.runs.request import WORK, Request, tidy, work_folder
from blindspots_hub.utils.files import replace_folder, restore_folder

ADDING = ".adding"
"""Folder below a bundle in which models are evaluated that will be added to it."""

NATURAL_CODES = ".natural"
"""Folder below a bundle of several models with the codes of natural images that a model which was
added was measured on: the next one on the same pairs finds them. It may be deleted."""


def begin(out: Path, request: Request) -> tuple[Bundle | None, Path]:
    """The bundle at `out` if it answers `request` already, and the folder to evaluate in if not.

    Raises `BlindspotsError` where the model cannot be added to the bundle that `out` holds.
    """
    restore_folder(out)
    if not (out / MANIFEST).is_file():
        return None, out
    held = load_bundle(out)
    name = request.name
    place = out / ADDING / request.fingerprint[:16]
    there = held.models.get(name)
    if request.fingerprint in (held.manifest.request, there and there.request):
        tidy(out, request.fingerprint)  # a kill may have come between the manifest and this
        _forget(place)
        return held, out
    if held.concept_space != request.concept_space:
        raise BlindspotsError(
            f"{out} holds a bundle of another concept space ({held.name}), to which {name} cannot "
            "be added: choose another folder."
        )
    if there is not None:
        raise BlindspotsError(
            f"{out} holds another evaluation of {name}: choose another folder, and `combine "
            "--rename` the two if you want both."
        )
    left = work_folder(out, request.fingerprint)
    if left.is_dir() and not place.exists():  # it was stopped before another model's bundle came
        (place / WORK).mkdir(parents=True)
        left.rename(work_folder(place, request.fingerprint))
        with suppress(OSError):
            left.parent.rmdir()
    return None, place


def settle(place: Path, out: Path) -> Work[None]:
    """Add what was evaluated in `place` to the bundle at `out`, unless it is that itself."""
    if place == out:
        return
    held = load_bundle(out)
    work = out.with_name(f".{out.name}.combining")
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        yield from combining([held, load_bundle(place)], work, False, held.name)
        replace_folder(work, out, (LOCK,))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget(place)


def _forget(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):  # others are being added, or nothing was
        place.parent.rmdir()
