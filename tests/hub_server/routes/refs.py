"""Branches, tags, and the history of a revision."""

from __future__ import annotations

from hub_server.errors import HubError, no_revision
from hub_server.repository import BRANCH, PULL, TAG, Commit
from hub_server.routes.repos import iso
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


@route("GET", "/api/{kind}s/{repo}/refs", "refs")
def refs(call: Call) -> Answer:
    repo = call.readable()

    def say(start: str, found: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": start + name, "targetCommit": sha} for name, sha in found.items()
        ]

    said = {"branches": say(BRANCH, repo.branches), "tags": say(TAG, repo.tags), "converts": []}
    if call.request.flag("include_prs"):
        said["pullRequests"] = say(PULL, repo.pulls)
    return answer_json(said)


@route("POST", "/api/{kind}s/{repo}/tag/{revision}", "tag.create")
def create_tag(call: Call) -> Answer:
    repo, tag = call.writable(), call.request.json()["tag"]
    with repo.lock:
        if tag in repo.tags:
            raise HubError(409, f"Tag reference exists already: {tag}")
        repo.refs[TAG + tag] = repo.resolve(call.params["revision"])
    return answer_json({"success": True})


@route("DELETE", "/api/{kind}s/{repo}/tag/{tag}", "tag.delete")
def delete_tag(call: Call) -> Answer:
    repo, tag = call.writable(), call.params["tag"]
    with repo.lock:
        if repo.refs.pop(TAG + tag, None) is None:
            raise no_revision(tag)
    return answer_json({"success": True})


@route("POST", "/api/{kind}s/{repo}/branch/{branch}", "branch.create")
def create_branch(call: Call) -> Answer:
    repo, branch = call.writable(), call.params["branch"]
    start = call.request.json().get("startingPoint", "main")
    with repo.lock:
        if branch in repo.branches:
            raise HubError(409, f"Reference already exists: {branch}")
        repo.refs[BRANCH + branch] = repo.resolve(start)
    return answer_json({"success": True})


@route("DELETE", "/api/{kind}s/{repo}/branch/{branch}", "branch.delete")
def delete_branch(call: Call) -> Answer:
    repo, branch = call.writable(), call.params["branch"]
    if branch == "main":
        raise HubError(403, "Cannot delete the main branch")
    with repo.lock:
        if repo.refs.pop(BRANCH + branch, None) is None:
            raise no_revision(branch)
    return answer_json({"success": True})


@route("GET", "/api/{kind}s/{repo}/commits/{revision}", "commits")
def commits(call: Call) -> Answer:
    def say(commit: Commit) -> dict[str, object]:
        title, _, message = commit.message.partition("\n\n")
        authors = [{"user": commit.author, "avatar": ""}]
        when = iso(commit.when)
        return {
            "id": commit.sha,
            "title": title,
            "message": message,
            "authors": authors,
            "date": when,
        }

    return call.page(call.readable().commits(call.params["revision"]), 50, say)
