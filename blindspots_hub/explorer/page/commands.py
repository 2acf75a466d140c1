"""Commands as a visitor would type them: with the bundle at hand and models that fit it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import blindspots_hub
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.example import EXAMPLE, is_example

PROGRAM = "python -m blindspots_hub"

MODEL = "MODEL"
"""What stands for a model of which only the visitor knows where it is."""

_OF_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")


def folder_of(bundle: Bundle) -> str:
    """A bundle as an argument: its folder's name."""
    return shlex.quote(bundle.root.name)


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

    The embedded example is what `evaluate` takes by itself, and is never changed.
    """
    if Path(blindspots_hub.__file__).parent in bundle.root.parents:
        return f"{PROGRAM} evaluate {model} --out {out or 'runs/mine'}"
    folder = folder_of(bundle)
    return f"{PROGRAM} evaluate {model} --bundle {folder} --out {out or folder}"
