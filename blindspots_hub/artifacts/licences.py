"""Licences of what a bundle holds, as the Hub writes them.

Weights keep the licence that they came with, generated images that of the model that drew them. All
else is the publisher's, who names a licence or does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from blindspots_hub import paper
from blindspots_hub.errors import BlindspotsError

UNKNOWN = "unknown"
"""The Hub's word for a licence that nobody has told."""

OWN = "apache-2.0"
"""Licence of this project, and of the small world that comes with it."""

_OWN_NETWORKS = "planted/"
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def checked(licence: str) -> str:
    """`licence` if it may be an identifier of the Hub, else `BlindspotsError`."""
    if not _IDENTIFIER.fullmatch(licence):
        raise BlindspotsError(
            f"{licence!r} is no licence identifier: use one of "
            "https://huggingface.co/docs/hub/repositories-licenses, such as cc-by-4.0."
        )
    return licence


def is_own(source: str) -> bool:
    """Whether a backbone (its `source` in a manifest) is this project's small one."""
    return source.startswith(_OWN_NETWORKS)


def is_published(config: Mapping[str, Any]) -> bool:
    """Whether an RA-SAE (its config.json) derives from the authors' published weights."""
    origin = str(config.get("origin", ""))
    return paper.PUBLISHED_REPO in origin or paper.PUBLISHED_SHA256 in origin


def sae_licence(config: Mapping[str, Any], publishers: str | None) -> str:
    """Licence of an RA-SAE: the authors' where it derives from theirs, else `publishers`."""
    if is_published(config):
        return paper.PUBLISHED_LICENSE
    return backbone_licence(str(config.get("backbone", "")), publishers)


def backbone_licence(source: str, publishers: str | None) -> str:
    """Licence of a network that lies in a bundle: this project's where it made it."""
    return OWN if is_own(source) else publishers or UNKNOWN


def joint(licences: Iterable[str]) -> str | list[str]:
    """The licence of several things in one repository, as front matter says it.

    What is no identifier of the Hub's is unknown to it.
    """
    known = {name if _IDENTIFIER.fullmatch(name) else UNKNOWN for name in licences}
    if len(known) == 1:
        return known.pop()
    return "other" if UNKNOWN in known else sorted(known)
