"""What is published names no path of the machine that it was made on.

A path means nothing elsewhere, and tells a user's name and how their disk is laid out. What this
program writes names a folder by its last part (`files.public_name`); a network's config.json may
come from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from blindspots_hub.artifacts.layout import BACKBONE, MANIFEST, SAE
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json

_PATH = re.compile(r"(file:)?[/\\~].*|[A-Za-z]:[/\\].*", re.DOTALL)
"""An absolute path of any system; names and ids on the Hub begin with a letter or digit."""


def check_no_paths(root: Path, manifest: Manifest) -> None:
    """`BlindspotsError` where the bundle in `root` says where on a machine something lay.

    Looked through are what `manifest` records of the concept space and of how each model's images
    were drawn, and the configurations of the networks.
    """
    recorded = {
        "concept_space": manifest.concept_space,
        **{f"models.{model.name}.run": model.run for model in manifest.models},
    }
    told = [(MANIFEST, field, value) for field, value in _paths(recorded)]
    for part in (SAE, BACKBONE):
        name = f"{part}/config.json"
        if name in manifest.files:
            told += [(name, field, value) for field, value in _paths(read_json(root / name))]
    for name, field, value in told:
        raise BlindspotsError(
            f"{root / name} names {value!r} as {field}, a path of one machine that would be "
            "published: write a Hub id or a mere name there before you measure, as what was "
            "measured is known by it."
        )


def _paths(value: object, field: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON `value` that is a path, with the dotted name of its field."""
    if isinstance(value, str) and _PATH.fullmatch(value):
        yield field, value
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{field}.{key}" if field else str(key))
