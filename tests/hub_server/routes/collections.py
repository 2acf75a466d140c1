"""Collections: repositories grouped under a title by their owner."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field

from hub_server.errors import HubError
from hub_server.routes.repos import iso
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json

LISTED = 4
"""Items of a collection that a list of collections shows: for all of them it is got by itself."""


@dataclass
class Collection:
    """A title with items, in the order they were added."""

    slug: str
    title: str
    owner: str
    description: str | None
    private: bool
    items: list[dict[str, object]] = field(default_factory=list)
    changed: float = field(default_factory=time.time)

    def say(self, items: int | None = None) -> dict[str, object]:
        """As the API describes it, with all or so many of its items."""
        return {
            "slug": self.slug,
            "title": self.title,
            "owner": {"type": "user", "name": self.owner},
            "description": self.description,
            "private": self.private,
            "items": [{**item, "position": i} for i, item in enumerate(self.items[:items])],
            "lastUpdated": iso(self.changed),
            "position": 0,
            "theme": "orange",
            "upvotes": 0,
        }


def _allowed(call: Call, owner: str) -> None:
    if not call.server.accounts.may_write(call.account(), owner):
        raise HubError(403, f"You don't have the rights to change collections of {owner}")


def _chosen(call: Call) -> Collection:
    found = call.server.collections.get(call.params["repo"])
    if found is None or not _visible(call, found):
        raise HubError(404, "Collection not found")
    return found


def _visible(call: Call, found: Collection) -> bool:
    return not found.private or call.server.accounts.belongs(call.token, found.owner)


@route("GET", "/api/collections", "collections.list")
def listing(call: Call) -> Answer:
    wanted = call.request.query.get("owner")
    found = [
        one
        for one in call.server.collections.values()
        if _visible(call, one) and (wanted is None or one.owner in wanted)
    ]
    size = int(call.request.get("limit", "100"))
    return call.page(found, size, listed)


def listed(one: Collection) -> dict[str, object]:
    """As a list of collections shows one: not all items, and the place is the list's."""
    return {name: value for name, value in one.say(LISTED).items() if name != "position"}


@route("POST", "/api/collections", "collections.create")
def create(call: Call) -> Answer:
    said = call.request.json()
    title, owner = said["title"], said["namespace"]
    _allowed(call, owner)
    if len(title) > 60 or len(said.get("description") or "") > 150:
        raise HubError(400, "A title has at most 60 characters, a description 150")
    with call.server.lock:
        for one in call.server.collections.values():
            if (one.owner, one.title) == (owner, title):
                text = "A collection with this title exists already"
                raise HubError(409, text, more={"slug": one.slug})
        readable = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
        slug = f"{owner}/{readable}-{secrets.token_hex(12)}"
        private = bool(said.get("private"))
        made = Collection(slug, title, owner, said.get("description"), private)
        call.server.collections[slug] = made
    return answer_json(made.say())


@route("GET", "/api/collections/{repo}", "collections.get")
def get(call: Call) -> Answer:
    return answer_json(_chosen(call).say())


@route("PATCH", "/api/collections/{repo}", "collections.change")
def change(call: Call) -> Answer:
    found, said = _chosen(call), call.request.json()
    _allowed(call, found.owner)
    found.title = said.get("title", found.title)
    found.description = said.get("description", found.description)
    found.private = said.get("private", found.private)
    return answer_json({"success": True, "data": found.say()})


@route("DELETE", "/api/collections/{repo}", "collections.delete")
def delete(call: Call) -> Answer:
    found = _chosen(call)
    _allowed(call, found.owner)
    del call.server.collections[found.slug]
    return answer_json({"success": True})


@route("POST", "/api/collections/{repo}/items", "collections.add")
def add(call: Call) -> Answer:
    found, said = _chosen(call), call.request.json()
    _allowed(call, found.owner)
    item = {"id": said["item"]["id"], "type": said["item"]["type"]}
    if item["type"] in ("model", "dataset", "space"):
        repo = call.server.repos.get((item["type"], item["id"]))
        if repo is None or not call.may_see(repo):
            raise HubError(404, f"{item['type']} {item['id']} not found")
    with call.server.lock:
        if any((other["id"], other["type"]) == (item["id"], item["type"]) for other in found.items):
            raise HubError(409, "The item is in the collection already")
        named = hashlib.sha256(f"{found.slug} {item}".encode()).hexdigest()[:24]
        note = {"note": {"text": said["note"], "html": said["note"]}} if "note" in said else {}
        found.items.append({"_id": named, **item, **note})
        found.changed = time.time()
    return answer_json(found.say())


@route("DELETE", "/api/collections/{repo}/items/{item}", "collections.remove")
def remove(call: Call) -> Answer:
    found = _chosen(call)
    _allowed(call, found.owner)
    kept = [item for item in found.items if item["_id"] != call.params["item"]]
    if len(kept) == len(found.items):
        raise HubError(404, "Item not found")
    found.items = kept
    return answer_json({"success": True})
