"""`deploy-space` as a library: the files of a Space, published as one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.artifacts.hub.client import Content, Hub
from blindspots_hub.artifacts.hub.content import committing, creating
from blindspots_hub.artifacts.hub.fetched import lock_in
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.plan import RepoPlan, look, plan
from blindspots_hub.artifacts.hub.repos import Reference, Repo
from blindspots_hub.artifacts.hub.resolve import resolve
from blindspots_hub.artifacts.hub.rights import check_rights
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work


@dataclass(frozen=True)
class Deployed:
    """What publishing a Space changed, or would change; its page, None where nothing was made."""

    plan: RepoPlan
    address: str | None


def lock_of(bundle: str) -> Lock:
    """The lock of a published bundle: of a folder that was pulled, or by its reference.

    A version that was fetched before asks no network.
    """
    folder = Path(bundle).expanduser()
    if not folder.is_dir():
        return resolve(Hub(), Reference.parse(bundle))
    lock = lock_in(folder)
    if lock is None:
        raise BlindspotsError(
            f"{folder} was not pulled from the Hub, and a Space shows what is published: push the "
            "bundle first, then name it as NAMESPACE/BUNDLE."
        )
    return lock


@Call
def deploy_space(
    repo: Repo,
    files: Mapping[str, Content],
    lock: Lock,
    *,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
) -> Work[Deployed]:
    """Make `files` the content of the Space `repo`, in one commit; unchanged there is none.

    Raises `BlindspotsError` where the token may not write there, and where the Space holds
    something else than a bundle's.
    """
    hub = Hub(token)
    yield Event("ask the Hub", 0, 1)
    hub.need(f"The Space {repo.id} cannot be published")
    check_rights(hub.user(), repo.id.split("/")[0])
    seen = look(hub, repo)
    yield Event("ask the Hub", 1, 1)
    if dry_run:
        return Deployed(plan(seen, files), None)
    there = yield from creating(hub, seen, private)
    planned = plan(there, files)
    yield from committing(hub, planned, files, f"Show {lock.reference}")
    return Deployed(planned, hub.page(repo, "").rstrip("/"))
