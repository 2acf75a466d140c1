"""What is asked before anything is published: may this token, and does the bundle name no path.

A path means nothing elsewhere, and tells a user's name and how their disk is laid out. What this
program writes names a folder by its last part (`files.public_name`); a network's config.json may
come from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.layout import BACKBONE, MANIFEST, SAE
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json


def check_rights(user: Mapping[str, Any], namespace: str) -> None:
    """`BlindspotsError` where the Hub's description of a token's owner rules writing out.

    A fine-grained token does not say all that it may: what it may not, the Hub tells on writing.
    """
    name = str(user.get("name"))
    token = (user.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == "read":
        raise BlindspotsError(
            f"The token of {name} may only read: make one that may write at "
            "https://huggingface.co/settings/tokens."
        )
    roles = {org.get("name"): org.get("roleInOrg") for org in user.get("orgs") or ()}
    if namespace != name and namespace not in roles:
        raise BlindspotsError(
            f"{name} is not {namespace} and no member of it: publish under your own name, or "
            "propose pull requests (--create-pr) to repositories that are there."
        )
    if roles.get(namespace) == "read":
        raise BlindspotsError(
            f"{name} may only read in {namespace}: ask its owner for the right to write, or "
            "propose pull requests (--create-pr)."
        )


_PATH = re.compile(r"(file:)?[/\\~].*|[A-Za-z]:[/\\].*", re.DOTALL)
"""An absolute path of any system; names and ids on the Hub begin with a letter or digit."""


def check_writable(hub: Hub, what: str, namespace: str) -> None:
    """`BlindspotsError` where the Hub does not answer or the token may not write in `namespace`."""
    hub.need(f"{what} cannot be published")
    check_rights(hub.user(), namespace)


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
