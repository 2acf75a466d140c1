"""The cards of a published bundle: one README.md a repository, rendered from what it holds.

Nobody writes them by hand: every number and name comes from the manifest, from the tables or from
the configuration of the networks, and what those do not say the card leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from blindspots_hub.artifacts.cards.datasets import deltas_card, generations_card, pairs_card
from blindspots_hub.artifacts.cards.networks import backbone_card, sae_card
from blindspots_hub.artifacts.cards.templates import render
from blindspots_hub.artifacts.cards.version import PublishedVersion
from blindspots_hub.artifacts.hub.repos import SPACE, Repo, Version, is_sha
from blindspots_hub.artifacts.layout import (
    BACKBONE,
    DELTAS_PART,
    GENERATIONS_PART,
    MANIFEST,
    PAIRS_PART,
    SAE,
)
from blindspots_hub.artifacts.licences import checked
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.errors import BlindspotsError

_CARDS = {
    PAIRS_PART: pairs_card,
    GENERATIONS_PART: generations_card,
    DELTAS_PART: deltas_card,
    SAE: sae_card,
    BACKBONE: backbone_card,
}
_TOLD = ("counts", "null", "run")
"""What cards tell of each model and a manifest may leave out."""


def repo_cards(
    root: Path,
    repos: Sequence[Repo],
    version: Version,
    shas: Mapping[Repo, str],
    licence: str | None = None,
    of: Repo | None = None,
) -> dict[Repo, bytes]:
    """The card of every repository of `repos` but the Space (or `of` one), for version `version`.

    `root` is the bundle as it is published. `shas` are the content commits, 40 hex each, of the
    repositories that are published already: a card cites them, and names the tag where there is
    none yet; so ask again after each commit and take the next repository's card. `licence` is the
    Hub's identifier of the publisher's licence for what is theirs (own pairs, tables, an own
    RA-SAE); without it the manifest's `licence` holds, if it has one. Raises `BlindspotsError` for
    a licence that is no identifier, for model names that cannot be configs and for a manifest or a
    config.json that lacks what cards tell.
    """
    if wrong := [sha for sha in shas.values() if not is_sha(sha)]:
        raise ValueError(f"{wrong[0]!r} is no whole commit sha")
    manifest = Manifest.read(root)
    if not manifest.models:
        raise BlindspotsError(f"{root} holds no model: there is nothing for its cards to tell.")
    for entry in manifest.models:
        if missing := [name for name in _TOLD if not getattr(entry, name)]:
            raise BlindspotsError(
                f"{root / MANIFEST} tells no {', '.join(missing)} of the model "
                f"{entry.name!r}: write the bundle anew with blindspots_hub."
            )
    stated = licence or manifest.licence
    published = PublishedVersion(
        root, manifest, tuple(repos), version, shas, checked(stated) if stated else None
    )
    told = [repo for repo in repos if repo.part != SPACE and of in (None, repo)]
    return {repo: _card(published, repo) for repo in told}


def _card(published: PublishedVersion, repo: Repo) -> bytes:
    template, front, fields = _CARDS[repo.part](published, repo)
    return render(template, front, {**published.common(repo), **fields})
