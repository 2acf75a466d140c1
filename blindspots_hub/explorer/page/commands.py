"""Commands as a visitor would type them: with the bundle at hand and models that fit it.

They run as they are copied, on the machine of whoever reads them; a stranger to the server (see
`Bundle.hosted`) is told no path of it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import blindspots_hub
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.example import EXAMPLE, is_example

PROGRAM = "python -m blindspots_hub"

MODEL = "MODEL"
"""What stands for a model of which only the visitor knows where it is."""

BUNDLE = object()
"""What stands for the bundle among the words of a command."""

OWN_COPY = "example"
"""Folder that the embedded bundle is copied to."""

COPYING = (
    'python -c "import shutil; from blindspots_hub import planted; '
    f"shutil.copytree(planted.BUNDLE, '{OWN_COPY}')\""
)
"""The command that makes the embedded bundle, which is part of the program, a folder of one's own;
in the words of every shell."""

MADE = "runs/mine"
"""Folder that a bundle is written to which cannot go into the one at hand."""

_OF_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_PACKAGE = Path(blindspots_hub.__file__).resolve().parent


def is_embedded(bundle: Bundle) -> bool:
    """Whether a bundle is part of the program, which is never changed."""
    return _PACKAGE in bundle.root.resolve().parents


def is_own_folder(bundle: Bundle) -> bool:
    """Whether a bundle can be written into: neither embedded nor a copy of the Hub's."""
    return not (bundle.root / LOCK).is_file() and not is_embedded(bundle)


def command(bundle: Bundle, *words: object, keeps: bool = False) -> str:
    """The command of `words`, quoted; `BUNDLE` among them is the bundle as an argument.

    That is its reference where it was opened from the Hub, else its folder; of a page for strangers
    its name, as they have downloaded it. What is no folder of one's own is copied first where the
    command `keeps` what it makes in the bundle; the embedded one has no other name.
    """
    reference = _reference(bundle)
    copying, place = "", bundle.name if bundle.hosted else str(bundle.root)
    if is_embedded(bundle) and BUNDLE in words:
        copying, place = f"{COPYING} && ", OWN_COPY
    elif reference is not None and keeps:
        place = reference.partition("@")[0].partition("/")[2]
        copying = f"{PROGRAM} pull {reference} --out {place} && "
    elif reference is not None:
        place = reference
    said = shlex.join(place if word is BUNDLE else str(word) for word in words)
    return f"{copying}{PROGRAM} {said}"


def _reference(bundle: Bundle) -> str | None:
    """`NAMESPACE/NAME@VERSION` of a bundle that was opened from the Hub.

    None of one that was pulled to a folder of one's own: that is named by its folder.
    """
    if not (bundle.root / LOCK).is_file():
        return None
    from blindspots_hub.artifacts.hub.fetch import is_cached
    from blindspots_hub.artifacts.hub.fetched import lock_in

    try:
        lock = lock_in(bundle.root) if bundle.hosted or is_cached(bundle.root) else None
    except (BlindspotsError, OSError):
        return None
    return None if lock is None else str(lock.reference)


def computing(bundle: Bundle, analysis: str) -> str:
    """The command that computes an analysis and keeps it in its bundle."""
    return command(bundle, "analyse", BUNDLE, analysis, keeps=True)


def reporting(bundle: Bundle) -> str:
    """The command that writes the report of a bundle."""
    return command(bundle, "report", BUNDLE)


def spec_of(bundle: Bundle, model: str) -> str:
    """A model of a bundle as `evaluate` takes it; `MODEL` where only its maker knows."""
    if is_example(bundle):
        return f"{EXAMPLE}{model}"
    run = bundle.model(model).run
    if run.get("unet"):  # a variant is known by its name alone
        return model
    source = str(run.get("source", ""))
    return source if _OF_THE_HUB.fullmatch(source) else MODEL


def another_model(bundle: Bundle) -> str:
    """What stands for one more model that draws images as the bundle's are."""
    return f"{EXAMPLE}NAME" if is_example(bundle) else MODEL


def evaluating(bundle: Bundle, model: str, out: str = "") -> str:
    """The command that measures `model` on a bundle's captions; by default into the same bundle.

    What is no folder of one's own is never changed; the embedded bundle is what `evaluate` takes by
    itself.
    """
    if is_embedded(bundle):
        return command(bundle, "evaluate", model, "--out", out or MADE)
    into = out or (BUNDLE if _reference(bundle) is None else MADE)
    return command(bundle, "evaluate", model, "--bundle", BUNDLE, "--out", into)
