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

_AGAIN = ".again"
"""File in a folder below `ADDING` whose model is in the bundle already, with fewer images."""


def begin(out: Path, request: Request) -> tuple[Bundle | None, Path]:
    """The bundle at `out` if it answers `request` already, and the folder to evaluate in if not.

    Raises `BlindspotsError` where the model cannot be added to the bundle that `out` holds.
    """
    restore_folder(out)
    if not (out / MANIFEST).is_file():
        return None, out
    held = load_bundle(out)
    name = request.name
    place = beside(out, request)
    there = held.models.get(name)
    if request.fingerprint in (held.manifest.request, there and there.request):
        tidy(out, request.fingerprint)  # a kill may have come between the manifest and this
        if not made_anew(place):
            forget(place)
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


def beside(out: Path, request: Request) -> Path:
    """Where a model is evaluated that others wait for in the bundle at `out`."""
    return out / ADDING / request.fingerprint[:16]


def made_anew(place: Path) -> bool:
    """Whether a model that its bundle has already is being evaluated again in `place`."""
    return (place / _AGAIN).is_file()


def make_anew(place: Path) -> Work[None]:
    """Begin that; a run that is stopped then goes on with it."""
    yield from ()
    place.mkdir(parents=True, exist_ok=True)
    (place / _AGAIN).touch()


def settle(place: Path, out: Path, name: str) -> Work[None]:
    """Put the model `name` that was evaluated in `place` into the bundle at `out`.

    Nothing is to be done where that is the bundle itself. A model of this name that the bundle has
    is the same evaluation with fewer images, and gives way.
    """
    if place == out:
        return
    held = load_bundle(out)
    work = out.with_name(f".{out.name}.combining")
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        yield from combining([held, load_bundle(place)], work, False, held.name, name)
        replace_folder(work, out, (LOCK,))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    forget(place)


def forget(place: Path) -> None:
    """Remove what was evaluated in `place`."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):  # others are being added, or nothing was
        place.parent.rmdir()
