"""`push`: a bundle as a version of repositories on the Hub.

In this order, so that whatever stops it leaves no version that is not whole: checks, before
anything is written; the content of every repository, one commit each; the lock into each; the tags;
the collection. Every step looks at what is there first: a push that was stopped and is run again
goes on where it was, and one that is finished changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.cards.bundle_cards import repo_cards
from blindspots_hub.artifacts.hub.checks import check_no_paths, check_rights
from blindspots_hub.artifacts.hub.client import Content, Hub
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.plan import RepoPlan, look, plan
from blindspots_hub.artifacts.hub.release import (
    begun,
    committing,
    content_commit,
    creating,
    finishing,
    locking,
    proposing,
    tagging,
)
from blindspots_hub.artifacts.hub.repos import SPACE, Reference, Repo, Version, check_name
from blindspots_hub.artifacts.hub.staging import THUMBNAILS_ONLY, part_files, staging
from blindspots_hub.artifacts.layout import CARD, LOCK, MANIFEST, part_of
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.utils.files import remove_abandoned, sha256_file

SpaceFiles = Callable[[Lock], Mapping[str, Content]]
"""The files of a Space that shows what a lock names."""

_NOT_YET = "0" * 40
"""Stands for a commit that is still to be made, where a dry run shows what would name it."""

_STAGED = "blindspots_hub-push-"
"""What the folders begin with in which a bundle is laid out to be published."""

ABANDONED = 24 * 3600.0
"""Seconds after which such a folder is one that a killed push left."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """What a push did, or would do.

    `plans` are the changes to every repository as they were planned; `lock` is that of the
    published version, None where nothing was published (a dry run, pull requests); `already` tells
    that it was published before; `pull_requests` and `collection` are addresses.
    """

    reference: Reference
    plans: tuple[RepoPlan, ...] = ()
    lock: Lock | None = None
    already: bool = False
    pull_requests: tuple[str, ...] = ()
    collection: str | None = None


@Call
def push(
    root: str | Path,
    namespace: str,
    version: str,
    *,
    name: str | None = None,
    natural_images: str = THUMBNAILS_ONLY,
    licence: str | None = None,
    private: bool = False,
    create_pr: bool = False,
    dry_run: bool = False,
    space: SpaceFiles | None = None,
    token: str | None = None,
) -> Work[Published]:
    """Publish the bundle in the folder `root` as `namespace/name`, version "X.Y.Z".

    `name` is by default the bundle's own. `natural_images` says what becomes of natural images
    from the web (`staging.NATURAL_IMAGES`). `licence` is the Hub's identifier of the publisher's
    own licence, for the cards. `private` holds for repositories that are created now. `create_pr`
    proposes contents (but the Space's) as pull requests and publishes no version. `dry_run` writes
    nothing. `space` gives the files of the Space, without it there is none. The token is found in
    the usual places unless given. Raises `BlindspotsError` for what the user can mend; run again,
    it goes on.
    """
    number = Version.parse(version)
    check_name("namespace", namespace)
    yield Event("check the bundle", 0, 1)
    bundle = _whole(Path(root))
    check_name("bundle", name or bundle.name)
    reference = Reference(namespace, name or bundle.name, number)
    yield Event("check the bundle", 1, 1)
    hub = Hub(token)
    hub.need(f"{reference} cannot be published")
    user = hub.user()
    if not create_pr:
        check_rights(user, namespace)
    remove_abandoned(Path(gettempdir()), f"{_STAGED}*", ABANDONED)
    with TemporaryDirectory(prefix=_STAGED) as folder:
        staged = yield from staging(
            bundle, reference.name, number, natural_images, Path(folder) / "bundle"
        )
        release = _Release(hub, reference, staged, space, licence, private)
        if dry_run:
            return (yield from release.planning())
        if create_pr:
            return (yield from release.proposing())
        return (yield from release.publishing())


def _whole(root: Path) -> Bundle:
    """The bundle at `root`, with all the parts that its manifest names, and no path of its own."""
    named = Manifest.read(root.expanduser()).files
    bundle = load_bundle(root, {part_of(file) for file in named}, contents=True)
    check_no_paths(bundle.root, bundle.manifest)
    return bundle


class _Release:
    """One bundle on its way to one version."""

    def __init__(
        self,
        hub: Hub,
        reference: Reference,
        staged: Path,
        space: SpaceFiles | None,
        licence: str | None,
        private: bool,
    ) -> None:
        self.hub, self.reference, self.staged = hub, reference, staged
        self.space, self.licence, self.private = space, licence, private
        self.manifest = Manifest.read(staged)
        self.manifest_sha256 = sha256_file(staged / MANIFEST)
        parts = {part_of(name) for name in self.manifest.files}
        self.repos = reference.repos(parts | ({SPACE} if space else set()))

    def planning(self) -> Work[Published]:
        """What publishing would change, as far as it can be known without doing it.

        Cards and the Space name commits; where those are still to be made, they are planned for as
        changed.
        """
        found = begun(self.hub, self.reference, self.manifest_sha256, self.repos)
        if found and found.finished:
            return Published(self.reference, lock=found.lock, already=True)
        plans, commits = [], dict[Repo, str]()
        for done, repo in enumerate(self.repos):
            yield Event("compare with the Hub", done, len(self.repos))
            planned = plan(look(self.hub, repo), self._files(repo, commits))
            if planned.unchanged:
                commits[repo] = self._content_commit(planned)
            plans.append(planned)
        yield Event("compare with the Hub", len(plans), len(plans))
        return Published(self.reference, tuple(plans))

    def proposing(self) -> Work[Published]:
        """The contents as pull requests: who owns the repositories merges them, and pushes."""
        plans, addresses = [], []
        for repo in self.repos:
            if repo.part == SPACE:
                continue  # it names the commits of the others, which only merging makes
            files = self._files(repo, {})
            seen = yield from creating(self.hub, look(self.hub, repo), self.private)
            planned = plan(seen, files)
            address = yield from proposing(self.hub, planned, files, f"Publish {self.reference}")
            plans.append(planned)
            addresses += [address] if address else []
        return Published(self.reference, tuple(plans), pull_requests=tuple(addresses))

    def publishing(self) -> Work[Published]:
        """Contents, lock, tags, collection."""
        found = begun(self.hub, self.reference, self.manifest_sha256, self.repos)
        if found:
            if not found.finished:
                yield from finishing(self.hub, found)
            collection = self._collect(found.lock)
            return Published(self.reference, (), found.lock, found.finished, (), collection)
        # Everything that can be refused is refused before anything is written; and all heads are
        # read by then, so that whoever writes meanwhile is noticed.
        for repo in self.repos:
            self._files(repo, {})
        seen = {repo: look(self.hub, repo) for repo in self.repos}
        plans, heads, commits = [], dict[Repo, str](), dict[Repo, str]()
        for repo in self.repos:
            files = self._files(repo, commits)
            there = yield from creating(self.hub, seen[repo], self.private)
            planned = plan(there, files)
            heads[repo] = yield from committing(
                self.hub, planned, files, f"Publish {self.reference}"
            )
            commits[repo] = self._content_commit(planned) if planned.unchanged else heads[repo]
            plans.append(planned)
        lock = self._lock(commits)
        locked = yield from locking(self.hub, lock, heads)
        yield from tagging(self.hub, lock, locked)
        return Published(self.reference, tuple(plans), lock, collection=self._collect(lock))

    def _files(self, repo: Repo, commits: Mapping[Repo, str]) -> dict[str, Content]:
        """The content of a repository, without the lock that comes on top of it.

        `commits` are the contents of the repositories before it.
        """
        manifest: dict[str, Content] = {MANIFEST: self.staged / MANIFEST}
        if repo.part == SPACE and self.space:
            others = [other for other in self.repos if other != repo]
            lock = self._lock({other: commits.get(other, _NOT_YET) for other in others})
            files = {**self.space(lock), **manifest}
            return {path: content for path, content in files.items() if path != LOCK}
        version = self._lock(commits).version
        cards = repo_cards(self.staged, self.repos, version, commits, self.licence, repo)
        own = part_files(self.staged, self.manifest.files, repo.part)
        return {**own, **manifest, CARD: cards[repo]}

    def _lock(self, commits: Mapping[Repo, str]) -> Lock:
        version = self.reference.version
        if version is None:
            raise ValueError("a release has a version")
        by_part = {repo.part: commit for repo, commit in commits.items()}
        return Lock(self.reference.bundle, version, self.manifest_sha256, by_part)

    def _content_commit(self, planned: RepoPlan) -> str:
        return content_commit(self.hub, planned, self.reference.bundle, self.manifest_sha256)

    def _collect(self, lock: Lock) -> str | None:
        """The collection, which is a convenience: the version is published without it, too."""
        space, name = self.reference.namespace, self.reference.name
        try:
            return self.hub.collect(space, name, lock.repos, self.private)
        except BlindspotsError as error:
            _log.warning("%s Everything else of %s is published.", error, self.reference)
            return None
