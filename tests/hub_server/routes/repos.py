"""Repositories made, described, listed, set up and deleted."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timezone

from hub_server.cards import front_matter
from hub_server.errors import HubError, no_repo
from hub_server.repository import Entry, Repository
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json

NAME = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9_][A-Za-z0-9._-]{0,94}[A-Za-z0-9_]|[A-Za-z0-9_]")
PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}


def iso(seconds: float) -> str:
    """A time as the API writes it."""
    when = datetime.fromtimestamp(seconds, timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def page_url(call: Call, repo: Repository) -> str:
    """A repository's page."""
    return f"{call.server.endpoint}/{PREFIX[repo.kind]}{repo.id}"


@route("POST", "/api/repos/create", "repo.create")
def create(call: Call) -> Answer:
    token, said = call.account(), call.request.json()
    kind, namespace = said.get("type") or "model", said.get("organization") or token.user
    repo_id = f"{namespace}/{said['name']}"
    if not NAME.fullmatch(said["name"]):
        raise HubError(400, f"Invalid repo name: {said['name']}")
    if token.role == "read":
        raise HubError(403, "You don't have the rights to create a repo: this token may only read")
    if not call.server.accounts.may_write(token, namespace):
        text = f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'
        raise HubError(403, text)
    with call.server.lock:
        known = call.server.repos.get((kind, repo_id))
        if known:
            text = f"You already created this {kind} repo: {repo_id}"
            raise HubError(409, text, more={"url": page_url(call, known)})
        folder = call.server.root / f"{kind}s" / repo_id
        private = bool(said.get("private")) or said.get("visibility") == "private"
        repo = Repository(kind, repo_id, folder, token.user, private, sdk=said.get("sdk"))
        call.server.repos[kind, repo_id] = repo
    return answer_json({"url": page_url(call, repo), "name": repo_id, "id": repo_id})


@route("DELETE", "/api/repos/delete", "repo.delete")
def delete(call: Call) -> Answer:
    token, said = call.account(), call.request.json()
    call.params["kind"] = said.get("type") or "model"
    call.params["repo"] = f"{said.get('organization') or token.user}/{said['name']}"
    repo = call.writable()
    with call.server.lock:
        if call.server.repos.pop((repo.kind, repo.id), None) is None:
            raise no_repo(authenticated=True)
        shutil.rmtree(repo.folder)
    return Answer(200)


@route("PUT", "/api/{kind}s/{repo}/settings", "repo.settings")
def settings(call: Call) -> Answer:
    repo, said = call.writable(), call.request.json()
    repo.gated = said.get("gated", repo.gated)
    if "visibility" in said or "private" in said:
        repo.private = bool(said.get("private")) or said.get("visibility") == "private"
    return answer_json({"private": repo.private, "gated": repo.gated})


@route("GET", "/api/{kind}s/{repo}/auth-check", "repo.auth")
def auth_check(call: Call) -> Answer:
    call.open()
    return Answer(200)


@route("GET", "/api/{kind}s/{repo}/auth-check/write", "repo.auth")
def auth_check_write(call: Call) -> Answer:
    call.writable()
    return Answer(200)


@route("GET", "/api/{kind}s", "repo.list")
def listing(call: Call) -> Answer:
    asked = call.request
    found = [
        repo
        for repo in call.server.repos.values()
        if repo.kind == call.kind
        and call.may_see(repo)
        and asked.get("author", repo.namespace) == repo.namespace
        and asked.get("search").lower() in repo.id.lower()
    ]

    def say(repo: Repository) -> dict[str, object]:
        said = describe(repo, "main")
        if not asked.flag("full"):
            del said["siblings"]
        return expanded(call, said)

    return call.page(found, int(asked.get("limit", "1000")), say)


@route("GET", "/api/{kind}s/{repo}/revision/{revision}", "repo.info")
@route("GET", "/api/{kind}s/{repo}", "repo.info")
def info(call: Call) -> Answer:
    repo = call.readable()
    said = describe(repo, call.params.get("revision", "main"), call.request.flag("blobs"))
    return answer_json(expanded(call, said))


def expanded(call: Call, said: dict[str, object]) -> dict[str, object]:
    """Of all that can be said, what `expand` asks for, if it does."""
    wanted = call.request.query.get("expand")
    return {name: said.get(name) for name in ("_id", "id", *wanted)} if wanted else said


def describe(repo: Repository, revision: str, blobs: bool = False) -> dict[str, object]:
    """All that the API says about a repository at a revision."""
    sha = repo.resolve(revision)
    entries = repo.entries(sha)
    card = front_matter(repo.read("README.md", sha))[0] if "README.md" in entries else None
    card = card if isinstance(card, dict) else {}
    listed = [card.get("tags"), card.get("library_name"), card.get("pipeline_tag")]
    tags = [tag for some in listed for tag in ([some] if isinstance(some, str) else some or [])]
    if "license" in card:
        tags.append(f"license:{card['license']}")
    said: dict[str, object] = {
        "_id": repo.key,
        "id": repo.id,
        "author": repo.namespace,
        "sha": sha,
        "lastModified": iso(repo.commit(sha).when),
        "createdAt": iso(repo.created),
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags,
        "cardData": card,
        "siblings": [sibling(e, blobs) for e in entries.values() if not e.folder],
        "usedStorage": sum(entry.size for entry in entries.values()),
    }
    if repo.kind == "model":
        extra = {"modelId": repo.id, "library_name": card.get("library_name")}
        said |= {**extra, "pipeline_tag": card.get("pipeline_tag")}
    if repo.kind == "space":
        name = repo.id.replace("/", "-").lower()
        said |= {"sdk": repo.sdk, "subdomain": name, "host": f"https://{name}.hf.space"}
    return said


def sibling(entry: Entry, blobs: bool) -> dict[str, object]:
    """A file in a repository's description."""
    said: dict[str, object] = {"rfilename": entry.path}
    if blobs:
        said |= {"size": entry.size, "blobId": entry.oid}
        if entry.lfs:
            pointer = len(entry.lfs.content())
            said["lfs"] = {
                "size": entry.size,
                "sha256": entry.lfs.sha256,
                "pointerSize": pointer,
            }
    return said
