"""The content of one repository, published as one commit on top of the head that was planned for.

Two writers at once: the Hub takes a commit only on top of the parent that it names, so one of them
wins and the other is told. Nothing is forced.
"""

from __future__ import annotations

from collections.abc import Mapping

from blindspots_hub.artifacts.hub.client import Content, Hub, operations
from blindspots_hub.artifacts.hub.plan import RepoPlan, Seen, content_size, look, plan
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.artifacts.layout import LOCK, MANIFEST
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
