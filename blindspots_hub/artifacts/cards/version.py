"""A version of a bundle as its cards tell of it: what every one of them says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blindspots_hub import paper
from blindspots_hub.artifacts.cards.facts import bibtex, preprocessing, versions
from blindspots_hub.artifacts.cards.markdown import Markdown, code, text
from blindspots_hub.artifacts.hub.repos import SPACE, Repo, Version
from blindspots_hub.artifacts.layout import (
    BACKBONE,
    DELTAS_PART,
    GENERATIONS_PART,
    PAIRS_PART,
    SAE,
)
from blindspots_hub.artifacts.licences import UNKNOWN
from blindspots_hub.artifacts.manifest import Manifest

HUB = "https://huggingface.co"
"""Where the links of cards lead."""

Card = tuple[str, dict[str, Any], dict[str, Any]]
"""What a card is rendered from: its template, its front matter, its own fields."""

_WHAT = {
    PAIRS_PART: "captions and natural images",
    GENERATIONS_PART: "generated images, a config a model",
    DELTAS_PART: "δ tables, energies, heatmaps, thumbnails",
    SAE: "RA-SAE: tokens to concept codes",
    BACKBONE: "backbone: images to tokens",
    SPACE: "Space: explore it in the browser",
}
"""What each repository is for."""


@dataclass(frozen=True)
class PublishedVersion:
    """A version of a bundle: `root` as it is published, its repositories, and what they are at.

    `shas` are the commits that are made already, `licence` the publisher's own, if it is told.
    """

    root: Path
    manifest: Manifest
    repos: tuple[Repo, ...]
    version: Version
    shas: Mapping[Repo, str]
    licence: str | None

    @cached_property
    def bundle(self) -> str:
        """`NAMESPACE/NAME`."""
        deltas = next(repo.id for repo in self.repos if repo.part == DELTAS_PART)
        return deltas.removesuffix(f"-{DELTAS_PART}")

    @property
    def name(self) -> str:
        """The bundle's name, which every repository's begins with."""
        return self.bundle.partition("/")[2]

    @property
    def models(self) -> list[str]:
        """Names of the models, in the manifest's order."""
        return [model.name for model in self.manifest.models]

    def repo_of(self, part: str) -> Repo | None:
        """The repository of a part; None where the bundle is published without it."""
        return next((repo for repo in self.repos if repo.part == part), None)

    def common(self, repo: Repo) -> dict[str, Any]:
        """Fields of every card."""
        return {
            "repo": repo.id,
            "folder": repo.id.partition("/")[2],
            "bundle": self.bundle,
            "name": self.name,
            "tag": self.version.tag,
            "version": str(self.version),
            "reference": f"{self.bundle}@{self.version}",
            "note": self.manifest.note or "",
            "created_with": self.manifest.created_with,
            "packages": versions(self.manifest.packages),
            "space": preprocessing(self.manifest.concept_space),
            "repositories": [self._row(other, repo) for other in self.repos],
            "links": {other.part: link(other.id, self._url(other)) for other in self.repos},
            "first_model": self.models[0],
            "licence": self.licence or UNKNOWN,
            "unknown": UNKNOWN,
            "suppressed_below": paper.SUPPRESSED_BELOW,
            "exaggerated_above": paper.EXAGGERATED_ABOVE,
            "paper": link(f"arXiv {paper.ARXIV}", f"https://arxiv.org/abs/{paper.ARXIV}"),
            "bibtex": bibtex(),
        }

    def _row(self, other: Repo, own: Repo) -> dict[str, str]:
        """A row of the table of repositories: a link to this version, and its commit if known."""
        url = self._url(other)
        if other == own:
            commit = "this one"
        elif sha := self.shas.get(other):
            commit = f"[{code(sha)}]({url}/tree/{sha})"
        else:
            commit = f"tag {code(self.version.tag)}"
        there = link(other.id, f"{url}/tree/{self.version.tag}")
        return {"what": _WHAT[other.part], "link": there, "commit": Markdown(commit)}

    def _url(self, repo: Repo) -> str:
        kind = {"dataset": "datasets/", "model": "", "space": "spaces/"}[repo.kind]
        return f"{HUB}/{kind}{repo.id}"


def link(label: str, url: str) -> Markdown:
    """A link; `url` is made of checked names."""
    return Markdown(f"[{text(label)}]({url})")
