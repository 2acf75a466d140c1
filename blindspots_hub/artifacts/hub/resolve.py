"""From a reference to a lock: by the record of this machine, or by asking the Hub."""

from __future__ import annotations

import logging

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.hub.fetched import record, recorded
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.release import read_lock
from blindspots_hub.artifacts.hub.repos import Reference, Version
from blindspots_hub.artifacts.layout import DELTAS_PART, LOCK
from blindspots_hub.errors import BlindspotsError

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
