"""From contents to a version: one commit a repository, the lock into each, the tags, deltas last.

Two writers at once: the Hub takes a commit only on top of the parent that it names, so one of them
wins and the other is told. Nothing is forced. References are resolved through the `deltas`
repository, so a version is found only when all of it is tagged. Whoever tags the first repository
has the version; tags are never moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blindspots_hub.artifacts.hub.client import Content, Hub, operations
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.plan import RepoPlan, Seen, content_size, look, plan
from blindspots_hub.artifacts.hub.repos import Reference, Repo, Version
from blindspots_hub.artifacts.layout import DELTAS_PART, LOCK, MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

_TRIES = 3
"""How often a commit is made that the Hub refuses as stale although the head has not moved."""


def creating(hub: Hub, seen: Seen, private: bool) -> Work[Seen]:
    """Create a repository unless it was there when it was read; how it is then.

    A `BlindspotsError` where somebody else has created and filled it since.
    """
    if seen.head is not None:
        return seen
    yield Event(f"create {seen.repo.id}", 0, 1)
    hub.create(seen.repo, private)
    now = look(hub, seen.repo)
    if MANIFEST in now.stored or LOCK in now.stored:
        raise overtaken(seen.repo)
    return now


def committing(
    hub: Hub, planned: RepoPlan, files: Mapping[str, Content], message: str
) -> Work[str]:
    """Carry out a plan: upload file by file, then one commit; the sha of the new head.

    Interrupted and run again, what was uploaded is not sent twice. A `BlindspotsError` where
    somebody else's content has appeared since the plan was made.
    """
    repo, head = planned.repo, planned.head
    if head is None:
        raise ValueError("a plan for a repository that is not there")
    if planned.unchanged:
        return head
    added, deleted = operations({path: files[path] for path in planned.written}, planned.deleted)
    stage, done = f"publish {repo.id}", 0
    for addition in added:
        yield Event(stage, done, planned.bytes, {"file": addition.path_in_repo})
        hub.upload(repo, addition)
        done += content_size(files[addition.path_in_repo])
    for _ in range(_TRIES):
        made = hub.commit(repo, [*added, *deleted], message, head)
        if made is None:
            now = plan(look(hub, repo), files)
            if now.head == head:
                continue  # the Hub was behind itself
            if not now.unchanged or now.head is None:
                raise overtaken(repo)
            made = now.head  # the very commit, made although the connection was cut before it said
        yield Event(stage, planned.bytes, planned.bytes)
        return made
    raise overtaken(repo)


def proposing(
    hub: Hub, planned: RepoPlan, files: Mapping[str, Content], message: str
) -> Work[str | None]:
    """Carry out a plan as a pull request; its address, None where nothing changes.

    Where a pull request with just this content is there already, that one is meant.
    """
    repo, head = planned.repo, planned.head
    if head is None or planned.unchanged:
        return None
    for ref, commit in hub.pull_requests(repo).items():
        if plan(Seen(repo, commit, hub.files(repo, commit)), files).unchanged:
            return hub.page(repo, f"discussions/{ref.rsplit('/', 1)[-1]}")
    added, deleted = operations({path: files[path] for path in planned.written}, planned.deleted)
    stage, done = f"propose to {repo.id}", 0
    for addition in added:
        yield Event(stage, done, planned.bytes, {"file": addition.path_in_repo})
        hub.upload(repo, addition, create_pr=True)
        done += content_size(files[addition.path_in_repo])
    address = hub.propose(repo, [*added, *deleted], message, head)
    yield Event(stage, planned.bytes, planned.bytes)
    return address


def overtaken(repo: Repo) -> BlindspotsError:
    """The refusal to write over what somebody else published meanwhile."""
    return BlindspotsError(
        f"Somebody else published to the {repo.kind} {repo.id} while this push was under way: "
        "look at what is there now, and push again, as a higher version if theirs was published."
    )


@dataclass(frozen=True)
class Begun:
    """A version of which some repositories are tagged: its lock, and the commit of each tag."""

    lock: Lock
    tagged: dict[Repo, str]

    @property
    def finished(self) -> bool:
        """Whether every repository of the lock is tagged."""
        return set(self.lock.repos) <= set(self.tagged)


def read_lock(hub: Hub, repo: Repo, commit: str) -> Lock | None:
    """The lock that lies in a commit, None where there is none."""
    content = hub.read(repo, commit, LOCK)
    return None if content is None else Lock.parse(content, f"{LOCK} of {repo.id} at {commit}")


def begun(
    hub: Hub, reference: Reference, manifest_sha256: str, repos: Sequence[Repo]
) -> Begun | None:
    """What is tagged already of the version to be published; None where nothing is.

    `BlindspotsError` where the version holds something else than the bundle with this manifest, or
    where a higher version is published.
    """
    version = reference.version
    if version is None:
        raise ValueError("a release has a version")
    tags = {repo: hub.tags(repo) or {} for repo in repos}
    tagged = {repo: tags[repo][version.tag] for repo in repos if version.tag in tags[repo]}
    if not tagged:
        deltas = tags[reference.repo(DELTAS_PART)]
        newest = max(filter(None, map(Version.of_tag, deltas)), default=version)
        if newest > version:
            raise BlindspotsError(
                f"{reference.bundle} is published as {newest} already: choose a version above it."
            )
        return None
    locks = [read_lock(hub, repo, commit) for repo, commit in tagged.items()]
    lock = locks[0]
    if (
        lock is None
        or lock.manifest_sha256 != manifest_sha256
        or any(other != lock for other in locks)
    ):
        raise taken(reference)
    for repo in set(lock.repos) - set(repos):  # the Space, pushed then and not now
        if version.tag in (found := hub.tags(repo) or {}):
            tagged[repo] = found[version.tag]
    return Begun(lock, tagged)


def content_commit(hub: Hub, planned: RepoPlan, bundle: str, manifest_sha256: str) -> str:
    """The commit with the content of a repository that a plan leaves as it is."""
    if planned.head is None:
        raise ValueError("a repository that is not there has no content")
    lock = read_lock(hub, planned.repo, planned.head) if planned.holds_lock else None
    if lock is None or (lock.bundle, lock.manifest_sha256) != (bundle, manifest_sha256):
        return planned.head
    return lock.commits.get(planned.repo.part, planned.head)


def locking(hub: Hub, lock: Lock, heads: Mapping[Repo, str]) -> Work[dict[Repo, str]]:
    """Put the lock on top of every head, unless it is there; the commits that hold it."""
    commits = {}
    for done, repo in enumerate(lock.repos):
        yield Event("lock the version", done, len(lock.repos))
        commits[repo] = _locked(hub, lock, repo, heads[repo])
    yield Event("lock the version", len(commits), len(commits))
    return commits


def _locked(hub: Hub, lock: Lock, repo: Repo, head: str) -> str:
    content = lock.to_bytes()
    if hub.read(repo, head, LOCK) == content:
        return head
    added, _ = operations({LOCK: content}, [])
    made = hub.commit(repo, added, f"Lock {lock.reference}", head)
    if made is not None:
        return made
    now = hub.head(repo)
    if now is not None and now != head and hub.read(repo, now, LOCK) == content:
        return now  # our own commit: the connection was cut before the Hub's answer came
    raise overtaken(repo)


def finishing(hub: Hub, version: Begun) -> Work[None]:
    """Tag what an interrupted push left without a tag; every lock is in place by then."""
    commits = dict(version.tagged)
    content = version.lock.to_bytes()
    for repo in version.lock.repos:
        if repo not in commits:
            head = hub.head(repo)
            if head is None or hub.read(repo, head, LOCK) != content:
                raise BlindspotsError(
                    f"An interrupted push of {version.lock.reference} cannot be finished, as the "
                    f"{repo.kind} {repo.id} was changed since: publish a higher version."
                )
            commits[repo] = head
    yield from tagging(hub, version.lock, commits)


def tagging(hub: Hub, lock: Lock, commits: Mapping[Repo, str]) -> Work[None]:
    """Tag the commits that hold the lock, deltas last; a tag that is there is never moved."""
    reference = lock.reference
    order = sorted(lock.repos, key=lambda repo: repo.part == DELTAS_PART)
    for done, repo in enumerate(order):
        yield Event("tag the version", done, len(order))
        if not hub.tag(repo, lock.version.tag, commits[repo], f"{lock.reference}"):
            there = (hub.tags(repo) or {}).get(lock.version.tag)
            if there != commits[repo]:
                raise taken(reference)
    yield Event("tag the version", len(order), len(order))


def taken(reference: Reference) -> BlindspotsError:
    """The refusal to publish a version number twice."""
    return BlindspotsError(
        f"{reference} is taken: its tag is there and holds something else; what is published stays "
        "as it is, so choose a higher version."
    )
