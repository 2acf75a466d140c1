"""The versions of a bundle on the Hub, and whether each is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.hub.release import read_lock
from blindspots_hub.artifacts.hub.repos import KINDS, Reference, Repo, Version
from blindspots_hub.artifacts.hub.resolve import published_versions
from blindspots_hub.artifacts.layout import DELTAS_PART, LOCK
from blindspots_hub.progress import Call, Event, Work


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
