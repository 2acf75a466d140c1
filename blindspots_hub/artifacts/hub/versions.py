"""What is published of a bundle: a reference's lock, and every version with whether it is whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.hub.fetched import record, recorded
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.release import read_lock
from blindspots_hub.artifacts.hub.repos import KINDS, Reference, Repo, Version
from blindspots_hub.artifacts.layout import DELTAS_PART, LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work

_log = logging.getLogger(__name__)


def resolve(hub: Hub, reference: Reference, ask: bool = False) -> Lock:
    """The lock of what a reference names.

    What was fetched before asks no network, unless `ask`: then, where the Hub answers, a tag that
    was moved since is told of in a warning; the recorded commit is kept all the same. Raises
    `BlindspotsError` for bundles, versions and commits that are not there, and, within seconds,
    where the Hub is needed and cannot be reached.
    """
    known = recorded(reference)
    if known is None:
        lock, commit = _asked(hub, reference)
        record(reference, lock, commit)
        return lock
    if ask and reference.version and hub.reachable:
        repo = reference.repo(DELTAS_PART)
        now = (hub.tags(repo) or {}).get(reference.version.tag)
        if now != known.commit:
            _log.warning(
                "The tag %s of %s points at %s now; %s, where it pointed when it was fetched, is "
                "kept. Ask its owner why, or name the new commit.",
                reference.version.tag,
                repo.id,
                now or "nothing",
                known.commit,
            )
    return known.lock


def published_versions(hub: Hub, reference: Reference) -> dict[Version, str]:
    """Every version that is found on the Hub, ascending, and the commit its tag points at."""
    hub.need(f"{reference} is no folder here, and not in the local cache")
    tags = hub.tags(reference.repo(DELTAS_PART))
    if tags is None:
        raise BlindspotsError(
            f"{reference.bundle} is no folder here, and the Hub knows no bundle of that name (no "
            f"dataset {reference.repo(DELTAS_PART).id}): check the name, or log in if it is "
            "private."
        )
    found = {Version.of_tag(tag): commit for tag, commit in tags.items()}
    return dict(sorted((v, commit) for v, commit in found.items() if v is not None))


def _asked(hub: Hub, reference: Reference) -> tuple[Lock, str]:
    commit, version = reference.commit, reference.version
    if commit is None:
        versions = published_versions(hub, reference)
        if not versions:
            raise BlindspotsError(f"No version of {reference.bundle} is published yet.")
        version = version or max(versions)
        if version not in versions:
            names = ", ".join(str(known) for known in versions)
            raise BlindspotsError(
                f"{reference.bundle} has no version {version}: published are {names}."
            )
        commit = versions[version]
    repo = reference.repo(DELTAS_PART)
    lock = read_lock(hub, repo, commit)
    if lock is None:
        raise BlindspotsError(
            f"{repo.id} holds no {LOCK} at {commit}: name a version, or the commit that one points "
            f"at (python -m blindspots_hub versions {reference.bundle})."
        )
    if version is not None and lock.version != version:
        raise BlindspotsError(
            f"The tag {version.tag} of {repo.id} was moved: it points at {commit}, which is "
            f"version {lock.version}; name the commit that you mean instead of the version."
        )
    return lock, commit


@dataclass(frozen=True)
class Listed:
    """A version: the commit that its tag in `deltas` points at (None: it has none there), the
    commit of every repository's content by the lock, and what is wrong with it (nothing: whole)."""

    version: Version
    commit: str | None
    contents: Mapping[Repo, str]
    faults: tuple[str, ...]


@Call
def versions(reference: Reference, token: str | None = None) -> Work[list[Listed]]:
    """Every version of a bundle, ascending; those that an interrupted push left unfinished too.

    A version is whole where each repository of its lock has its tag, on a commit with that lock.
    """
    hub = Hub(token)
    yield Event("ask the Hub", 0, 1)
    found = published_versions(hub, reference)
    repos = reference.repos(KINDS)
    tags = {repo: hub.tags(repo) for repo in repos}
    begun = {Version.of_tag(tag) for known in tags.values() for tag in known or ()} - {None}
    versions = sorted(version for version in begun if version is not None)
    listed = []
    for done, version in enumerate(versions):
        yield Event("look at the versions", done, len(versions))
        listed.append(_listed(hub, reference, version, found.get(version), tags))
    yield Event("look at the versions", len(versions), len(versions))
    return listed


def _listed(
    hub: Hub,
    reference: Reference,
    version: Version,
    commit: str | None,
    tags: Mapping[Repo, Mapping[str, str] | None],
) -> Listed:
    if commit is None:
        told = f"{reference.repo(DELTAS_PART).id} lacks its tag: push it again to finish it"
        return Listed(version, None, {}, (told,))
    lock = read_lock(hub, reference.repo(DELTAS_PART), commit)
    if lock is None or lock.version != version:
        points = "no lock" if lock is None else f"the lock of {lock.version}"
        told = f"its tag in {reference.repo(DELTAS_PART).id} was moved: {points} is there"
        return Listed(version, commit, {}, (told,))
    faults = []
    for repo in lock.repos:
        known = tags.get(repo, {})
        tagged = (known or {}).get(version.tag)
        if known is None:
            faults.append(f"{repo.id} is gone")
        elif tagged is None:
            faults.append(f"{repo.id} lacks its tag")
        elif hub.read(repo, tagged, LOCK) != lock.to_bytes():
            faults.append(f"its tag in {repo.id} was moved")
    contents = {repo: lock.commits[repo.part] for repo in lock.repos}
    return Listed(version, commit, contents, tuple(faults))
