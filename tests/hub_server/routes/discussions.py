"""Pull requests (and discussions), as far as a push as a pull request needs them."""

from __future__ import annotations

import time

from hub_server.errors import HubError
from hub_server.repository import BRANCH, PULL, Repository
from hub_server.routes.repos import iso
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


def open_pull_request(repo: Repository, title: str, author: str, start: str | None) -> int:
    """A new pull request from a commit (`None`: a discussion); its number."""
    with repo.lock:
        number = len(repo.discussions) + 1
        repo.discussions.append(
            {
                "num": number,
                "title": title,
                "author": {"name": author},
                "status": "open",
                "isPullRequest": start is not None,
                "createdAt": iso(time.time()),
                "repo": {"name": repo.id, "type": repo.kind},
                "events": [],
                "pinned": False,
            }
        )
        if start is not None:
            repo.refs[f"{PULL}{number}"] = start
    return number


@route("GET", "/api/{kind}s/{repo}/discussions", "pulls.list")
def listing(call: Call) -> Answer:
    found = call.readable().discussions
    if call.request.get("p", "0") != "0":
        found = []
    return answer_json({"discussions": found, "count": len(found), "start": 0})


@route("POST", "/api/{kind}s/{repo}/discussions", "pulls.create")
def create(call: Call) -> Answer:
    repo, said = call.readable(), call.request.json()
    start = repo.head if said.get("pullRequest") else None
    return answer_json({"num": open_pull_request(repo, said["title"], call.account().user, start)})


def _chosen(call: Call, repo: Repository) -> dict[str, object]:
    number = int(call.params["number"])
    if not 0 < number <= len(repo.discussions):
        raise HubError(404, f"Discussion {number} not found")
    return repo.discussions[number - 1]


@route("GET", "/api/{kind}s/{repo}/discussions/{number}", "pulls.get")
def details(call: Call) -> Answer:
    said = _chosen(call, call.readable())
    changes = {"base": BRANCH + "main", "mergeCommitId": said.get("mergeCommitId")}
    return answer_json({**said, "changes": changes, "filesWithConflicts": [], "diff": ""})


@route("POST", "/api/{kind}s/{repo}/discussions/{number}/merge", "pulls.merge")
def merge(call: Call) -> Answer:
    repo = call.writable()
    found = _chosen(call, repo)
    with repo.lock:
        tip = repo.refs[f"{PULL}{found['num']}"]
        if found["status"] != "open":
            raise HubError(400, "This pull request is not open")
        if repo.head not in [commit.sha for commit in repo.commits(tip)]:
            raise HubError(409, "This pull request has conflicts with main")
        repo.refs[BRANCH + "main"] = tip
        found.update(status="merged", mergeCommitId=tip)
    return _event(call, "status-change", {"status": "merged"})


@route("POST", "/api/{kind}s/{repo}/discussions/{number}/status", "pulls.status")
def status(call: Call) -> Answer:
    found, said = _chosen(call, call.writable()), call.request.json()
    found["status"] = said["status"]
    return _event(call, "status-change", {"status": said["status"]})


def _event(call: Call, kind: str, data: dict[str, object]) -> Answer:
    author = {"name": call.account().user}
    event = {"id": "0" * 24, "type": kind, "createdAt": iso(time.time()), "author": author}
    return answer_json({"newStatus": {**event, "data": data}})
